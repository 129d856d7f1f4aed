"""Fuzzed comments and statements: no uncaught error, no contradiction, and what it took.

    python benchmarks/fuzz.py --comments 1000000 --statements 100000

A fuzzed text is an ordinary one with pieces put in, taken out, doubled or cut; the same seed
gives the same texts.
"""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from time import perf_counter

import click
import pyarrow as pa

from hex_assets.lineage import extract, parse_comment
from hex_assets.lineage.log import annotate_with_sql

PROJECT = "5f1c2c1e-3f0f-4b0a-9d1e-0123456789ab"
CELL = "6f1c2c1e-3f0f-4b0a-9d1e-0123456789ab"
FIELDS = {
    "categories": ["Sales", "Größe"],
    "cell_type": "SQL",
    "connection": "wh",
    "context": "SCHEDULED_RUN",
    "project_id": PROJECT,
    "project_name": 'A {b} "c" }} é 🚀 \\ \n',
    "project_url": f"https://app.hex.tech/acme/hex/{PROJECT}/draft/logic?selectedCellId={CELL}",
    "status": "In development",
    "trace_id": "0123456789abcdef0123456789abcdef",
    "user_email": "a@example.com",
}
TAG = f"-- Hex query metadata: {json.dumps(FIELDS)}"
STATEMENTS = (
    "SELECT 'it''s', \"--\" -- note\nFROM t /* x */",
    "WITH c AS (SELECT a, b FROM s.t WHERE k IN (1, 2)) SELECT * FROM c JOIN u USING (a)",
    "INSERT INTO s.o (x, y) SELECT a, max(b) FROM t GROUP BY a HAVING count(*) > 3",
    "MERGE INTO t USING (SELECT id, v FROM s) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 1",
    "SELECT a:b.c::string, f.value FROM t, LATERAL FLATTEN(input => t.x) f QUALIFY rank() = 1",
    "CREATE TABLE x AS SELECT `p.d.events_*`.a FROM `p.d.events_*` WHERE _TABLE_SUFFIX > '2026'",
)
DIALECTS = (
    *("snowflake", "bigquery", "redshift", "databricks", "trino", "clickhouse", "mysql"),
    *("postgres", "duckdb", "tsql", "athena"),
)
TAG_FIELDS = (
    *("project_id", "project_name", "cell_id", "context", "user_email", "connection", "trace_id"),
)
PIECES = (
    *"{}[]()\"'`\\\n\r\t:,;-*/#@$.\x00\ud800\u2028",
    *("--", "/*", "*/", "//", "''", '\\"', "\\u", "\\ud83d", "$$", "$ab$", "{{", "%}", "\r\n-- "),
    *("Hex query metadata:", TAG, "project_id", "null", "1e999", "NaN", "SELECT", " FROM ", "WITH"),
    *("(" * 50, "UNION ALL", "JOIN", "AS", "INTO", "VALUES", "FORMAT Native", "é", "\ufeff"),
)


def fuzzed(random: Random, text: str) -> str:
    """A text with one to six changes."""
    for _ in range(random.randrange(1, 7)):
        at = random.randrange(len(text) + 1)
        kind = random.random()
        if kind < 0.55:
            text = text[:at] + random.choice(PIECES) + text[at + random.randrange(0, 9) :]
        elif kind < 0.75:
            text = text[:at] + text[at + random.randrange(1, 40) :]
        elif kind < 0.9:
            end = at + random.randrange(1, 60)
            text = text[:end] + text[at:]
        else:
            text = text[:at]
    return text


def comment_problem(text: str, dialect: str) -> str | None:
    """What is wrong with the reading of a text, if anything."""
    try:
        comment = parse_comment(text, dialect)
    except Exception as error:  # the very thing that is looked for
        return f"{type(error).__name__}: {error}"
    if comment.status not in ("found", "cut", "malformed", "absent"):
        return f"status {comment.status}"
    if comment.status == "found" and not comment.project_id:
        return "found without a project"
    if comment.status == "absent" and comment.project_id:
        return "absent with a project"
    if len(comment.sql) > len(text):
        return "the SQL is longer than the text"
    return None


