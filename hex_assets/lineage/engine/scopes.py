"""The names in force at one place of a query, and what they resolve to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from hex_assets.lineage.engine.dialects import LATERAL_ALIASES, ROW_VALUES
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
    Origins,
    Produced,
    Relation,
    choose,
    merged,
)


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


@dataclass
class Scope:
    """The relations of one FROM clause; looks outward for what it does not have."""

    dialect: str
    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    using: dict[str, list[Relation]] = field(default_factory=dict)
    aliases: dict[str, Origins] = field(default_factory=dict)
    scalars: dict[str, Origins] = field(default_factory=dict)
    named: dict[str, exp.Expr] = field(default_factory=dict)
    """ClickHouse's `WITH expression AS name`: it is read where the name is."""
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    """Named windows: `sum(x) OVER w` comes from what `sum(x) OVER (...)` comes from."""
    natural: bool = False

    def add(self, source: Source) -> None:
        """Adds a relation."""
        self.sources.append(source)

    def qualified(self, qualifiers: list[str], name: str) -> Answer | None:
        """Resolves `q.name`; a longer path may end in fields. None when no relation fits."""
        if len(qualifiers) == 1:
            return self._of_relation(qualifiers[0].casefold(), name)
        path = [*qualifiers, name]
        folded = [part.casefold() for part in path]
        scope: Scope | None = self
        while scope is not None:
            for length in range(len(qualifiers), 0, -1):
                relation = scope.relation_named(folded[:length])
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
        return None

    def _called(self, folded: str) -> Relation | None:
        for source in self.sources:
            if source.name == folded:
                return source.relation
        for source in self.sources:
            if source.hidden_name == folded:
                return source.relation
        return None

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

    def unqualified(self, name: str, *, prefer_alias: bool, aliases: bool) -> Answer:
        """Resolves a bare name; the innermost scope that has or may have it wins."""
        key = name.casefold()
        scope: Scope | None = self
        if aliases and key in self.aliases:
            own = self._own(key, name)
            return self._alias_or_column(key, own, prefer_alias)
        while scope is not None:
            if self.dialect == "clickhouse" and key in scope.scalars:
                return SURE, scope.scalars[key]
            answer = scope._own(key, name)
            if answer[0] != NO:
                return answer
            if key in scope.scalars:
                return SURE, scope.scalars[key]
            scope = scope.parent
        only = self.sources[0].relation if len(self.sources) == 1 else None
        if isinstance(only, BaseTable):  # a pseudo-column, or the catalog is behind
            return SURE, frozenset(((only.ref, name),))
        return NOT_HERE

    def _alias_or_column(self, key: str, own: Answer, prefer_alias: bool) -> Answer:
        alias = self.aliases[key]
        if prefer_alias or self.dialect == "clickhouse" or own[0] == NO:
            return SURE, alias
        if own[0] == SURE:
            return own
        # `lower(name) AS name` proves that the source has a column `name`, and that one wins.
        if any(column.casefold() == key for _, column in alias):
            return own
        return SURE, alias

    def _own(self, key: str, name: str) -> Answer:
        if key in self.using:
            found = [relation.lookup(key, name) for relation in self.using[key]]
            return SURE, merged(answer[1] for answer in found)
        for source in self.sources:
            if source.name == key:
                row = self._row_value(source, key, name)
                if row is not None:
                    return row
        answers = [source.relation.lookup(key, name) for source in self.sources]
        if self.natural or self.dialect == "clickhouse":
            sure = [answer for answer in answers if answer[0] == SURE]
            if sure:
                return SURE, merged(a[1] for a in sure) if self.natural else sure[0][1]
        return choose(answers)

    def _row_value(self, source: Source, key: str, name: str) -> Answer | None:
        if isinstance(source.relation, Produced):
            return SURE, source.relation.origins
        certainty = source.relation.lookup(key, name)[0]
        if certainty == MAYBE and len(source.parts) > 1 and not source.hidden_name:
            return None  # `select country from dim.country`: a column wins over the row
        if self.dialect in ROW_VALUES and certainty != SURE:
            return SURE, source.relation.row()
        return None

    def allows_lateral_aliases(self) -> bool:
        """Whether a SELECT may use its own earlier aliases."""
        return self.dialect in LATERAL_ALIASES


def _column(relation: Relation, key: str, name: str) -> Answer:
    answer = relation.lookup(key, name)
    if answer[0] != NO or not isinstance(relation, BaseTable):
        return answer
    return SURE, frozenset(((relation.ref, name),))  # the qualifier makes it certain


Lookup = Callable[[str], Answer]
__all__ = ["AMBIGUOUS", "NOTHING", "WEAK", "Scope", "Source"]
