"""Hostile texts of many families in every dialect: what each costs, and whether it is bounded.

    python benchmarks/hostile.py [--largest 4096] [--dialect bigquery ...] [--light]

A family is a text with something nested, chained or repeated n times. n doubles until the text is
given up twice or is over a megabyte. Printed are the dearest texts of each dialect; the exit code
is 1 if one took over two seconds of processor time (the reading process's with its worker's), or
raised, or failed. `--light` takes of each family the largest text that is read within the process
itself, which shows that `bounds.is_light` is strict enough.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hex_assets.lineage.engine import bounds
from hex_assets.lineage.engine.worker import WORKER
from hex_assets.lineage.sql import extract

DIALECTS = (
    "snowflake bigquery redshift databricks athena trino clickhouse mysql postgres duckdb tsql"
).split()
LIMIT_SECONDS = 2.0
CALLS = (
    "f struct tuple row array coalesce if date_add array_agg group_concat count sum decode concat "
    "json_object list map date timestamp char varchar decimal left replace format match exists any "
    "not unnest flatten table transform reduce columns convert xmlelement position values rollup"
).split()
BEFORE = (
    "- + ~ not ! @ distinct prior date timestamp case select all array struct binary :: from with "
    "lateral table if null as end begin is in between like over union ? : :a @a #a {{ * ` = || -> "
    "=> |> pivot( unpivot( window interval"
).split()
AFTER = (
    "+ a|and a|or a|= a|< a|in (a)|like a|between a and b|is null|at time zone 'x'|collate x|:: int"
    "|as x|b|ilike any (a)|-> a|->> 'b'|?? a|over w|filter (where a)|within group (order by a)"
    "|ignore nulls|is distinct from a|:b|[0]|.b|(a)|[1:2]|->'b'|#>'b'"
).split("|")
# before, after, core: what is around the core n times, in an expression.
EXPRESSIONS = {
    "parentheses": ("(", ")", "a"),
    "sums": ("(1 + ", ")", "a"),
    "tuples": ("(", ", b)", "a"),
    "aliased": ("struct(", " as x)", "a"),
    "never closed": ("(", "", "a"),
    "calls never closed": ("date(", "", "a"),
    "brackets": ("[", "]", "a"),
    "braces": ("{'a': ", "}", "1"),
    "braces never closed": ("{'a': ", "", "1"),
    "indexes": ("a[", "]", "0"),
    "cases": ("case when a then ", " end", "b"),
    "conditions": ("case when ", " then b end", "a"),
    "cases never closed": ("case when a then ", "", "b"),
    "casts": ("cast(", " as int)", "a"),
    "casts never closed": ("cast(", "", "a"),
    "lambdas": ("x -> ", "", "a"),
    "lambda calls": ("arrayMap(x -> ", ", a)", "x"),
    "named": ("f(x => ", ")", "a"),
    "windows": ("sum(a) over (partition by ", ")", "b"),
    "window arguments": ("sum(", ") over (partition by b)", "a"),
    "filters": ("sum(", ") filter (where b)", "a"),
    "intervals": ("interval (", ") day", "1"),
    "extracts": ("extract(day from ", ")", "a"),
    "scalar queries": ("(select ", " from u)", "a"),
    "array queries": ("array(select ", " from u)", "a"),
    "ternaries": ("(a ? ", " : c)", "b"),
    "parametric calls": ("quantile(0.5)(", ")", "a"),
}
# The same in FROM.
SOURCES = {
    "queries": ("(select * from ", ") x", "t"),
    "queries without alias": ("(select * from ", ")", "t"),
    "parentheses in FROM": ("(", ")", "t"),
    "joins in parentheses": ("(", " join u on a = b)", "t"),
    "laterals": ("(select * from u, lateral ", ") x", "(select 1) y"),
    "joins without ON": ("u join ", "", "t"),
    "left joins without ON": ("u left join ", "", "t"),
    "joins with ON behind": ("u join ", " on a = b", "t"),
    "joins with USING behind": ("u join ", " using (a)", "t"),
    "joins": ("", " join u on a = b", "t"),
    "natural joins": ("", " natural join u", "t"),
    "commas": ("", ", u", "t"),
    "array joins": ("", " array join a as b", "t"),
    "lateral views": ("", " lateral view explode(a) x as y", "t"),
    "applies": ("(select * from u cross apply ", ") x", "t"),
    "unnests": ("", ", unnest(a) x", "t"),
    "pivots": ("", " pivot (sum(a) for b in ('x'))", "t"),
    "pivoted queries": ("(select * from ", ") pivot (sum(a) for b in ('x'))", "t"),
    "unpivots": ("", " unpivot (a for b in (c, d))", "t"),
    "matches": ("", " match_recognize (pattern (x+) define x as a > 1)", "t"),
    "pipes": ("", " |> select a", "t"),
}
# The same as a whole text.
STATEMENTS = {
    "unions in parentheses": ("(", " union all select a from u)", "select a from t"),
    "WITH in WITH": ("with c as (", ") select * from c", "select a from t"),
    "blocks": ("begin ", " end", "select a from t"),
    "branches": ("if exists (select 1 from u) begin ", " end", "select a from t"),
    "no semicolons": ("select a from u ", "", "select a from t"),
    "broken": ("select a from u where where;", "", "select a from t"),
    "declarations": ("declare @x int = (select a from u) ", "", "select a from t"),
    "quotes": ("do $a$ ", "", "select a from t"),
    "template never closed": ("{{ a ", "", "select a from t"),
    "CTE never closed": ("with x, a ( ", "", "select a from t"),
    "types": ("create table x (c struct<a ", ">)", "int"),
    "labels": ("-- Hex query metadata: {x\n", "", "select a from t"),
}
DEFINED = {
    "stars of stars": "select x.*, y.* from {0} x, {0} y",
    "joins of itself": "select * from {0} x join {0} y using (a)",
    "unions of itself": "select * from {0} union all select * from {0}",
    "sums of itself": "select a + b as a, a - b as b from {0}",
}


def families() -> dict[str, Callable[[int], str]]:
    """Texts by name and size."""
    wrapped = [(f"{call}(", ")", f"calls of {call}") for call in CALLS]
    wrapped += [(f"{word} ", "", f"before: {word}") for word in BEFORE]
    wrapped += [("", f" {word}", f"after: {word}") for word in AFTER]
    found: dict[str, Callable[[int], str]] = {}
    for before, after, name in wrapped:
        found[name] = _nested("select ", before, "a", after, " from t")
    for name, (before, after, core) in EXPRESSIONS.items():
        found[name] = _nested("select ", before, core, after, " from t")
    for name, (before, after, core) in SOURCES.items():
        found[name] = _nested("select * from ", before, core, after, "")
    for name, (before, after, core) in STATEMENTS.items():
        found[name] = _nested("", before, core, after, "")
    for name, query in DEFINED.items():
        found[name] = _defined(query)
    return found


def _nested(start: str, before: str, core: str, after: str, end: str) -> Callable[[int], str]:
    return lambda n: start + before * n + core + after * n + end


def _defined(query: str) -> Callable[[int], str]:
    """CTEs of which each reads the one before."""

    def text(n: int) -> str:
        steps = "".join(f", c{i + 1} as ({query.format(f'c{i}')})" for i in range(n))
        return f"with c0 as (select * from t){steps} select a from c{n}"

    return text


def worker_seconds() -> float:
    """Processor time of the worker that runs now; 0 where the system does not tell."""
    process = WORKER._process
    stat = Path(f"/proc/{process.pid}/stat") if process is not None else None
    if stat is None or not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(text: str, dialect: str) -> tuple[float, str | None]:
    """Seconds of processor time, and the reason or what was raised."""
    start, before, ended = time.process_time(), worker_seconds(), os.times().children_user
    process = WORKER._process
    try:
        reason = extract(text, dialect).reason
    except Exception as error:  # what is looked for
        reason = f"raised {error!r}"
    seconds = time.process_time() - start
    if WORKER._process is process:
        seconds += worker_seconds() - before
    else:  # it was ended, or is new
        seconds += max(os.times().children_user - ended - before, 0) + worker_seconds()
    return seconds, reason


def is_light(text: str, dialect: str) -> bool:
    """Whether a text is read within the process."""
    read = WORKER.read

    def heavy(*_: object) -> None:
        raise bounds.Heavy

    WORKER.read = heavy  # type: ignore[method-assign,assignment]
    try:
        extract(text, dialect)
    except bounds.Heavy:
        return False
    finally:
        WORKER.read = read  # type: ignore[method-assign]
    return True


def sizes(largest: int, make: Callable[[int], str]) -> Iterator[int]:
    """Doubling sizes of texts of at most a megabyte."""
    n = 1
    while n <= largest and len(make(n)) < 1_000_000:
        yield n
        n *= 2


def run(dialect: str, largest: int, light: bool) -> list[tuple[float, str, int, str | None]]:
    """The dearest text of each family: seconds, family, size, reason."""
    found = []
    extract("select date(" * 20, dialect)  # the worker and its tables are started once
    for name, make in families().items():
        dearest: tuple[float, str, int, str | None] = (0.0, name, 0, None)
        given_up = 0
        for n in sizes(largest, make):
            if light and not is_light(make(n), dialect):
                break
            seconds, reason = measured(make(n), dialect)
            failed = str(reason).startswith(("raised", "internal"))
            if failed or seconds > dearest[0]:
                dearest = (seconds, name, n, reason)
            given_up += reason == "gave_up"
            if failed or given_up == 2:
                break
        found.append(dearest)
    return found


def main() -> int:
    """Prints the dearest families of each dialect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=4096)
    parser.add_argument("--dialect", nargs="*", default=DIALECTS)
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    bad = 0
    for dialect in options.dialect:
        found = sorted(run(dialect, options.largest, options.light), key=lambda item: -item[0])
        wrong = [
            item
            for item in found
            if item[0] > LIMIT_SECONDS or str(item[3]).startswith(("raised", "internal"))
        ]
        bad += len(wrong)
        print(f"{dialect}: {len(found)} families, {len(wrong)} over the limit or failed")
        for seconds, name, n, reason in [*wrong, *[i for i in found if i not in wrong][:4]]:
            print(f"   {seconds:5.2f} s  {name} x {n:,}  {reason or 'understood'}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