def statement_problem(text: str, dialect: str, limit_seconds: float) -> str | None:
    """What is wrong with the analysis of a text, if anything."""
    started = perf_counter()
    try:
        lineage = extract(text, dialect)
    except Exception as error:  # the very thing that is looked for
        return f"{type(error).__name__}: {error}"
    if perf_counter() - started > limit_seconds:
        return f"took {perf_counter() - started:.1f} s"
    if lineage.reason in ("internal", "internal_error"):
        return f"{lineage.reason}: {lineage.error}"
    return None


def fuzz_comments(count: int, seed: int) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Read fuzzed texts one by one and, as a log, in batches; kinds of problems and examples."""
    random = Random(seed)
    problems: Counter[str] = Counter()
    examples: list[tuple[str, str]] = []
    batch: list[str] = []
    for number in range(count):
        text = fuzzed(random, f"{random.choice(STATEMENTS)}\n{TAG}")
        dialect = random.choice(DIALECTS)
        if found := comment_problem(text, dialect):
            problems[found.split("\n", 1)[0][:80]] += 1
            examples.append((found, text))
        batch.append(text.encode("utf-8", "replace").decode())
        if len(batch) == 10_000 or number == count - 1:
            wrong, found_in_log = _batch_problems(batch, dialect)
            problems.update(wrong)
            examples += found_in_log
            batch = []
    return problems, examples


def _batch_problems(texts: list[str], dialect: str) -> tuple[Counter[str], list[tuple[str, str]]]:
    """A log is read by columns, a text alone is not: both must say the same."""
    log, sql = annotate_with_sql(pa.table({"text": texts, "dialect": [dialect] * len(texts)}))
    wrong: Counter[str] = Counter()
    examples: list[tuple[str, str]] = []
    for text, row, own in zip(texts, log.to_pylist(), sql.to_pylist(), strict=True):
        alone = parse_comment(text, dialect)
        said = {"comment": alone.status, "sql": alone.sql} | {
            n: getattr(alone, n) for n in TAG_FIELDS
        }
        read = {"comment": row["comment"], "sql": own} | {n: row[n] for n in TAG_FIELDS}
        if said != read:
            names = ", ".join(name for name in said if said[name] != read[name])
            wrong[f"a log says otherwise than a text alone: {names}"] += 1
            examples.append((f"{dialect}: {names}", text))
    return wrong, examples


def fuzz_statements(
    count: int, seed: int, limit_seconds: float = 2.0
) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Analyse fuzzed statements; kinds of problems and examples."""
    random = Random(seed)
    problems: Counter[str] = Counter()
    examples: list[tuple[str, str]] = []
    for _ in range(count):
        text, dialect = fuzzed(random, random.choice(STATEMENTS)), random.choice(DIALECTS)
        if found := statement_problem(text, dialect, limit_seconds):
            problems[found.split("\n", 1)[0][:80]] += 1
            examples.append((f"{dialect}: {found}", text))
    return problems, examples


@click.command(help=__doc__)
@click.option("--comments", default=1_000_000, show_default=True)
@click.option("--statements", default=100_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(comments: int, statements: int, seed: int) -> None:
    """Command line."""
    failed = False
    for name, count, run in (
        ("comments", comments, fuzz_comments),
        ("statements", statements, fuzz_statements),
    ):
        started = perf_counter()
        problems, examples = run(count, seed)
        seconds = perf_counter() - started
        click.echo(f"{count:,} {name} in {seconds:.0f} s: {sum(problems.values())} problems")
        for problem, times in problems.most_common(10):
            click.echo(f"  {times:>6,} x {problem}")
        for problem, text in examples[:5]:
            click.echo(f"  {problem}\n    {text!r}")
        failed |= bool(problems)
    if failed:
        raise click.ClickException("some texts are not read as they should be")


if __name__ == "__main__":
    main()
