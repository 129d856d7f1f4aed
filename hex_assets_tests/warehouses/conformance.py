"""What every query log must do, whatever the engine: a test class inherits `Conformance`.

The class gives a fixture `seeded`; each engine's own texts come from `statements()`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest

from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    LogSource,
    Window,
)
from hex_assets.warehouses.reading import last_position, read_through

WRONG_PASSWORD = "not-the-password-7391"
LARGE = 1_200_000
"""Characters of the large statement: more than any packet's default."""


def tagged(sql: str, project: str) -> str:
    """A statement as Hex sends it."""
    return f'{sql}\n{MARKER} {{"project_id": "{project}"}}'


STATEMENTS = {
    "plain": tagged("select 1", "plain"),
    "emoji": tagged("select '\U0001f600 ünï'", "emoji"),
    "crlf": tagged("select 1,\r\n  2", "crlf"),
    "literal": f"select '{MARKER} {{}}' as text",
}


@dataclass(frozen=True)
class Seeded:
    """A source over a log that holds STATEMENTS, each once, in this window."""

    source: LogSource
    window: Window
    wrong_password: LogSource
    revoked: LogSource
    unreachable: LogSource
    broken_once: LogSource
    """Its first read breaks in the middle."""


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


class Conformance:
    """A new source passes by giving `seeded`."""

    def test_texts_come_out_as_sent(self, seeded: Seeded) -> None:
        texts = [row["text"] for row in rows(seeded.source.read(seeded.window))]
        for name, text in STATEMENTS.items():
            assert texts.count(text) == 1, name

    def test_rows_are_ordered_by_completion_and_id(self, seeded: Seeded) -> None:
        found = rows(seeded.source.read(seeded.window))
        keys = [(row["ended_at"], row["query_id"]) for row in found]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)

    def test_the_extractor_never_finds_itself(self, seeded: Seeded) -> None:
        first = rows(seeded.source.read(seeded.window))
        assert rows(seeded.source.read(seeded.window)) == first

    def test_every_row_resumes_after_itself(self, seeded: Seeded) -> None:
        batch = pa.Table.from_batches(seeded.source.read(seeded.window)).combine_chunks()
        whole = batch.to_batches()[0]
        ids = whole["query_id"].to_pylist()
        for done in range(1, whole.num_rows + 1):
            position = last_position(whole.slice(0, done))
            rest = {row["query_id"] for row in rows(seeded.source.read(seeded.window, position))}
            assert rest >= set(ids[done:])

    def test_a_broken_read_goes_on_without_loss_or_doubles(self, seeded: Seeded) -> None:
        with pytest.raises(BrokenRead):
            rows(seeded.broken_once.read(seeded.window))
        again = rows(read_through(seeded.broken_once, seeded.window))
        assert again == rows(seeded.source.read(seeded.window))

    def test_a_wrong_password_is_named_and_never_shown(self, seeded: Seeded) -> None:
        with pytest.raises(CannotConnect) as raised:
            rows(seeded.wrong_password.read(seeded.window))
        assert WRONG_PASSWORD not in str(raised.value)
        assert WRONG_PASSWORD not in repr(seeded.wrong_password)
        assert [finding.status for finding in seeded.wrong_password.probe()] == ["failure"]

    def test_a_revoked_grant_names_the_grant(self, seeded: Seeded) -> None:
        with pytest.raises(CannotRead, match="GRANT"):
            rows(seeded.revoked.read(seeded.window))

    def test_an_unreachable_host_is_a_failed_connection(self, seeded: Seeded) -> None:
        with pytest.raises(CannotConnect, match="check `host`"):
            rows(seeded.unreachable.read(seeded.window))
