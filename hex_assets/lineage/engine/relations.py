"""What a FROM clause offers: relations that answer where a column comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

NO, WEAK, MAYBE, SURE = range(4)
"""How certain it is that a relation has a column. WEAK: a field of an unnested value."""


@dataclass(eq=False)
class TableRef:
    """A table that the text names; one object per distinct name and role."""

    parts: tuple[str, ...]
    columns: dict[str, str] | None = None
    """Folded name to spelling, when the catalog knows the table."""
    structs: dict[str, Relation] | None = None
    """The fields of its columns that are structs, where the text itself makes it."""

    @property
    def name(self) -> str:
        """The dotted name."""
        return ".".join(self.parts)


Origins = frozenset[tuple[TableRef, str]]
"""Columns of tables; the name `*` stands for all that are not known by name."""
NOTHING: Origins = frozenset()
Answer = tuple[int, Origins]
NOT_HERE: Answer = (NO, NOTHING)


def merged(parts: Iterable[Origins]) -> Origins:
    """The union of many origins."""
    return NOTHING.union(*parts)


MAX_COLUMNS = 20_000
"""Of one query: stars of stars double with each step, and no warehouse gives that many."""


class TooWide(Exception):
    """A query has more columns than any warehouse gives."""


class Relation:
    """Something with columns. `lookup` takes a folded name and the spelling in the text."""

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        raise NotImplementedError

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones that are not known by name."""
        raise NotImplementedError

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        raise NotImplementedError

    def row(self) -> Origins:
        """The origins of the whole row."""
        return merged(origins for _, origins in self.star())

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct, or many of them; None where not told."""
        return None


class BaseTable(Relation):
    """A table of the warehouse, with its schema if the catalog has it."""

    def __init__(self, ref: TableRef) -> None:
        self.ref = ref

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        known = self.ref.columns
        if known is None:
            return MAYBE, frozenset(((self.ref, name),))
        spelling = known.get(key)
        return NOT_HERE if spelling is None else (SURE, frozenset(((self.ref, spelling),)))

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones not known by name."""
        known = self.ref.columns
        if known is None:
            return [("*", frozenset(((self.ref, "*"),)))]
        return [(spelling, frozenset(((self.ref, spelling),))) for spelling in known.values()]

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        return self.ref.columns is None

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct."""
        return self.ref.structs.get(key) if self.ref.structs else None


@dataclass(eq=False)
class Rest(Relation):
    """What a star passes on of relations whose columns are not all known."""

    relation: Relation
    hidden: frozenset[str] = frozenset()

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        return NOT_HERE if key in self.hidden else self.relation.lookup(key, name)

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones not known by name."""
        return [item for item in self.relation.star() if item[0].casefold() not in self.hidden]

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        return self.relation.is_open()

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct."""
        return None if key in self.hidden else self.relation.fields_of(key)


@dataclass
class Source:
    """A relation under the name by which the query knows it."""

    name: str
    """Folded alias, or the table's last name part; empty for an unnamed subquery."""
    relation: Relation
    parts: tuple[str, ...] = ()
    """Folded name parts of a table without an alias."""
    hidden_name: str = ""
    """Folded table name that an alias hides; some texts use it all the same."""


@dataclass(frozen=True, eq=False)
class Merged:
    """A column that USING makes of two or more."""

    relations: list[Relation]
    """All that have it: none of them shows it once more."""
    givers: list[Relation]
    """Those whose values it has: of a LEFT JOIN only the left one."""

    def origins(self, key: str, name: str) -> Origins:
        """What the column comes from."""
        return merged(relation.lookup(key, name)[1] for relation in self.givers)


