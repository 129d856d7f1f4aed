"""A seeded generator of valid queries over a few tables of texts.

Every column is a text, so that any expression fits anywhere. Names repeat on purpose: CTEs are
called as tables are, aliases as aliases further out, outputs as inputs. What a query may name is
tracked, so that nearly every text is valid; the judge says which are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

TABLES = {
    "a": ("id", "name", "city", "k"),
    "b": ("id", "amount", "k", "note"),
    "c": ("cid", "kind", "label"),
    "d": ("k", "x", "y"),
    "other.a": ("id", "extra", "name"),
    "other.f": ("fid", "k", "v"),
}
CTES = ("a", "b", "c", "q", "r", "base")
OUTPUTS = ("id", "name", "k", "x", "o1", "o2", "o3", "label")
DEEPEST = 3


@dataclass(frozen=True)
class Grammar:
    """What a database understands of what the generator writes."""

    name: str
    lateral: bool = True
    """LATERAL, and whole rows, DISTINCT ON, WITH RECURSIVE, NATURAL and the like of PostgreSQL."""
    own: bool = False
    """What only PostgreSQL has."""
    correlated: bool = True
    plain_outer: bool = True
    """Whether a column of a query around may stand without a qualifier, and a star in a UNION:
    without a catalog the engine takes a column for one of the query at hand, and joins branches
    by name."""
    duplicates: bool = False
    """Whether a subquery may give two columns of one name."""
    early_aliases: bool = False
    """Whether an alias is known in the rest of its SELECT: there it never hides a column."""
    aliases: tuple[str, ...] = ("a", "b", "t", "u", "v", "w", "s1", "s2", "s3")
    """Names for relations; in ClickHouse no table's, since `d a, a x` is `d a, d x` there."""


POSTGRES = Grammar("postgres", own=True, duplicates=True)
QUALIFIED = Grammar("postgres", own=True, duplicates=True, plain_outer=False)
DUCKDB = Grammar("duckdb", early_aliases=True)
CLICKHOUSE = Grammar(
    "clickhouse",
    lateral=False,
    correlated=False,
    early_aliases=True,
    aliases=("t", "u", "v", "w", "s1", "s2", "s3"),
)


@dataclass
class Item:
    """One relation of a FROM clause: its name there, and its columns."""

    name: str
    columns: list[str]
    is_table: bool = False


@dataclass
class Frame:
    """The relations that one SELECT may name, and those of the queries around it."""

    items: list[Item] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    """Columns of USING and NATURAL, which are one column without a qualifier."""
    outer: Frame | None = None
    begun: int = 0
    """The first relation since the last comma: a JOIN's condition knows none before it."""

    def counted(self, name: str) -> int:
        """How many columns of the name there are without a qualifier."""
        whole = sum(item.columns.count(name) for item in self.items)
        return 1 if name in self.merged and whole else whole

    def names(self) -> list[str]:
        """References to columns that mean one column only."""
        found = []
        for item in self.items:
            for column in item.columns:
                if item.columns.count(column) == 1 and item.name:
                    found.append(f"{item.name}.{column}")
                if self.counted(column) == 1:
                    found.append(column)
        return found

    def outer_names(self) -> list[str]:
        """References to columns of the queries around that nothing in here hides."""
        found = []
        frame, hidden, shadowed = self.outer, {i.name for i in self.items}, set(self.all_columns())
        while frame is not None:
            for name in frame.names():
                qualifier, _, column = name.rpartition(".")
                plain = not qualifier and column not in shadowed | hidden
                if plain or (qualifier and qualifier not in hidden):
                    found.append(name)
            hidden |= {item.name for item in frame.items}
            shadowed |= set(frame.all_columns())
            frame = frame.outer
        return found

    def all_columns(self) -> list[str]:
        """The names of all columns, with repetitions."""
        return [column for item in self.items for column in item.columns]


Ctes = dict[str, list[str]]


@dataclass
class Query:
    """A query's text and the names of its output columns."""

    text: str
    columns: list[str]
    rows: bool = False
    """Whether it uses whole rows, which depend on a table and on none of its columns."""


