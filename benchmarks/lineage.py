"""Accuracy and speed of the lineage engine on files of cases.

    python benchmarks/lineage.py cases.jsonl ... [--schema tpc_schema.json] [--show 20]
                                 [--own] [--with NAME=PYTHON ...]

A case is `{id, dialect, sql, sources, targets, column_lineage?, optional?, accept?}`. Precision,
recall and F1 are over names of all texts; exact is the share of texts with no name too many or
too few. Columns are compared as pairs of output and source column, of the outputs that the case
lists. `--own` adds this package's cases. `--with` runs another parser (openmetadata, datahub or
sqllineage) by the Python of an environment that has it, on the same cases; those that need a
catalog's columns are then left out for all of them, since not all parsers take any. What a parser
raises counts as nothing found.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

CASES = pathlib.Path(__file__).parents[1] / "hex_assets_tests" / "lineage" / "cases"
Answer = dict[str, Any]


@dataclass
class Score:
    """Hits, false and missed names of one kind."""

    hit: int = 0
    false: int = 0
    missed: int = 0
    texts: int = 0
    exact: int = 0

    def add(self, found: set[Any], truth: set[Any], optional: set[Any]) -> bool:
        """Counts one text; whether its names are exactly the truth's."""
        self.texts += 1
        self.hit += len(found & truth)
        self.false += len(found - truth - optional)
        self.missed += len(truth - found - optional)
        exact = not (found - truth - optional) and not (truth - found - optional)
        self.exact += exact
        return exact

    @property
    def precision(self) -> float:
        """The share of the found names that are true."""
        return self.hit / (self.hit + self.false) if self.hit + self.false else 1.0

    @property
    def recall(self) -> float:
        """The share of the true names that are found."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def exactness(self) -> float:
        """The share of texts with no name too many or too few."""
        return self.exact / self.texts if self.texts else 1.0

    def line(self) -> str:
        """Precision, recall, F1 and the share of exact texts."""
        return (
            f"P {self.precision:7.2%}  R {self.recall:7.2%}  F1 {self.f1:7.2%}  "
            f"exact {self.exactness:7.2%} of {self.texts}"
        )


@dataclass
class Report:
    """The scores and times of one parser on one file."""

    sources: Score = field(default_factory=Score)
    targets: Score = field(default_factory=Score)
    columns: Score = field(default_factory=Score)
    milliseconds: list[tuple[float, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    @property
    def texts_a_second(self) -> float:
        """Of one process, one text after the other."""
        return 1000 * len(self.milliseconds) / sum(time for time, _ in self.milliseconds)


def folded(names: list[str] | None, accept: dict[str, list[str]]) -> set[str]:
    """Names compared without case, each accepted spelling as the truth's own."""
    own = {other.lower(): name.lower() for name, others in accept.items() for other in others}
    return {own.get(name.lower(), name.lower()) for name in names or ()}


def pairs(columns: list[Any]) -> set[tuple[str, str]]:
    """Pairs of output column and source column."""
    return {(output.lower(), source.lower()) for output, many in columns for source in many}


def judge(case: dict[str, Any], answer: Answer, report: Report) -> None:
    """Adds one case's answer to the report."""
    if answer.get("raised"):
        report.errors.append(f"{case['id']}: {answer['raised']}")
    accept = case.get("accept") or {}
    optional = folded(case.get("optional"), accept)
    right = True
    if case.get("sources") is not None:
        right &= report.sources.add(
            folded(answer["sources"], accept), folded(case["sources"], accept), optional
        )
        right &= report.targets.add(
            folded(answer["targets"], accept), folded(case["targets"], accept), optional
        )
    if case.get("column_lineage") is not None:
        truth = pairs(case["column_lineage"])
        listed = {output.lower() for output, _ in case["column_lineage"]}
        found = {pair for pair in pairs(answer["columns"]) if pair[0] in listed or not listed}
        right &= report.columns.add(found, truth, set())
    if not right:
        report.misses.append(
            f"{case['id']} [{case['dialect']}] {' '.join(case['sql'].split())[:300]}\n"
            f"    truth {case.get('sources')} -> {case.get('targets')} "
            f"{case.get('column_lineage')}\n"
            f"    found {answer['sources']} -> {answer['targets']} {answer['columns']} "
            f"{answer.get('error')}"
        )


def ours(schema: dict[str, Any] | None) -> Callable[[dict[str, Any]], Answer]:
    """This package's engine."""
    from hex_assets.lineage.sql import extract

    def run(case: dict[str, Any]) -> Answer:
        found = extract(case["sql"], case["dialect"], catalog=case.get("schema") or schema)
        return {
            "sources": found.sources,
            "targets": found.targets,
            "columns": found.columns,
            "error": found.error,
        }

    return run


def own_cases() -> list[dict[str, Any]]:
    """This package's cases in the form of the others; columns only where a case names some."""
    import yaml

    found = []
    for path in sorted(CASES.glob("*.yaml")):
        if path.stem == "rejected":
            continue
        for number, case in enumerate(yaml.safe_load(path.read_text()), 1):
            columns = case.get("columns")
            found.append(
                {
                    "id": f"{path.stem}-{number}",
                    "dialect": path.stem,
                    "sql": case["sql"],
                    "sources": case["sources"],
                    "targets": case.get("targets", []),
                    "schema": case.get("schema"),
                    "column_lineage": list(columns.items()) if columns else None,
                }
            )
    return found


