"""Asks databases about many random queries, and shows where the lineage engine says otherwise.

    python benchmarks/agree.py postgres|duckdb|clickhouse|guesses|changes
                               [--count 5000] [--start 100000] [--show 10] [--run]

The queries are those of `hex_assets_tests/lineage/agreement`; each seed is one query. `guesses`
asks PostgreSQL and gives the engine no catalog; `changes` asks it about INSERT, UPDATE and DELETE.
`--run` has PostgreSQL run the queries, too.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from rich.console import Console

from hex_assets_tests.lineage.agreement import clickhouse, duckdb, postgres, statements
from hex_assets_tests.lineage.agreement.compare import differences, guesses
from hex_assets_tests.lineage.agreement.queries import (
    CLICKHOUSE,
    DUCKDB,
    POSTGRES,
    QUALIFIED,
    Queries,
    Query,
)
from hex_assets_tests.lineage.agreement.verdicts import Verdict

GRAMMARS = {
    "postgres": POSTGRES,
    "duckdb": DUCKDB,
    "clickhouse": CLICKHOUSE,
    "guesses": QUALIFIED,
}
BATCH = 300


def verdicts_of(judge: str, queries: list[Query], run: bool) -> list[Verdict]:
    if judge == "duckdb":
        return duckdb.ask(duckdb.judge(), queries)
    if judge == "clickhouse":
        return clickhouse.ask(clickhouse.judge(), queries)
    found = []
    with postgres.judge() as connection:
        for start in range(0, len(queries), BATCH):
            found += postgres.ask(connection, queries[start : start + BATCH], run=run)
    return found


def changes(start: int, count: int, show: int, console: Console) -> None:
    made = [
        statements.Statements(seed, POSTGRES).statement() for seed in range(start, start + count)
    ]
    with postgres.judge() as connection:
        taken = statements.ask(connection, made)
    different = [(one.text, found) for one in taken if (found := statements.differences(one))]
    console.print(f"changes: {count} statements, {len(taken)} valid, {len(different)} different")
    shown(different[:show], console)


def shown(different: list[tuple[str, list[str]]], console: Console) -> None:
    for text, found in different:
        console.print(f"\n{text}\n    " + "\n    ".join(found), markup=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("judge", choices=[*GRAMMARS, "changes"])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--start", type=int, default=100_000)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--run", action="store_true")
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    if given.judge == "changes":
        changes(given.start, given.count, given.show, console)
        return
    grammar = GRAMMARS[given.judge]
    seeds = range(given.start, given.start + given.count)
    begun = time.monotonic()
    verdicts = verdicts_of(given.judge, [Queries(s, grammar).one() for s in seeds], given.run)
    taken = [verdict for verdict in verdicts if not verdict.error]
    asked = time.monotonic() - begun
    kinds: Counter[str] = Counter()
    different: list[tuple[str, list[str]]] = []
    for verdict in taken:
        if given.judge == "guesses":
            found = guesses(verdict, "postgres")
        else:
            found = differences(verdict, given.judge)
        kinds.update(kind.split(":")[0].split(" ")[0] for kind in found)
        if found:
            different.append((verdict.query.text, found))
    console.print(
        f"{given.judge}: {len(verdicts)} queries, {len(taken)} valid, "
        f"{sum(bool(verdict.arrived) for verdict in taken)} with values that arrived; "
        f"{len(different)} different {dict(kinds)}; "
        f"{asked:.0f} s of the database, {time.monotonic() - begun - asked:.0f} s of the engine"
    )
    shown(sorted(different, key=lambda item: len(item[0]))[: given.show], console)


if __name__ == "__main__":
    main()
