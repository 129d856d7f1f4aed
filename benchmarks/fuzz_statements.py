"""Fuzzes the lineage engine with broken statements.

    python benchmarks/fuzz_statements.py [--count 100000] [--seed 1] [--cases FILE.jsonl ...]

Statements of the case files are cut, spliced, doubled and salted with words and signs that mean
something to a parser. Counted are uncaught errors, answers with the reason `internal`, and texts
that take over two seconds. The exit code is 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import random
import sys
import time
from collections import Counter

import yaml

from hex_assets.lineage.sql import extract

CASES = pathlib.Path(__file__).parents[1] / "hex_assets_tests" / "lineage" / "cases"
DIALECTS = (
    "snowflake bigquery redshift databricks athena trino clickhouse mysql postgres duckdb tsql"
).split()
SALT = (
    "( ) (( )) , ; . .. ' \" ` [ ] { } {{ }} {% $$ $1 @x #t :: := -> => |> * - -- /* */ \\ \0 é "
    "SELECT FROM WHERE JOIN LATERAL UNNEST PIVOT UNPIVOT WITH RECURSIVE AS UNION ALL INSERT INTO "
    "VALUES UPDATE SET DELETE MERGE USING WHEN MATCHED THEN CREATE TABLE VIEW TEMP CLONE COPY "
    "QUALIFY OVER PARTITION BY ORDER GROUP CASE END CAST INTERVAL NULL IN EXISTS NOT BETWEEN LIKE "
    "IF BEGIN DECLARE EXECUTE IMMEDIATE USE LOAD DATA EXPORT OUTPUT RETURNING FLATTEN STRUCT ARRAY"
).split(" ")


def seeds(files: list[pathlib.Path]) -> list[tuple[str, str]]:
    """Pairs of statement and dialect: this package's cases and those of the files."""
    found: list[tuple[str, str]] = []
    for path in sorted(CASES.glob("*.yaml")):
        if path.stem != "rejected":
            found += [(case["sql"], path.stem) for case in yaml.safe_load(path.read_text())]
    for path in files:
        for line in path.read_text().splitlines():
            case = json.loads(line)
            found.append((case["sql"], case["dialect"]))
    return found


def mutated(sql: str, other: str, rng: random.Random) -> str:
    """The statement after one to four changes."""
    words = sql.split(" ")
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(words) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            del words[at : at + rng.randint(1, 3)]
        elif kind == 1:
            words.insert(at, rng.choice(SALT))
        elif kind == 2:
            words[at : at + 1] = [rng.choice(SALT)]
        elif kind == 3:
            words[at:at] = other.split(" ")[: rng.randint(1, 20)]
        elif kind == 4:
            words = words[:at]
        elif kind == 5:
            words[at:at] = words[at : at + rng.randint(1, 6)] * rng.randint(1, 4)
        elif kind == 6 and words:
            word = words[at - 1]
            cut = rng.randrange(len(word) + 1)
            words[at - 1] = word[:cut] + rng.choice(SALT) + word[cut + 1 :]
        else:
            depth = rng.randint(1, 40)
            words[at:at] = ["("] * depth
            words += [")"] * rng.choice((depth, 0))
    return " ".join(words)


def fuzz(count: int, seed: int, texts: list[tuple[str, str]]) -> tuple[Counter[str], list[str]]:
    """Runs `count` fuzzed statements; reasons counted, and what must not be."""
    rng = random.Random(seed)
    reasons: Counter[str] = Counter()
    bad: list[str] = []
    for _ in range(count):
        sql, dialect = rng.choice(texts)
        text = mutated(sql, rng.choice(texts)[0], rng)
        used = dialect if rng.random() < 0.7 else rng.choice(DIALECTS)
        start = time.perf_counter()
        try:
            found = extract(text, used)
        except Exception as error:  # what is looked for
            bad.append(f"raised {error!r} [{used}] {text!r}")
            continue
        seconds = time.perf_counter() - start
        reasons[found.reason or "understood"] += 1
        if found.reason == "internal":
            bad.append(f"internal {found.error} [{used}] {text!r}")
        if seconds > 2:
            bad.append(f"{seconds:.1f} s [{used}] {text!r}")
    return reasons, bad


def main() -> int:
    """Prints the counts and the first findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", type=pathlib.Path, default=[])
    options = parser.parse_args()
    start = time.perf_counter()
    reasons, bad = fuzz(options.count, options.seed, seeds(options.cases))
    seconds = time.perf_counter() - start
    print(f"{options.count:,} statements in {seconds:.0f} s: {dict(reasons.most_common())}")
    print(f"{len(bad)} findings")
    for line in bad[:20]:
        print(" -", line[:1500])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