def other(name: str, python: str) -> Iterator[tuple[str, Callable[[dict[str, Any]], Answer]]]:
    """Another parser in a process of its own; one JSON line a case each way. With its version."""
    script = pathlib.Path(__file__).with_name("other_parsers.py")
    process = subprocess.Popen(
        [python, str(script), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    send, receive = process.stdin, process.stdout
    greeting = json.loads(receive.readline() or '{"absent": "its process ended at once"}')
    if "ready" not in greeting:
        send.close()
        process.wait()
        print(f"== {name}: skipped, {greeting['absent']}")
        return

    def run(case: dict[str, Any]) -> Answer:
        send.write(json.dumps({"sql": case["sql"], "dialect": case["dialect"]}) + "\n")
        send.flush()
        line = receive.readline()
        if not line:
            raise SystemExit(f"{name}: its process ended; see its message above")
        answer: Answer = json.loads(line)
        return answer

    try:
        yield greeting["version"], run
    finally:
        send.close()
        process.wait()


def measure(run: Callable[[dict[str, Any]], Answer], cases: list[dict[str, Any]]) -> Report:
    """Runs all cases and scores them."""
    report = Report()
    for case in (cases[0], max(cases, key=lambda case: len(case["sql"]))):
        try:
            run(case)  # imports, first-use tables and our worker's start are not the parser's speed
        except Exception:
            continue  # is told below
    for case in cases:
        start = time.perf_counter()
        try:
            answer = run(case)
        except Exception as error:
            answer = {"sources": [], "targets": [], "columns": [], "raised": repr(error)}
        report.milliseconds.append(((time.perf_counter() - start) * 1000, case["id"]))
        judge(case, answer, report)
    return report


def show(title: str, report: Report, misses: int) -> None:
    """Prints a report."""
    times = [milliseconds for milliseconds, _ in report.milliseconds]
    slowest, slowest_id = max(report.milliseconds)
    print(f"== {title}: {len(times)} texts")
    print(f"   sources  {report.sources.line()}")
    print(f"   targets  {report.targets.line()}")
    print(f"   columns  {report.columns.line()}")
    print(
        f"   {sum(times) / len(times):.2f} ms a text, median {sorted(times)[len(times) // 2]:.2f}, "
        f"slowest {slowest:.1f} ms ({slowest_id}), {len(report.errors)} errors"
    )
    for line in [*report.errors, *report.misses][:misses]:
        print("   -", line)


def compared(title: str, reports: list[tuple[str, Report]]) -> Table:
    """A row for each parser; times as a multiple of the first one's."""
    heads = ("parser", "sources F1", "exact", "targets F1", "columns F1", "texts a second")
    table = Table(*heads, "slower", "slowest text", "errors", title=title)
    for name, report in reports:
        table.add_row(
            name,
            f"{report.sources.f1:.1%}",
            f"{report.sources.exactness:.1%}",
            f"{report.targets.f1:.1%}",
            f"{report.columns.f1:.1%}" if report.columns.texts else "-",
            f"{report.texts_a_second:,.0f}",
            f"{reports[0][1].texts_a_second / report.texts_a_second:,.1f} x",
            f"{max(report.milliseconds)[0]:,.0f} ms",
            str(len(report.errors)),
        )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--own", action="store_true", help="this package's cases too")
    parser.add_argument("--schema", type=pathlib.Path, help="JSON of tables to columns")
    parser.add_argument("--rejected", type=pathlib.Path, help="YAML of case id to reason")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong cases")
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="NAME=PYTHON")
    options = parser.parse_args()
    schema = json.loads(options.schema.read_text()) if options.schema else None
    rejected: dict[str, str] = {}
    if options.rejected:
        import yaml

        rejected = yaml.safe_load(options.rejected.read_text())
    suites = [
        (path.name, [json.loads(line) for line in path.read_text().splitlines() if line.strip()])
        for path in options.files
    ]
    if options.own:
        suites.append(("own cases", own_cases()))
    for title, cases in suites:
        kept = [case for case in cases if case["id"] not in rejected]
        note = f" ({len(cases) - len(kept)} rejected)" if len(kept) < len(cases) else ""
        if options.others:
            kept = [case for case in kept if not case.get("schema")]
        reports = [("hex_assets", measure(ours(schema), kept))]
        show(f"hex_assets on {title}{note}", reports[0][1], options.show)
        for item in options.others:
            name, _, python = item.partition("=")
            if not python or not pathlib.Path(python).exists():
                print(f"== {name} on {title}: skipped, there is no Python at {python!r}")
                continue
            for version, run in other(name, python):
                reports.append((version, measure(run, kept)))
                show(f"{version} on {title}{note}", reports[-1][1], 0)
        if len(reports) > 1:
            Console(width=120).print(compared(f"{title}, {len(kept)} texts", reports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