class Queries:
    """Random queries: the same ones for a seed."""

    def __init__(self, seed: int, grammar: Grammar) -> None:
        self.random = random.Random(f"{grammar.name} {seed}")
        self.grammar = grammar
        self.depth = 0
        self.rows = False
        self.recursions = 0
        self.sets = 0

    def one(self) -> Query:
        """The next query."""
        self.depth, self.rows, self.recursions = 0, False, 0
        query = self.query({}, None, self.random.randint(1, 4))
        query.rows = self.rows
        return query

    def chance(self, share: float) -> bool:
        """Whether something that happens so often happens now."""
        return self.random.random() < share

    def pick(self, *options: str) -> str:
        """One of several texts."""
        return self.random.choice(options)

    # Queries

    def query(self, ctes: Ctes, outer: Frame | None, width: int) -> Query:
        """WITH, a SELECT or a set operation, ORDER BY and LIMIT."""
        self.depth += 1
        try:
            head = ""
            if self.chance(0.45 if self.depth == 1 else 0.15) and self.depth < DEEPEST:
                head, ctes = self.with_clause(ctes, outer)
            if self.chance(0.15) and self.depth < DEEPEST:
                body = self.set_operation(ctes, outer, width)
            else:
                body = self.select(ctes, outer, width)
            return Query(head + body.text, body.columns)
        finally:
            self.depth -= 1

    def with_clause(self, ctes: Ctes, outer: Frame | None) -> tuple[str, Ctes]:
        """One to three CTEs; each may read the ones before it, and a table of its own name."""
        ctes = dict(ctes)
        recursive = self.chance(0.2) and self.grammar.lateral
        parts: list[str] = []
        made: set[str] = set()
        for _ in range(self.random.randint(1, 3)):
            self.recursions += 1
            free = [name for name in CTES if name not in made]
            name = f"rec{self.recursions}" if recursive else self.random.choice(free)
            made.add(name)
            if recursive and self.chance(0.6):
                text, columns = self.recursion(name, ctes)
                parts.append(text)
                ctes[name] = columns
                continue
            inner = self.query(ctes, outer if self.grammar.lateral else None, self.width())
            columns, listed = inner.columns, ""
            if self.chance(0.25) and self.grammar.name != "clickhouse":
                columns = self.fresh(len(columns))
                listed = f" ({', '.join(columns)})"
            kind = self.pick("", "", "materialized ", "not materialized ") if self.own() else ""
            parts.append(f"{name}{listed} as {kind}({inner.text})")
            ctes[name] = columns
        return f"with {'recursive ' if recursive else ''}{', '.join(parts)} ", ctes

    def recursion(self, name: str, ctes: Ctes) -> tuple[str, list[str]]:
        """A recursive CTE: how deep it is, and two values that each step may change."""
        anchor, step = Frame(), Frame([Item(name, ["n", "p", "q"])])
        start = self.from_clause(anchor, ctes)
        more = self.from_item(step, ctes, tables_only=True)
        values = [self.value(anchor, ctes, simple=True) for _ in range(2)]
        next_values = [self.value(step, ctes, simple=True) for _ in range(2)]
        return (
            f"{name} (n, p, q) as (select '1', {', '.join(values)} from {start} union all "
            f"select {name}.n || '1', {', '.join(next_values)} from {name}, {more} "
            f"where length({name}.n) < 3)",
            ["n", "p", "q"],
        )

    def set_operation(self, ctes: Ctes, outer: Frame | None, width: int) -> Query:
        """Two or three queries of one width; the names are those of the first."""
        if not self.grammar.plain_outer:
            width = max(width, 1)
        self.sets += 1
        try:
            return self.united(ctes, outer, width)
        finally:
            self.sets -= 1

    def united(self, ctes: Ctes, outer: Frame | None, width: int) -> Query:
        """The queries of a set operation, and its ORDER BY."""
        first = self.select(ctes, outer, width, tail=False)
        text = first.text
        for _ in range(self.random.randint(1, 2)):
            other = self.query if self.chance(0.3) else self.select
            right = other(ctes, outer, len(first.columns)).text
            if self.grammar.name == "clickhouse":
                operator = self.pick("union all", "union distinct")
            else:
                operator = self.pick("union all", "union", "intersect", "except", "union all")
            text += f" {operator} ({right})"
        if self.chance(0.4) and self.grammar.name != "clickhouse":
            text += f" order by {self.ordered_output(first.columns)}"
        return Query(text, first.columns)

    def ordered_output(self, columns: list[str]) -> str:
        """An output column by its position or its name."""
        position = self.random.randrange(len(columns))
        name = columns[position]
        by_name = columns.count(name) == 1 and name.isidentifier() and self.chance(0.5)
        return (name if by_name else str(position + 1)) + self.pick("", " desc")

    def select(self, ctes: Ctes, outer: Frame | None, width: int, tail: bool = True) -> Query:
        """A SELECT of a number of columns; stars stand where the number fits or is free."""
        frame = Frame(outer=outer)
        start = self.from_clause(frame, ctes)
        if self.chance(0.25):
            return self.grouped(frame, start, ctes, width, tail)
        free = self.depth == 1 or width == 0
        fits = self.chance(0.25) if free else len(frame.all_columns()) == width
        if fits and (self.grammar.plain_outer or not self.sets):
            starred = self.starred(frame, start, ctes, tail)
            if starred is not None:
                return starred
        values, columns = self.outputs(frame, ctes, max(width, 1))
        where = self.where(frame, ctes)
        distinct, order = "", ""
        if self.chance(0.15):
            distinct = "distinct "
            if self.grammar.lateral and self.chance(0.5):
                keys = [self.value(frame, ctes, simple=True)]
                distinct = f"distinct on ({', '.join(keys)}) "
                order = f" order by {keys[0]}, {self.value(frame, ctes, simple=True)}"
            elif tail and self.chance(0.3):
                order = f" order by {self.ordered_output(columns)}"
        elif tail and self.chance(0.3):
            order = self.order(frame, ctes, columns)
        limit = self.pick("", " limit 50", " limit 50 offset 0") if tail else ""
        window = ""
        if "over w9" in "".join(values) + order:
            key, then = self.reference(frame), self.reference(frame)
            window = f" window w9 as (partition by {key} order by {then})"
        order = order if tail or distinct.startswith("distinct on") else ""
        text = f"select {distinct}{', '.join(values)} from {start}{where}{window}"
        if order and not tail:
            return Query(f"({text}{order})", columns)
        return Query(f"{text}{order}{limit}", columns)

    def starred(self, frame: Frame, start: str, ctes: Ctes, tail: bool) -> Query | None:
        """`select *`, `select t.*, ...`; None where two columns of one name would come out."""
        where = self.where(frame, ctes)
        if self.chance(0.4):
            item = self.random.choice(frame.items)
            columns, stars = list(item.columns), f"{item.name}.*"
        else:
            columns = []
            for column in frame.all_columns():
                if not (column in frame.merged and column in columns):
                    columns.append(column)
            stars = "*"
        if frame.merged and stars == "*":
            return None if not self.own() else Query(f"select * from {start}{where}", columns)
        if len(set(columns)) < len(columns) and not self.grammar.duplicates:
            return None
        if self.depth == 1 and self.chance(0.3):
            name = f"more{self.random.randint(1, 9)}"
            stars += f", {self.value(frame, ctes)} as {name}"
            columns.append(name)
            if "over w9" in stars:
                return None
        order = f" order by {self.ordered_output(columns)}" if tail and self.chance(0.2) else ""
        return Query(f"select {stars} from {start}{where}{order}", columns)

    def grouped(self, frame: Frame, start: str, ctes: Ctes, width: int, tail: bool) -> Query:
        """GROUP BY of plain columns by name, position or alias, or aggregates of all rows."""
        width = max(width, 1)
        keys = [self.reference(frame) for _ in range(self.random.randint(0, min(2, width)))]
        values, columns, by = [], [], []
        for position, key in enumerate(keys, 1):
            alias = self.output(frame, columns) if self.chance(0.5) else ""
            columns.append(alias or self.name_of(key, columns))
            values.append(key if key == columns[-1] else f"{key} as {columns[-1]}")
            if alias and frame.counted(alias) == 0 and self.chance(0.4):
                by.append(alias)
            else:
                by.append(self.pick(key, key, str(position)))
        while len(values) < width:
            columns.append(self.output(frame, columns))
            values.append(f"{self.aggregate(frame, ctes)} as {columns[-1]}")
        where = self.where(frame, ctes)
        group = ""
        if by:
            plain = ", ".join(by)
            group = f" group by {plain}"
            if not any(part.isdigit() for part in by) and self.grammar.lateral:
                group = self.pick(
                    group,
                    group,
                    f" group by rollup ({plain})",
                    f" group by cube ({plain})",
                    f" group by grouping sets (({plain}), ())",
                )
        having = ""
        if self.chance(0.3):
            having = f" having {self.aggregate(frame, ctes)} {self.pick('<>', '>=')} 'q'"
        order = ""
        if tail and self.chance(0.3):
            position = self.random.randrange(len(columns))
            choices = [str(position + 1), self.aggregate(frame, ctes)]
            order = f" order by {self.random.choice(choices)}"
        return Query(
            f"select {', '.join(values)} from {start}{where}{group}{having}{order}", columns
        )

    def outputs(self, frame: Frame, ctes: Ctes, width: int) -> tuple[list[str], list[str]]:
        """Output columns: plain ones without an alias, others with one."""
        values: list[str] = []
        columns: list[str] = []
        for _ in range(width):
            value = self.reference(frame) if self.chance(0.45) else self.value(frame, ctes)
            name = value.rpartition(".")[2]
            plain = value.replace(".", "").isidentifier() and name not in columns
            if "." in value and self.grammar.name == "clickhouse":
                plain = False  # in a join, its name may become `t.name`
            if plain and self.chance(0.6):
                columns.append(name)
                values.append(value)
                continue
            columns.append(self.output(frame, columns))
            values.append(f"{value} {self.pick('as ', 'as ', '')}{columns[-1]}")
        return values, columns

    def order(self, frame: Frame, ctes: Ctes, columns: list[str]) -> str:
        """ORDER BY of an output column, or of anything that the query may name."""
        if self.chance(0.5):
            return f" order by {self.ordered_output(columns)}"
        taken = {column for column in columns}
        value = self.value(frame, ctes, simple=True)
        if value in taken:  # the output column of that name is meant, if there is but one
            return ""
        return f" order by {value}{self.pick('', ' desc', ' nulls last')}"

    # FROM

    def from_clause(self, frame: Frame, ctes: Ctes) -> str:
        """One to four relations with joins of all kinds."""
        text = self.from_item(frame, ctes)
        most = 3 if self.depth == 1 else 1
        for _ in range(self.random.choice((0, 0, 1, 1, 2, most))):
            text = self.joined(text, frame, ctes)
        return text

    def joined(self, text: str, frame: Frame, ctes: Ctes) -> str:
        """The relations so far and one more."""
        kind = self.random.random()
        if kind < 0.12 and self.grammar.name != "clickhouse":
            begun = len(frame.items)
            added = self.from_item(frame, ctes, lateral=True)
            frame.begun = begun
            return f"{text}, {added}"
        if kind < 0.22:
            return f"{text} cross join {self.from_item(frame, ctes, lateral=True)}"
        count, before = len(frame.items), frame.items[frame.begun :]
        right = self.from_item(frame, ctes, lateral=False)
        added = frame.items[count:]
        if len(added) == 1 and kind < 0.5:
            left = Frame(before, frame.merged)
            shared = [
                c
                for c in added[0].columns
                if added[0].columns.count(c) == 1 and left.counted(c) == 1
            ]
            clear = all(left.counted(c) <= 1 for c in added[0].columns)
            once = len(set(added[0].columns)) == len(added[0].columns)
            if shared and clear and once and kind < 0.28 and self.grammar.lateral:
                frame.merged.extend(c for c in shared if c not in frame.merged)
                return f"{text} natural {self.pick('', 'left ', 'full ')}join {right}"
            if shared:
                name = self.random.choice(shared)
                if name not in frame.merged:
                    frame.merged.append(name)
                return (
                    f"{text} {self.pick('', 'left ', 'right ', 'full ')}join {right} using ({name})"
                )
        on = self.on(Frame(before), Frame(added), frame, ctes)
        if on.startswith("!"):
            return f"{text} full join {right} on {on[1:]}"
        return f"{text} {self.pick('', 'inner ', 'left ', 'right ')}join {right} on {on}"

    def on(self, left: Frame, right: Frame, frame: Frame, ctes: Ctes) -> str:
        """A join condition of both sides; with a mark where it also fits a FULL JOIN."""
        lefts = [n for n in left.names() if "." in n] or ["'v1'"]
        rights = [n for n in right.names() if "." in n] or ["'v1'"]
        equal = f"{self.random.choice(lefts)} = {self.random.choice(rights)}"
        if self.grammar.name == "clickhouse" or self.chance(0.6):
            full = "'v1'" not in equal and self.chance(0.2)
            return f"!{equal}" if full else equal
        whole = Frame([*left.items, *right.items], outer=frame.outer)
        return f"{equal} or {self.condition(whole, ctes, simple=self.chance(0.7))}"

    def from_item(
        self, frame: Frame, ctes: Ctes, lateral: bool = False, tables_only: bool = False
    ) -> str:
        """A table, CTE, subquery, VALUES, function or join in parentheses."""
        taken = {item.name for item in frame.items}
        free = [name for name in self.grammar.aliases if name not in taken]
        kind = self.random.random()
        nested = self.depth < DEEPEST and not tables_only
        if nested and kind < 0.22:
            return self.derived(frame, ctes, lateral, self.random.choice(free))
        if nested and kind < 0.27 and self.grammar.lateral:
            return self.values(frame, lateral and bool(frame.items), self.random.choice(free))
        if nested and kind < 0.34 and self.own():
            return self.produced(frame, lateral, self.random.choice(free))
        if nested and kind < 0.40 and self.own():
            return self.parenthesised(frame, ctes, self.random.choice(free))
        usual = [name for name in ctes if self.chance(0.5)]
        name = self.random.choice(usual or list(TABLES))
        columns = list(ctes[name] if name in ctes else TABLES[name])
        written, alias = name, name.rpartition(".")[2]
        if name not in ctes and "." not in name and self.own() and self.chance(0.15):
            written = f"public.{name}"
        elif name in ctes and name in TABLES and self.own() and self.chance(0.3):
            written, columns = f"public.{name}", list(TABLES[name])
        if self.chance(0.55) or alias in taken:
            alias = self.random.choice(free)
            written += f" {self.pick('as ', '')}{alias}"
            if self.chance(0.15) and self.grammar.lateral:
                names = self.fresh(self.random.randint(1, len(columns)))
                columns = names + columns[len(names) :]
                written += f" ({', '.join(names)})"
        frame.items.append(Item(alias, columns, is_table=True))
        return written

    def derived(self, frame: Frame, ctes: Ctes, lateral: bool, alias: str) -> str:
        """A subquery; a lateral one may read what stands before it."""
        lateral = lateral and self.grammar.lateral and bool(frame.items) and self.chance(0.6)
        outer = (
            Frame(list(frame.items), list(frame.merged), frame.outer) if lateral else frame.outer
        )
        inner = self.query(ctes, outer, self.width())
        columns, listed = inner.columns, ""
        if self.chance(0.2) and self.grammar.lateral:
            columns = self.fresh(len(columns))
            listed = f" ({', '.join(columns)})"
        frame.items.append(Item(alias, columns))
        return (
            f"{'lateral ' if lateral else ''}({inner.text}) {self.pick('as ', '')}{alias}{listed}"
        )

    def values(self, frame: Frame, lateral: bool, alias: str) -> str:
        """VALUES with constants, and lateral ones with columns."""
        lateral = lateral and self.own()
        rows = [["'v1'", "'v2'"], ["'v2'", "'v3'"]]
        if lateral:
            for row in rows:
                row[self.random.randrange(2)] = self.reference(frame)
        columns = self.fresh(2)
        text = ", ".join(f"({', '.join(row)})" for row in rows)
        frame.items.append(Item(alias, columns))
        return f"{'lateral ' if lateral else ''}(values {text}) as {alias} ({', '.join(columns)})"

    def produced(self, frame: Frame, lateral: bool, alias: str) -> str:
        """Rows that a function makes of constants or of columns before it."""
        can = lateral and bool(frame.items)
        first, second = (self.reference(frame) if can else "'v1'" for _ in range(2))
        kind = self.random.randrange(5)
        if kind == 0:
            frame.items.append(Item(alias, ["z1"]))
            return f"unnest(array[{first}, {second}]) as {alias} (z1)"
        if kind == 1:
            frame.items.append(Item(alias, [alias]))
            return f"string_to_table({first}, '!') {alias}"
        if kind == 2:
            frame.items.append(Item(alias, ["z1"]))
            ordinal = f"with ordinality as {alias} (z1, n1)"
            return f"lateral unnest(array[{first}, {second}]) {ordinal}"
        if kind == 3:
            frame.items.append(Item(alias, ["z1", "z2"]))
            calls = f"unnest(array[{first}]), unnest(array[{second}])"
            return f"rows from ({calls}) as {alias} (z1, z2)"
        frame.items.append(Item(alias, ["z1", "z2"]))
        return f"unnest(array[{first}], array[{second}]) as {alias} (z1, z2)"

    def parenthesised(self, frame: Frame, ctes: Ctes, alias: str) -> str:
        """A join in parentheses; with an alias its own names are hidden."""
        inner = Frame(outer=frame.outer)
        named = self.chance(0.5)
        if not named:
            inner.items = list(frame.items)
        count = len(inner.items)
        left = self.from_item(inner, ctes, tables_only=True)
        right = self.from_item(inner, ctes, tables_only=True)
        items = inner.items[count:]
        lefts, rights = items[0].columns, items[1].columns
        shared = [c for c in lefts if c in rights and lefts.count(c) == rights.count(c) == 1]
        names = [[f"{item.name}.{c}" for c in item.columns] for item in items]
        merged, condition = "", "on true"
        if shared and named and self.chance(0.5):
            merged = self.random.choice(shared)
            condition = f"using ({merged})"
        elif all(item.columns.count(c) == 1 for item in items for c in item.columns):
            condition = f"on {self.random.choice(names[0])} = {self.random.choice(names[1])}"
        text = f"({left} {self.pick('', 'left ')}join {right} {condition})"
        if not named:
            frame.items.extend(items)
            return text
        columns = [c for c in lefts + rights if c != merged]
        frame.items.append(Item(alias, [merged, *columns] if merged else columns))
        return f"{text} as {alias}"

    # Expressions

    def where(self, frame: Frame, ctes: Ctes) -> str:
        """WHERE, or nothing."""
        return f" where {self.condition(frame, ctes)}" if self.chance(0.4) else ""

    def reference(self, frame: Frame) -> str:
        """A column, now and then of a query around."""
        names = frame.names()
        outer = frame.outer_names() if self.grammar.correlated else []
        if not self.grammar.plain_outer:
            outer = [name for name in outer if "." in name]
        if outer and (not names or self.chance(0.25)):
            return self.random.choice(outer)
        return self.random.choice(names or ["'v1'"])

    def value(self, frame: Frame, ctes: Ctes, simple: bool = False) -> str:
        """An expression that gives a text."""
        kind = self.random.random()
        ref = self.reference(frame)
        if kind < 0.2:
            return ref
        other = self.reference(frame)
        if kind < 0.3:
            return f"{ref} || {other}"
        if kind < 0.38:
            return f"coalesce({ref}, {other}, 'v1')"
        if kind < 0.45:
            return f"{self.pick('upper', 'lower', 'trim')}({ref})"
        if kind < 0.52:
            return f"nullif({ref}, 'v3')"
        if kind < 0.56 or simple:
            return f"concat({ref}, '/', {other})"
        if kind < 0.68:
            when = self.condition(frame, ctes, simple=True)
            return f"case when {when} then {ref} else {other} end"
        if kind < 0.80:
            return self.windowed(frame)
        if kind < 0.92 and self.depth < DEEPEST:
            return self.scalar(frame, ctes)
        if self.own():
            return self.of_postgres(frame, ref)
        return f"substring({ref}, 1, 40)"

    def windowed(self, frame: Frame) -> str:
        """A window function."""
        ref, key, then = (self.reference(frame) for _ in range(3))
        call = self.pick(f"max({ref})", f"min({ref})", f"first_value({ref})", f"lag({ref})")
        if self.grammar.name == "clickhouse":
            call = self.pick(f"max({ref})", f"min({ref})", f"first_value({ref})")
        if self.chance(0.15):
            number = f"row_number() over (partition by {key} order by {then})"
            return f"cast({number} as {self.text_type()})"
        if self.chance(0.2) and self.own() and "." in ref:
            return f"{call} over w9"
        return f"{call} over ({self.pick('', f'partition by {key} ')}order by {then})"

    def scalar(self, frame: Frame, ctes: Ctes) -> str:
        """A subquery that gives one value."""
        inner = Frame(outer=frame if self.grammar.correlated else None)
        self.depth += 1
        start = self.from_clause(inner, ctes)
        where = self.where(inner, ctes)
        value = self.value(inner, ctes, simple=True)
        self.depth -= 1
        if self.chance(0.7) or not self.grammar.correlated:
            own = [name for name in inner.names()]
            name = self.random.choice(own) if own else "'v1'"
            return f"(select {self.pick('max', 'min')}({name}) from {start}{where})"
        return f"(select {value} from {start}{where} order by 1 limit 1)"

    def of_postgres(self, frame: Frame, ref: str) -> str:
        """What only PostgreSQL has: whole rows, arrays, JSON."""
        other = self.reference(frame)
        tables = [item.name for item in frame.items if item.is_table]
        kind = self.random.randrange(5)
        if tables and kind < 2:
            table = self.random.choice(tables)
            if frame.counted(table) == 0:
                self.rows = True
                return self.pick(
                    f"{table}::text", f"row_to_json({table})::text", f"to_jsonb({table}.*)::text"
                )
        if kind == 2:
            return f"(array[{ref}, {other}])[1]"
        if kind == 3:
            return f"jsonb_build_object('p', {ref}, 'q', {other}) ->> 'p'"
        return f"row({ref}, {other})::text"

    def aggregate(self, frame: Frame, ctes: Ctes) -> str:
        """An aggregate that gives a text; its columns are of this query."""
        names = frame.names() or ["'v1'"]
        ref, other = self.random.choice(names), self.random.choice(names)
        call = self.pick("min", "max")
        kind = self.random.random()
        if kind < 0.2:
            counted = self.pick("count(*)", f"count({ref})", f"count(distinct {ref})")
            return f"cast({counted} as {self.text_type()})"
        if kind < 0.35 and self.grammar.lateral:
            return f"string_agg({ref}, ',' order by {other})"
        if kind < 0.5 and self.grammar.lateral:
            return f"{call}({ref}) filter (where {other} <> 'v2')"
        if kind < 0.6:
            return f"{call}({ref} || {other})"
        if kind < 0.7:
            return f"{call}(case when {ref} <> 'v3' then {other} end)"
        return f"{call}({ref})"

    def condition(self, frame: Frame, ctes: Ctes, simple: bool = False) -> str:
        """A condition; unless simple, perhaps with a subquery."""
        kind = self.random.random()
        ref, other = self.reference(frame), self.reference(frame)
        if kind < 0.3:
            return f"{ref} {self.pick('=', '<>', '<', '>=')} {other}"
        if kind < 0.4:
            return f"{ref} {self.pick('<>', '=')} 'v2'"
        if kind < 0.5:
            return f"{ref} like '%{self.pick('v', '1', '.')}%'"
        if kind < 0.6 or simple or self.depth >= DEEPEST:
            return f"{ref} is not null"
        if kind < 0.7:
            first, second = (self.condition(frame, ctes) for _ in range(2))
            return f"({first} {self.pick('and', 'or')} {second})"
        if kind < 0.85:
            inner = self.query(ctes, frame if self.grammar.correlated else None, 1)
            if len(inner.columns) != 1:
                return f"exists ({inner.text})"
            return f"{ref} {self.pick('in', 'not in')} ({inner.text})"
        inner = self.query(ctes, frame if self.grammar.correlated else None, self.width())
        return f"{self.pick('', 'not ')}exists ({inner.text})"

    # Names

    def own(self) -> bool:
        """Whether this is the database with everything."""
        return self.grammar.own

    def text_type(self) -> str:
        """The type of texts."""
        return "String" if self.grammar.name == "clickhouse" else "text"

    def width(self) -> int:
        """How many columns a subquery has; 0 leaves it free to be a star."""
        return self.random.choice((0, 1, 2, 2, 3))

    def fresh(self, count: int) -> list[str]:
        """Names for an alias list."""
        names = ["p", "q", "id", "k", "name", "z9", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8"]
        if count > len(names):
            return [f"m{number}" for number in range(count)]
        return self.random.sample(names, count)

    def name_of(self, reference: str, taken: list[str]) -> str:
        """The output name of a plain column; a fresh one where it is taken."""
        name = reference.rpartition(".")[2]
        if name.isidentifier() and name not in taken:
            return name
        return f"n{len(taken)}"

    def output(self, frame: Frame, taken: list[str]) -> str:
        """An alias that no other output has, often one that a column has."""
        free = [name for name in OUTPUTS if name not in taken]
        if self.grammar.early_aliases:
            free = [name for name in free if not frame_has(frame, name)]
        return self.random.choice(free) if free else f"o{len(taken) + 4}"


def frame_has(frame: Frame | None, name: str) -> bool:
    """Whether a name is a column or a relation here or further out."""
    while frame is not None:
        if name in frame.all_columns() or any(name == item.name for item in frame.items):
            return True
        frame = frame.outer
    return False
