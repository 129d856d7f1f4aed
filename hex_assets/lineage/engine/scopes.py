"""The names in force at one place of a query, and what they resolve to."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from hex_assets.lineage.engine.dialects import (
    EXPLICIT_LATERAL,
    LATERAL_ALIASES,
    PIPES,
    ROW_VALUES,
)
from hex_assets.lineage.engine.reading import Cte
from hex_assets.lineage.engine.relations import (
    AMBIGUOUS,
    MAYBE,
    NO,
    NOT_HERE,
    NOTHING,
    SURE,
    WEAK,
    Answer,
    BaseTable,
    Derived,
    Merged,
    Origins,
    Produced,
    Relation,
    Source,
    TableRef,
    choose,
    merged,
)

PIPE_STEP = "__tmp"
"""How the parser names the queries that it makes of the steps of pipe syntax."""
MAX_STEPS = 1000


@dataclass
class Later:
    """Aliases that may be used before the place where they are given."""

    expressions: dict[str, exp.Expr] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    """Aliases that are being read: within its own expression a name is a column."""
    circle: int | None = None
    """The outermost of the open ones to which a circle of aliases leads back."""

    def meet(self, key: str) -> None:
        """Notes that an open alias was asked for; `lower(a) AS a` alone makes no circle."""
        position = self.open.index(key)
        if position < len(self.open) - 1:
            self.circle = position if self.circle is None else min(self.circle, position)

    def closes_circle(self) -> bool:
        """Ends the innermost open alias; whether it is part of a circle."""
        self.open.pop()
        depth = len(self.open)
        if self.circle is None or self.circle > depth:
            return False
        if self.circle == depth:
            self.circle = None
        return True


@dataclass
class Scope:
    """The relations of one FROM clause; looks outward for what it does not have."""

    dialect: str
    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    using: dict[str, Merged] = field(default_factory=dict)
    aliases: dict[str, Origins] = field(default_factory=dict)
    scalars: dict[str, Origins] = field(default_factory=dict)
    named: dict[str, Cte] = field(default_factory=dict)
    """ClickHouse's `WITH expression AS name`: it is read where the name is."""
    later: Later = field(default_factory=Later)
    """ClickHouse's aliases, which hold in all of their SELECT."""
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    """Named windows: `sum(x) OVER w` comes from what `sum(x) OVER (...)` comes from."""
    targets: dict[str, TableRef] = field(default_factory=dict)
    """The written tables by their names here, which a column in SET may have before it."""
    natural: bool = False
    joined_from: int = 0
    """The first of the sources that the next JOIN joins: a comma begins anew."""

    def of_join(self) -> Scope:
        """The scope of a JOIN's condition, which knows what stands since the last comma."""
        if not self.joined_from:
            return self
        outer = self.parent if self.dialect in EXPLICIT_LATERAL else self
        return Scope(self.dialect, outer, self.sources[self.joined_from :], self.using)

    def merge_first(self, names: list[str]) -> None:
        """Puts the columns that a join merges before those that the joins in it merged."""
        keys = [name.casefold() for name in names]
        rest = [key for key in self.using if key not in keys]
        self.using = {key: self.using[key] for key in (*keys, *rest)}

    def add(self, source: Source) -> None:
        """Adds a relation."""
        self.sources.append(source)

    def qualified(self, qualifiers: list[str], name: str) -> Answer | None:
        """Resolves `q.name`; a longer path may end in fields. None when no relation fits."""
        if len(qualifiers) == 1:
            return self._of_relation(qualifiers[0].casefold(), name)
        path = [*qualifiers, name]
        folded = [part.casefold() for part in path]
        for named in (Scope.relation_named, Scope.relation_hidden):
            scope: Scope | None = self
            while scope is not None:
                for length in range(len(qualifiers), 0, -1):
                    relation = named(scope, folded[:length])
                    if relation is not None:
                        return _column(relation, folded[length], path[length])
                scope = scope.parent
        return None

    def _of_relation(self, folded: str, name: str) -> Answer | None:
        """A column of the relation with a name; the innermost scope that has it wins."""
        scope: Scope | None = self
        while scope is not None:
            relation = scope._called(folded)
            if relation is not None:
                return _column(relation, name.casefold(), name)
            scope = scope.parent
        scope = self
        while scope is not None:
            relation = scope.relation_hidden([folded])
            if relation is not None:
                return _column(relation, name.casefold(), name)
            scope = scope.parent
        return None

    def _called(self, folded: str) -> Relation | None:
        both = self.dialect == "clickhouse"  # an alias hides no name there: the first one counts
        for source in self.sources:
            if source.name == folded or (both and source.hidden_name == folded):
                return source.relation
        if self.dialect in PIPES:
            return _piped(self.sources, folded)
        return None

    def field(self, path: list[str]) -> Answer | None:
        """Resolves `a.b.c` where a struct on the way is one that the query made itself."""
        start = self._start(path)
        return _walked(start[0], start[1]) if start is not None else None

    def has_source(self, name: str) -> bool:
        """Whether a relation of this scope goes by a name."""
        folded = name.casefold()
        return any(source.name == folded for source in self.sources)

    def struct(self, path: list[str]) -> Relation | None:
        """The fields of the struct that a path means; a relation's own name means its rows."""
        start = self._start(path)
        if start is None:
            return None
        relation: Relation | None = start[0]
        for name in start[1]:
            if relation is None:
                return None
            relation = relation.fields_of(name.casefold())
        if isinstance(relation, Produced):
            return relation if relation.inner is not None else None
        return relation

    def _start(self, path: list[str]) -> tuple[Relation, list[str]] | None:
        """The relation that a path begins at, and what of the path is left."""
        key = path[0].casefold()
        scope: Scope | None = self
        while scope is not None:
            relation = scope._called(key)
            if relation is not None:
                return relation, path[1:]
            for source in scope.sources:
                inner = source.relation.fields_of(key)
                if inner is not None:
                    return inner, path[1:]
            if scope._own(key, path[0])[0] == SURE:
                return None
            scope = scope.parent
        return None

    def relation_hidden(self, folded: list[str]) -> Relation | None:
        """The relation whose name an alias hides: meant where nothing else has that name."""
        for source in self.sources:
            if len(folded) == 1 and source.hidden_name == folded[0]:
                return source.relation
        return None

    def names(self, folded: list[str]) -> bool:
        """Whether a relation of this scope has the name, be it hidden by an alias."""
        named = self.relation_named(folded) or self.relation_hidden(folded)
        return named is not None

    def relation_named(self, folded: list[str]) -> Relation | None:
        """The relation of this scope that a folded dotted name means."""
        if len(folded) == 1:
            return self._called(folded[0])
        for source in self.sources:
            if source.parts[-len(folded) :] == tuple(folded):
                return source.relation
        for source in self.sources:  # a default database may be spelled out on one side only
            if source.parts and tuple(folded[-len(source.parts) :]) == source.parts:
                return source.relation
        return None

    def has_path(self, folded: str) -> bool:
        """Whether `name.column` in FROM is a column of a relation here, or of an alias outside."""
        if self.names([folded]):
            return True
        scope = self.parent
        while scope is not None:
            for source in scope.sources:
                if source.name == folded and self.dialect == "bigquery":
                    return True  # no dataset is looked for then
                if source.name == folded and (source.hidden_name or not source.parts):
                    return folded not in source.parts  # there it is a schema
            scope = scope.parent
        return False

    def unqualified(
        self, name: str, *, prefer_alias: bool, aliases: bool, row: bool = True
    ) -> Answer:
        """Resolves a bare name; the innermost scope that has or may have it wins.

        With `row`, it stands where the name of a table without an alias means its row.
        """
        key = name.casefold()
        scope: Scope | None = self
        if aliases and key in self.aliases:
            own = self._own(key, name, row)
            return self._alias_or_column(key, name, own, prefer_alias)
        while scope is not None:
            if self.dialect == "clickhouse" and key in scope.scalars:
                return SURE, scope.scalars[key]
            answer = scope._own(key, name, row)
            if answer[0] != NO:
                return scope._or_column_around(answer, key, name)
            if key in scope.scalars:
                return SURE, scope.scalars[key]
            scope = scope.parent
        only = self.sources[0].relation if len(self.sources) == 1 else None
        if isinstance(only, BaseTable):  # a pseudo-column, or the catalog is behind
            return SURE, frozenset(((only.ref, name),))
        return NOT_HERE

    def _or_column_around(self, answer: Answer, key: str, name: str) -> Answer:
        """A whole row gives way to a column of that name in a query around this one."""
        if self.parent is None or not any(source.name == key for source in self.sources):
            return answer
        if any(source.relation.lookup(key, name)[0] == SURE for source in self.sources):
            return answer
        scope: Scope | None = self.parent
        while scope is not None:
            found = choose([source.relation.lookup(key, name) for source in scope.sources])
            if found[0] == SURE:
                return found
            scope = scope.parent
        return answer

    def _alias_or_column(self, key: str, name: str, own: Answer, prefer_alias: bool) -> Answer:
        alias = self.aliases[key]
        if prefer_alias or self.dialect == "clickhouse" or own[0] == NO:
            return SURE, alias
        if own[0] == SURE:
            return own
        # `lower(name) AS name` proves that the source has a column `name`, and that one wins.
        if any(column.casefold() == key and (ref, name) in own[1] for ref, column in alias):
            return own
        return SURE, alias

    def _own(self, key: str, name: str, row: bool = True) -> Answer:
        if key in self.using:
            column = self.using[key]
            return (SURE, column.origins(key, name)) if column.givers else AMBIGUOUS
        answers = [source.relation.lookup(key, name) for source in self.sources]
        for source in self.sources:
            if source.name == key:
                value = self._row_value(source, answers, row)
                if value is not None:
                    return value
        if self.natural or self.dialect == "clickhouse":
            sure = [answer for answer in answers if answer[0] == SURE]
            if sure:
                return SURE, merged(a[1] for a in sure) if self.natural else sure[0][1]
        return choose(answers)

    def _row_value(self, source: Source, answers: list[Answer], row: bool) -> Answer | None:
        """The whole row, which a relation's name alone means where no column is called so."""
        aliased = not source.parts or bool(source.hidden_name)
        if not row and not aliased and self.dialect == "bigquery":
            return None
        if any(answer[0] == SURE for answer in answers):
            return None
        if isinstance(source.relation, Produced):
            return SURE, source.relation.origins
        if self.dialect not in ROW_VALUES:
            return None
        certainty = answers[self.sources.index(source)][0]
        if not row and not aliased and certainty == MAYBE and len(source.parts) > 1:
            return None  # `select country from dim.country`: a column wins over the row
        return SURE, source.relation.row()

    def allows_lateral_aliases(self) -> bool:
        """Whether a SELECT may use its own earlier aliases."""
        return self.dialect in LATERAL_ALIASES


