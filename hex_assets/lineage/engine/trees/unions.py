"""UNIONs: columns of several branches joined by position, or by name where that is not told."""

from __future__ import annotations

from dataclasses import dataclass, field

from hex_assets.lineage.engine.relations import Derived, Origins, Relation, Rest, SetResult

Item = tuple[str, Origins] | Rest
MAX_ITEMS = 2_000
"""Of a branch that is matched by position around its star: stars of stars double."""


@dataclass
class Branch:
    """The columns of a branch: named ones, what a star passes on, and named ones after it."""

    head: list[tuple[str, Origins]] = field(default_factory=list)
    middle: list[Item] = field(default_factory=list)
    tail: list[tuple[str, Origins]] = field(default_factory=list)

    def narrowed(self, before: int, after: int) -> None:
        """Leaves only so many columns before and after the middle; it takes the others in."""
        kept = len(self.tail) - after
        self.middle = [*self.head[before:], *self.middle, *self.tail[:kept]]
        self.head, self.tail = self.head[:before], self.tail[kept:]

    def relation(self) -> Relation:
        """The middle as a relation of its own."""
        only = self.middle[0] if len(self.middle) == 1 else None
        if isinstance(only, Rest) and not only.hidden:
            return only.relation
        return _derived(self.middle)


def united(left: Relation, right: Relation, by_name: bool) -> Relation:
    """A UNION: columns joined by position, or by name where not all of them are known."""
    if left.is_open() or right.is_open():
        placed = None if by_name else _aligned(left, right)
        return placed if placed is not None else _by_name(left, right)
    result = Derived()
    if by_name:  # a next UNION may go by position again
        for name, origins in SetResult([left, right]).star():
            result.add(name, origins)
        return result
    others = right.star()
    for position, (name, origins) in enumerate(left.star()):
        if position < len(others):
            origins = origins | others[position][1]
        result.add(name, origins)
        inner = left.fields_of(name.casefold())
        if inner is not None and position < len(others):
            other = right.fields_of(others[position][0].casefold())
            if other is not None:
                result.structs[name.casefold()] = united(inner, other, False)
    return result


def _by_name(left: Relation, right: Relation) -> SetResult:
    branches = [*left.branches] if isinstance(left, SetResult) else [left]
    return SetResult([*branches, right])


def _aligned(left: Relation, right: Relation) -> Derived | None:
    """Columns before a lone star joined from the front, those after it from the end."""
    if not isinstance(left, Derived) or not isinstance(right, Derived):
        return None
    if len(left.items) == len(left.rests) or len(right.items) == len(right.rests):
        return None  # nothing but stars
    first, second = _branch(left), _branch(right)
    if first is None or second is None:
        return None
    before = min(len(first.head), len(second.head))
    after = min(len(first.tail), len(second.tail))
    if not before and not after:
        return None
    first.narrowed(before, after)
    second.narrowed(before, after)
    middle = _by_name(first.relation(), second.relation())
    head = _paired(first.head, second.head)
    result = _derived([*head, Rest(middle), *_paired(first.tail, second.tail)])
    result.in_place = True
    return result


def _paired(
    left: list[tuple[str, Origins]], right: list[tuple[str, Origins]]
) -> list[tuple[str, Origins]]:
    both = zip(left, right, strict=True)
    return [(name, origins | others) for (name, origins), (_, others) in both]


def _derived(items: list[Item]) -> Derived:
    result = Derived()
    for item in items:
        if isinstance(item, Rest):
            result.pass_on(item)
        else:
            result.add(*item)
    return result


def _branch(relation: Derived) -> Branch | None:
    """The columns around the star; None where there are stars at several places, or too many."""
    items = _flat(relation, frozenset())
    if items is None:
        return None
    stars = [position for position, item in enumerate(items) if isinstance(item, Rest)]
    if not stars or stars[-1] - stars[0] + 1 != len(stars):
        return None
    named = [item for item in items if not isinstance(item, Rest)]
    middle = list[Item](items[stars[0] : stars[-1] + 1])
    return Branch(named[: stars[0]], middle, named[stars[0] :])


def _flat(relation: Derived, hidden: frozenset[str]) -> list[Item] | None:
    """The columns with those of the queries that a star passes on; None where places are unsure."""
    if not relation.in_place:
        return None
    items: list[Item] = []
    for item in relation.items:
        if not isinstance(item, Rest):
            if item[0].casefold() not in hidden:
                items.append(item)
            continue
        rest = Rest(item.relation, item.hidden | hidden) if hidden else item
        inner = _flat(rest.relation, rest.hidden) if isinstance(rest.relation, Derived) else None
        items.extend([rest] if inner is None else inner)
        if len(items) > MAX_ITEMS:
            return None
    return items