@dataclass(eq=False)
class Derived(Relation):
    """The result of a query: named columns, and relations passed on by a star."""

    items: list[tuple[str, Origins] | Rest] = field(default_factory=list)
    index: dict[str, Origins] = field(default_factory=dict)
    rests: list[Rest] = field(default_factory=list)
    structs: dict[str, Relation] = field(default_factory=dict)
    """Folded name of a column that is a struct, or many of them, to its fields."""
    behind: list[Source] = field(default_factory=list)
    """What a step of pipe syntax still lets the next ones name by its alias."""
    in_place: bool = False
    """Whether the items stand in the order of the columns, each for one but for a star."""
    _answers: dict[str, Answer] = field(default_factory=dict)
    """Of `lookup` by spelling: a query that is read twice by each next one is asked only once."""

    def add(self, name: str, origins: Origins) -> None:
        """Adds a named column."""
        if len(self.items) >= MAX_COLUMNS:
            raise TooWide
        self._answers.clear()
        self.items.append((name, origins))
        self.index.setdefault(name.casefold(), origins)

    def pass_on(self, rest: Rest) -> None:
        """Adds what a star passes on."""
        if rest.is_open():
            self._answers.clear()
            self.items.append(rest)
            self.rests.append(rest)
        else:
            for name, origins in rest.star():
                self.add(name, origins)
                inner = rest.fields_of(name.casefold())
                if inner is not None:
                    self.structs.setdefault(name.casefold(), inner)

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct."""
        if key in self.structs:
            return self.structs[key]
        if key in self.index:
            return None
        found = [inner for rest in self.rests if (inner := rest.fields_of(key)) is not None]
        return found[0] if len(found) == 1 else None

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        origins = self.index.get(key)
        if origins is not None:
            return SURE, origins
        if not self.rests:
            return NOT_HERE
        answer = self._answers.get(name)
        if answer is None:
            answer = choose([rest.lookup(key, name) for rest in self.rests])
            self._answers[name] = answer
        return answer

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones not known by name."""
        columns: list[tuple[str, Origins]] = []
        for item in self.items:
            if isinstance(item, Rest):
                columns.extend(item.star())
            else:
                columns.append(item)
            if len(columns) > MAX_COLUMNS:
                raise TooWide
        return columns

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        return bool(self.rests)

    def renamed(self, names: list[str]) -> Derived:
        """The same columns under the names of an alias list, matched by position."""
        result = Derived()
        columns = self.star()
        known = not self.is_open()
        for position, name in enumerate(names):
            here = known and position < len(columns)
            result.add(name, columns[position][1] if here else NOTHING)
        if known:
            for name, origins in columns[len(names) :]:
                result.add(name, origins)
        return result


@dataclass(eq=False)
class SetResult(Relation):
    """A set operation of which a branch's columns are not all known: matched by name."""

    branches: list[Relation]
    _answers: dict[str, Answer] = field(default_factory=dict)
    _star: list[tuple[str, Origins]] | None = None

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        known = self._answers.get(name)
        if known is None:
            answers = [branch.lookup(key, name) for branch in self.branches]
            found = [answer for answer in answers if answer[0] != NO]
            known = NOT_HERE
            if found:
                known = min(answer[0] for answer in found), merged(item[1] for item in found)
            self._answers[name] = known
        return known

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones not known by name."""
        if self._star is None:
            self._star = self._united()
        return self._star

    def _united(self) -> list[tuple[str, Origins]]:
        columns: dict[str, tuple[str, Origins]] = {}
        for branch in self.branches:
            for name, origins in branch.star():
                seen = columns.get(name.casefold())
                columns[name.casefold()] = (
                    (name, origins) if seen is None else (seen[0], seen[1] | origins)
                )
        return list(columns.values())

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        return True


@dataclass(eq=False)
class Produced(Relation):
    """Rows made by a function of other columns: UNNEST, FLATTEN, generators, PIVOT's new columns.

    `names` are its columns; with `fields`, a value of it may have more, all from `origins`;
    with `inner`, it is a struct of which the fields are known.
    """

    origins: Origins
    names: list[str]
    fields: int = NO
    inner: Relation | None = None

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        if self.inner is not None:
            answer = self.inner.lookup(key, name)
            if answer[0] != NO:
                return answer
        if any(key == own.casefold() for own in self.names):
            return SURE, self.origins
        return (self.fields, self.origins) if self.fields else NOT_HERE

    def star(self) -> list[tuple[str, Origins]]:
        """All columns in order; `*` for the ones not known by name."""
        if self.inner is not None:
            return self.inner.star()
        return [(name, self.origins) for name in self.names]

    def is_open(self) -> bool:
        """Whether columns may exist that are not known by name."""
        return self.inner.is_open() if self.inner is not None else bool(self.fields)

    def row(self) -> Origins:
        """The origins of the whole value."""
        return self.origins if self.inner is not None else super().row()

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct."""
        return self.inner.fields_of(key) if self.inner is not None else None


def choose(answers: list[Answer]) -> Answer:
    """The one certain answer of several relations; where they compete, that nothing is known."""
    best = max((answer[0] for answer in answers), default=NO)
    if best == NO:
        return NOT_HERE
    found = [answer for answer in answers if answer[0] == best]
    if len(found) == 1 or all(answer[1] == found[0][1] for answer in found):
        return found[0]
    return UNSURE if best == MAYBE else AMBIGUOUS


AMBIGUOUS: Answer = (WEAK, NOTHING)
"""Several relations have the column: nothing is known of its origin."""
UNSURE: Answer = (MAYBE, NOTHING)
"""Several relations may have it: as likely as any other that may, so that it is no other's."""


def renamed(relation: Relation, names: list[str]) -> Relation:
    """The relation with its columns under other names, where there are any."""
    if not names:
        return relation
    if isinstance(relation, Derived):
        return relation.renamed(names)
    whole = Derived()
    whole.pass_on(Rest(relation))
    return whole.renamed(names)