def _column(relation: Relation, key: str, name: str) -> Answer:
    answer = relation.lookup(key, name)
    if answer[0] != NO or not isinstance(relation, BaseTable):
        return answer
    return SURE, frozenset(((relation.ref, name),))  # the qualifier makes it certain


def _walked(relation: Relation, path: list[str]) -> Answer | None:
    """A column, or a field of it; of a struct that is not known in parts, the whole."""
    if not path:
        return None
    if len(path) > 1:
        inner = relation.fields_of(path[0].casefold())
        found = _walked(inner, path[1:]) if inner is not None else None
        if found is not None:
            return found
    answer = relation.lookup(path[0].casefold(), path[0])
    return answer if answer[0] != NO else None


def _piped(sources: list[Source], folded: str) -> Relation | None:
    """What an earlier step of pipe syntax named so: EXTEND and WHERE keep its names in force."""
    seen = 0
    while len(sources) and sources[0].name.startswith(PIPE_STEP) and seen < MAX_STEPS:
        relation = sources[0].relation
        sources = relation.behind if isinstance(relation, Derived) else []
        seen += 1
        for source in sources:
            if folded in (source.name, source.hidden_name):
                return source.relation
    return None


__all__ = ["AMBIGUOUS", "NOTHING", "WEAK", "Scope", "Source"]
