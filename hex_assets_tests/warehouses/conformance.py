"""What every query log must do, whatever the engine: a test class inherits `Conformance`.

The class gives a fixture `engine`: a log in the engine's own form that holds `hex_day()`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hex_assets import lineage
from hex_assets.storage.spool import Spool
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    LogSource,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches as grouped
from hex_assets.warehouses.reading import last_position
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, Entry, hex_day

WRONG_PASSWORD = "not-the-password-7391"
PAGE_ROWS = 3
"""Rows of a page in these tests: the three rows of one microsecond lie over a border."""
PAGE_SETTINGS = ("BATCH_ROWS", "PAGE_STATEMENTS", "STREAM_ROWS")


def tagged(sql: str, project: str) -> str:
    """A statement as Hex sends it."""
    return f'{sql}\n{MARKER} {{"project_id": "{project}"}}'


LARGE = 1_200_000
STATEMENTS = {
    "plain": tagged("select 1", "plain"),
    "emoji": tagged("select '\U0001f600 ünï'", "emoji"),
    "crlf": tagged("select 1,\r\n  2", "crlf"),
    "literal": f"select '{MARKER} {{}}' as text",
}
"""What is really sent to those engines that run in the tests."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rows(batches: Iterator[pa.RecordBatch]) -> list[dict]:
    """All rows of a read; every batch must have the log's schema."""
    found = []
    for batch in batches:
        assert batch.schema.equals(LOG_SCHEMA)
        found.extend(batch.to_pylist())
    return found


def small_pages(source: LogSource, put: Callable[[Any, str, Any], None]) -> None:
    """Make the source fetch and yield `PAGE_ROWS` at a time."""
    module = sys.modules[type(source).__module__]
    for name in PAGE_SETTINGS:
        if hasattr(module, name):
            put(module, name, PAGE_ROWS)
    put(grouped, "__kwdefaults__", {**grouped.__kwdefaults__, "batch_rows": PAGE_ROWS})


class Engine:
    """A log that holds `hex_day()`, and the ways in which it fails. An engine overrides these."""

    grant = "GRANT"
    """What the refusal of a reader without rights must name."""
    failures_are_read = False
    """The log does not know that a statement failed."""
    losses: tuple[int | None, int | None, int | None] = (1, 0, 1)
    """Failed, empty and untagged statements that the day's losses tell."""
    cut_text: str | None = None
    """A text that the log has cut and that is yielded as such."""
    long_text = 1_200_000

    def settings(self, **changes: object) -> WarehouseSettings:
        """Settings that read the log."""
        raise NotImplementedError

    def source(self, **changes: object) -> LogSource:
        """A source over the log."""
        return self.settings(**changes).source("wh")

    def statements(self) -> list[str]:
        """What was sent to the server since the log was filled."""
        return []

    def breaking(self) -> AbstractContextManager[LogSource]:
        """A source whose read breaks after some rows."""
        raise NotImplementedError

    def without_grant(self) -> AbstractContextManager[LogSource]:
        """A source that may log in and not read."""
        raise NotImplementedError

    def without_password(self) -> AbstractContextManager[LogSource]:
        """A source whose password, `WRONG_PASSWORD`, is refused."""
        raise NotImplementedError

    def without_host(self) -> AbstractContextManager[LogSource]:
        """A source of a port where nobody listens."""
        raise NotImplementedError

    def entries(self) -> list[Entry]:
        """Executions that a read of `DAY` must yield, by (ended_at, query_id)."""
        known = {item.query_id: item for item in hex_day(self.long_text)}
        found = [known[query_id] for query_id in EXPECTED_IDS]
        return [*found, known["1031"]] if self.failures_are_read else found

    def texts(self) -> list[str]:
        """The texts of `entries`, and the cut one."""
        return [
            *(item.text for item in self.entries()),
            *([self.cut_text] if self.cut_text else []),
        ]


