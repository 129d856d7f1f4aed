"""Redshift's log through its own connector, over a proxy in front of PostgreSQL 15."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses import redshift as module
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotConnect,
    CannotRead,
    WindowExpired,
    check_window,
)
from hex_assets.warehouses.reading import last_position
from hex_assets.warehouses.redshift import RedshiftLog, whole_text
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.servers.redshift import BINARIES, TABLES, fill, running_redshift

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BINARIES.exists() or os.geteuid() != 0, reason="needs PostgreSQL 15 and root"
    ),
]
# The marker begins at every place around the border of two segments.
BORDERS = [
    entry(
        str(3000 + shift), f"select '{'y' * (3960 + shift)}' {COMMENT}", NOON + timedelta(hours=1)
    )
    for shift in range(0, 40, 3)
]
EXPECTED = [*EXPECTED_IDS, *(item.query_id for item in BORDERS)]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    psycopg = pytest.importorskip("psycopg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        pg_port = free.getsockname()[1]
    with running_redshift(tmp_path_factory.mktemp("redshift"), pg_port) as proxy_port:
        login = f"host=127.0.0.1 port={pg_port} user=postgres password=admin-password"
        with psycopg.connect(login, autocommit=True) as connection:
            connection.execute(TABLES)
            fill(connection.cursor(), [*hex_day(), *BORDERS])
        yield proxy_port


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDSHIFT_PASSWORD", "right-password")


def redshift(port: int, **changes: object) -> RedshiftLog:
    keys: dict[str, object] = {
        "type": "redshift",
        "host": "127.0.0.1",
        "port": port,
        "database": "postgres",
        "user": "reader",
        "password": {"env": "REDSHIFT_PASSWORD"},
        "ssl": False,
        "hexUser": "hex",
    }
    return warehouse_settings(keys | changes).source("rs")  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


@pytest.mark.parametrize(("tables", "prefix"), [("sys", ""), ("stl", "stl-")])
def test_texts_are_put_together_exactly_over_pages(
    port: int, tables: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_STATEMENTS", 4)
    batches = list(redshift(port, logTables=tables).read(DAY))
    assert ids(batches) == [prefix + query_id for query_id in EXPECTED]
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {prefix + item.query_id: item.text for item in [*hex_day(), *BORDERS]}
    for row in pa.Table.from_batches(batches).to_pylist():
        assert row["text"] == texts[row["query_id"]]
        assert (row["user"], row["default_catalog"], row["truncated"]) == ("hex", "shop", False)


def test_random_texts_survive_segments_that_lost_their_blanks() -> None:
    generator = random.Random(7)
    for _ in range(300):
        text = "".join(generator.choices("ab \n\\\t'", k=generator.randint(1, 900))) + COMMENT
        logged = text.replace("\\", "\\\\").replace("\n", "\\n")
        parts = [logged[start : start + 200].rstrip(" ") for start in range(0, len(logged), 200)]
        assert whole_text(dict(enumerate(parts)), 200) == text


def test_resuming_at_any_row_loses_and_doubles_nothing(port: int) -> None:
    batch = next(redshift(port).read(DAY))
    for count in (1, 3, 4, 10, len(EXPECTED)):
        position = last_position(batch.slice(0, count))
        assert ids(list(redshift(port).read(DAY, position))) == EXPECTED[count:]


def test_losses_count_failed_and_untagged_statements_of_hex(port: int) -> None:
    losses = redshift(port).losses(DAY)
    assert (losses.failed_count, losses.empty_text_count, losses.untagged_count) == (1, 0, 1)


def test_log_tables_that_are_missing_or_not_granted_are_told_with_the_mend(port: int) -> None:
    source = redshift(port)
    source.family = module.Family(**(vars(module.SYS) | {"history": "pg_authid"}))
    with pytest.raises(CannotRead, match="SYSLOG ACCESS UNRESTRICTED"):
        list(source.read(DAY))
    assert source.probe()[-1].status == "failure"


def test_a_wrong_password_is_refused_and_never_shown(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSHIFT_PASSWORD", "wrong-77")
    with pytest.raises(CannotConnect, match=r"127\.0\.0\.1") as caught:
        list(redshift(port).read(DAY))
    assert "wrong-77" not in str(caught.value)
    assert redshift(port).probe()[0].status == "failure"


def test_an_unreachable_host_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(CannotConnect, match=r"127\.0\.0\.1"):
            list(redshift(free.getsockname()[1]).read(DAY))


def test_a_window_older_than_a_week_is_refused(port: int) -> None:
    with pytest.raises(WindowExpired, match="7 days"):
        check_window(redshift(port), DAY, DAY.start + timedelta(days=8))