class Conformance:
    """A new source passes by giving `engine`."""

    @pytest.fixture(autouse=True)
    def _small_pages(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_WRONG_PASSWORD", WRONG_PASSWORD)
        small_pages(engine.source(), monkeypatch.setattr)

    def test_the_day_comes_out_exactly_and_in_order(self, engine: Engine) -> None:
        """Ties over a page border, midnight, 1.2 MB, emoji, CRLF, backslashes, literal, failed."""
        found = rows(engine.source().read(DAY))
        assert sorted(row["text"] for row in found) == sorted(engine.texts())
        times = [row["ended_at"] for row in found]
        assert times == sorted(times)
        assert len({row["query_id"] for row in found}) == len(found)
        expected = {item.text: item.ended_at for item in engine.entries()}
        assert {row["text"]: row["ended_at"] for row in found if not row["truncated"]} == expected

    def test_three_rows_of_one_microsecond_lie_over_a_page_border(self, engine: Engine) -> None:
        pages = list(engine.source().read(DAY))
        assert max(page.num_rows for page in pages) <= PAGE_ROWS
        pages_of_noon = [
            number
            for number, page in enumerate(pages)
            for text in page["text"].to_pylist()
            if text in {f"select {digit} {COMMENT}" for digit in (1, 2, 3)}
        ]
        assert len(pages_of_noon) == 3 and len(set(pages_of_noon)) == 2

    def test_a_statement_over_midnight_belongs_to_the_day_of_its_end(self, engine: Engine) -> None:
        day = timedelta(days=1)
        windows = (Window(DAY.start + shift, DAY.end + shift) for shift in (-day, 0 * day, day))
        before, within, after = ([*rows(engine.source().read(window))] for window in windows)
        assert [f"select 'day before' {COMMENT}"] == [row["text"] for row in before]
        assert f"select 'over midnight' {COMMENT}" in [row["text"] for row in within]
        assert [f"select 'next day' {COMMENT}", f"select 'runs into next day' {COMMENT}"] == [
            row["text"] for row in after
        ]

    def test_only_a_comment_at_the_end_makes_a_row_of_hex(self, engine: Engine) -> None:
        table = lineage.annotate(pa.Table.from_batches(engine.source().read(DAY)))
        comments = dict(zip(table["text"].to_pylist(), table["comment"].to_pylist(), strict=True))
        for text, comment in comments.items():
            assert (comment == "found") == (COMMENT in text), text[:80]

    def test_cut_texts_are_marked_and_no_others(self, engine: Engine) -> None:
        found = [row["text"] for row in rows(engine.source().read(DAY)) if row["truncated"]]
        assert found == ([engine.cut_text] if engine.cut_text else [])

    def test_a_second_read_gives_the_same_rows_and_never_its_own(self, engine: Engine) -> None:
        first = rows(engine.source().read(DAY))
        engine.source().losses(DAY)
        engine.source().probe()
        assert rows(engine.source().read(DAY)) == first
        squeezed = [statement.replace(" ", "") for statement in engine.statements()]
        assert not [text for text in squeezed if MARKER.replace(" ", "") in text]

    def test_losses_are_counted(self, engine: Engine) -> None:
        losses = engine.source().losses(DAY)
        found = (losses.failed_count, losses.empty_text_count, losses.untagged_count)
        assert found == engine.losses

    def test_a_read_resumes_after_any_row(self, engine: Engine) -> None:
        whole = pa.Table.from_batches(engine.source().read(DAY)).combine_chunks().to_batches()[0]
        ids = whole["query_id"].to_pylist()
        # The first row, each of the three of one microsecond, a later one and the last.
        for done in (1, 3, 4, 5, 8, whole.num_rows):
            position = last_position(whole.slice(0, done))
            rest = rows(engine.source().read(DAY, position))
            assert {row["query_id"] for row in rest} >= set(ids[done:])
            oldest = position.ended_at - timedelta(seconds=1)
            assert all(row["ended_at"] >= oldest for row in rest)

    def test_a_broken_read_goes_on_without_loss_or_doubles(self, engine: Engine) -> None:
        whole = rows(engine.source().read(DAY))
        read: list[dict] = []
        with engine.breaking() as source, pytest.raises(BrokenRead):
            for batch in source.read(DAY):
                read.extend(batch.to_pylist())
        assert 0 < len(read) < len(whole)
        position = Position(read[-1]["ended_at"], read[-1]["query_id"])
        read.extend(rows(engine.source().read(DAY, position)))
        assert {row["query_id"]: row for row in read} == {row["query_id"]: row for row in whole}

    def test_a_reader_killed_in_mid_read_is_resumed(self, engine: Engine, tmp_path: Path) -> None:
        settings = engine.settings().model_dump_json(exclude_none=True)
        command = [sys.executable, "-m", "hex_assets_tests.warehouses.killed_reader"]
        reader = subprocess.Popen(
            [*command, settings, str(tmp_path), DAY.start.isoformat(), DAY.end.isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert reader.stdout and reader.stdout.readline() == b"stored\n"
        finally:
            reader.kill()
            reader.communicate()
        spool = Spool(tmp_path, LOG_SCHEMA)
        assert spool.row_count == PAGE_ROWS
        ended_at, query_id = spool.last_row("ended_at", "query_id")
        for batch in engine.source().read(DAY, Position(ended_at, query_id)):
            spool.append(batch)
        found = [row for batch in spool.distinct("query_id") for row in batch.to_pylist()]
        assert sorted(row["text"] for row in found) == sorted(engine.texts())

    def test_a_missing_grant_is_named_with_its_mend(self, engine: Engine) -> None:
        with engine.without_grant() as source:
            with pytest.raises(CannotRead, match=engine.grant):
                rows(source.read(DAY))
            finding = next(found for found in source.probe() if found.status == "failure")
            assert finding.mend

    def test_a_wrong_password_is_refused_and_never_shown(self, engine: Engine) -> None:
        with engine.without_password() as source:
            with pytest.raises(CannotConnect) as raised:
                rows(source.read(DAY))
            findings = source.probe()
            assert "failure" in [finding.status for finding in findings]
            for shown in (raised.value, source, findings, source.__dict__):
                assert WRONG_PASSWORD not in f"{shown!s} {shown!r}"

    def test_an_unreachable_host_is_named(self, engine: Engine) -> None:
        with engine.without_host() as source:
            with pytest.raises(CannotConnect):
                rows(source.read(DAY))
            assert [finding.status for finding in source.probe()][-1] == "failure"


@contextmanager
def given(value: LogSource) -> Iterator[LogSource]:
    """A source that needs nothing undone."""
    yield value
