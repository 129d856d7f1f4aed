"""Log files of a real PostgreSQL 15: csvlog, jsonlog, the plain log, Cloud Logging, its own reader.

The server runs every statement of `hex_day()` and writes its log; the test then only sets the
times and durations of those lines to the day's.
"""

from __future__ import annotations

import gzip
import json
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from hex_assets.warehouses.base import (
    BrokenRead,
    CannotRead,
    LogSource,
    Window,
)
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import DAY, Entry, hex_day
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.postgres import (
    BINARIES,
    CSVLOG,
    PostgresServer,
    running_postgres,
)
from hex_assets_tests.warehouses.conformance import (
    WRONG_PASSWORD,
    Conformance,
    Engine,
    free_port,
    given,
    rows,
)

psycopg = pytest.importorskip("psycopg")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BINARIES.exists() or os.geteuid() != 0, reason="needs PostgreSQL 15 and root"
    ),
]
RDS = "%t:%r:%u@%d:[%p]:"
CLOUD_SQL = "%m [%p]: [%l-1] db=%d,user=%u "
LOGGED = CSVLOG | {"log_destination": "csvlog,jsonlog,stderr", "log_line_prefix": RDS}
TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})? UTC")
DURATION = re.compile(rb"duration: [0-9.]+ ms")
BEGIN = re.compile(rb'^(?=\d{4}-\d\d-\d\d |\{"timestamp")', re.MULTILINE)
OWN = re.compile(rb',"(HEX|BOB)",|"user":"(HEX|BOB)"|(HEX|BOB)@|user=(HEX|BOB) ')


def run_day(server: PostgresServer) -> None:
    """Send every statement of the day to the server, as Hex and as Bob."""
    login = f"host=127.0.0.1 port={server.port} password=right dbname=postgres user="
    with (
        psycopg.connect(login + "HEX", autocommit=True) as as_hex,
        psycopg.connect(login + "BOB", autocommit=True) as as_bob,
    ):
        for item in hex_day():
            session = as_hex if item.user == "HEX" else as_bob
            if item.succeeded:
                session.execute(item.text.encode())
            else:
                with pytest.raises(psycopg.Error):
                    session.execute(item.text.encode())


def at(item: Entry, record: bytes) -> bytes:
    """A record of the server with the time and the duration of an entry."""
    fraction = f"{item.ended_at:.%f}"[:4] if TIME.search(record)[1] else ""  # type: ignore[index]
    moment = f"{item.ended_at:%Y-%m-%d %H:%M:%S}{fraction} UTC".encode()
    took = (item.ended_at - item.started_at).total_seconds() * 1000
    record = TIME.sub(moment, record, count=1)
    return DURATION.sub(b"duration: %.3f ms" % took, record, count=1)


def day_lines(written: bytes) -> bytes:
    """The server's own records of the day's statements with the day's times in place of now."""
    items = iter(hex_day())
    kept: list[tuple[datetime, bytes]] = []
    for record in BEGIN.split(written):
        if OWN.search(record[:150]):
            if b"STATEMENT:  " not in record[:150]:
                item = next(items)
            kept.append((item.ended_at, at(item, record)))
    assert next(items, None) is None
    # As a server writes them: by the time of completion.
    return b"".join(record for _, record in sorted(kept, key=lambda pair: pair[0]))


def cloud_entries(lines: bytes) -> bytes:
    """The plain log's records as a sink of Cloud Logging writes them."""
    records = [part for part in BEGIN.split(lines) if part]
    entries = [
        {
            "insertId": f"s={number}",
            "logName": "projects/p/logs/cloudsql.googleapis.com%2Fpostgres.log",
            "receiveTimestamp": "2026-11-22T12:00:01.5Z",
            "resource": {"labels": {"database_id": "p:shop"}, "type": "cloudsql_database"},
            "severity": "INFO",
            "textPayload": record.decode().removesuffix("\n"),
            "timestamp": record[:23].decode().replace(" ", "T") + "Z",
        }
        for number, record in enumerate(records)
    ]
    audit = {"insertId": "audit", "protoPayload": {}, "timestamp": "2026-11-22T12:00:00Z"}
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in [*entries, audit])


class Logs:
    """The day's files, and the server whose they are."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.server_log = server.folder / "data" / "log"

    def write(self) -> None:
        """Run the day twice: once with each prefix, as the prefix is one for a server."""
        with psycopg.connect(self.server.login, autocommit=True) as admin:
            for role in ("HEX", "BOB"):
                admin.execute(f"create role \"{role}\" login password 'right'")
            admin.execute("create table t (x int)")
            admin.execute("grant select on t to public")
            run_day(self.server)
            self._wait_for_last(admin, dict.fromkeys(("csv", "json", "log"), 0))
            kinds = {kind: self._written(kind) for kind in ("csv", "json", "log")}
            admin.execute(f"alter system set log_line_prefix = '{CLOUD_SQL}'")
            admin.execute("select pg_reload_conf()")
            before = len(kinds["log"])
            while b"parameter" not in self._written("log")[before:]:
                admin.execute("select pg_sleep(0.05)")
            before = len(self._written("log"))
            run_day(self.server)
            self._wait_for_last(admin, {"log": before})
        cloud = self._written("log")[before:]
        for kind, written in kinds.items():
            lines = day_lines(written)
            (self.folder / f"day.{kind}").write_bytes(lines)
        half = (self.folder / "day.csv").read_bytes()
        with gzip.open(self.folder / "zipped.csv.gz", "wb") as file:
            file.write(half)
        lines = day_lines(cloud)
        (self.folder / "entries.jsonl").write_bytes(cloud_entries(lines))
        for kind in ("csv", "json"):
            copy = self.server_log / f"day.{kind}"
            shutil.copy(self.folder / f"day.{kind}", copy)
            shutil.chown(copy, "postgres")

    def _wait_for_last(self, admin: psycopg.Connection, begins: dict[str, int]) -> None:
        """The collector is a process of its own, and writes a little later."""
        last = hex_day()[-1].text.encode()
        while not all(last in self._written(kind)[begin:] for kind, begin in begins.items()):
            admin.execute("select pg_sleep(0.05)")

    def _written(self, kind: str) -> bytes:
        return (self.server_log / f"postgresql.{kind}").read_bytes()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    with running_postgres(LOGGED) as running:
        found = Logs(running, tmp_path_factory.mktemp("pglogs"))
        found.write()
        with psycopg.connect(running.login, autocommit=True) as admin:
            for role in ("hex_assets", "stranger"):
                admin.execute(f"create role {role} login password 'right'")
            admin.execute("grant pg_monitor to hex_assets")
            admin.execute(
                "grant execute on function pg_read_binary_file(text, bigint, bigint) to hex_assets"
            )
        yield found


class BreakingSystem(LocalFileSystem):
    """A disk whose files cannot be read to their end."""

    protocol = "breaking"

    def open(self, path, mode="rb", **options):  # type: ignore[no-untyped-def]
        file = super().open(path, mode, **options)
        whole, left = file.read, [1]

        def read(size: int = -1) -> bytes:
            if not left:
                raise ConnectionResetError("reset by peer")
            left.clear()
            return whole(1_000)

        file.read = read
        return file


class FilesEngine(Engine):
    grant = "log_file_mode"

    def __init__(self, logs: Logs, file: str, **keys: object) -> None:
        self.logs = logs
        self.file = file
        self.keys = keys

    def settings(self, **changes: object) -> object:
        keys = {
            "type": "postgresFiles",
            "files": [str(self.logs.folder / self.file)],
            "hexUser": "HEX",
        }
        return warehouse_settings(keys | self.keys | changes)

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        fsspec.register_implementation("breaking", BreakingSystem, clobber=True)
        yield self.source(files=[f"breaking://{self.logs.folder / self.file}"])

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        path = self.logs.folder / f"closed-{self.file}"
        shutil.copy(self.logs.folder / self.file, path)
        path.chmod(0o600)
        source = self.source(files=[str(path)])
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            yield source
        finally:
            os.seteuid(0)
            path.unlink()

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(files=[f"ftp://127.0.0.1:{free_port()}/log/*.csv"]))


class FilesConformance(Conformance):
    """Files have no password, and give no row before all of them are read."""

    def test_a_broken_read_goes_on_without_loss_or_doubles(self, engine: Engine) -> None:
        read: list[dict] = []
        with engine.breaking() as source, pytest.raises(BrokenRead):
            for batch in source.read(DAY):
                read.extend(batch.to_pylist())
        assert not read
        read = rows(engine.source().read(DAY))
        assert sorted(row["text"] for row in read) == sorted(engine.texts())

    def test_a_wrong_password_is_refused_and_never_shown(self, engine: Engine) -> None:
        with pytest.raises(ValueError, match="must not hold a password") as raised:
            engine.source(files=[f"ftp://hex:{WRONG_PASSWORD}@127.0.0.1/log/*"])
        assert WRONG_PASSWORD not in f"{raised.value!s} {raised.value!r}"

    def test_a_pattern_without_a_file_is_told_with_its_mend(self, engine: Engine) -> None:
        for name in ("no-such-file.csv", "none-*.csv"):
            source = engine.source(files=[f"/nowhere/{name}"])
            with pytest.raises(CannotRead, match=re.escape(name)):
                rows(source.read(DAY))
            assert [finding for finding in source.probe() if finding.mend]

    def test_files_that_have_stopped_coming_are_no_empty_day(self, engine: Engine) -> None:
        later = Window(DAY.end + timedelta(days=30), DAY.end + timedelta(days=31))
        with pytest.raises(CannotRead, match="was written after"):
            rows(engine.source().read(later))

    def test_a_wrong_format_is_told_by_place_and_not_by_text(self, engine: Engine) -> None:
        path = engine.logs.folder / "other.txt"
        path.write_text("secret statement\nselect 1\n")
        with pytest.raises(CannotRead, match=r"other\.txt, line 1") as raised:
            rows(engine.source(files=[str(path)]).read(DAY))
        assert "secret statement" not in str(raised.value)

    def test_the_probe_reads_the_files(self, engine: Engine) -> None:
        findings = {finding.check: finding for finding in engine.source().probe()}
        assert findings["files"].status == "ok"
        assert findings["hex queries"].detail.startswith("0 Hex queries in a day")


class TestCsvlogFile(FilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> FilesEngine:
        return FilesEngine(logs, "day.csv")

    def test_compressed_and_plain_copies_are_one(self, engine: FilesEngine) -> None:
        both = [str(engine.logs.folder / name) for name in ("day.csv", "zipped.csv.gz")]
        assert rows(engine.source(files=both).read(DAY)) == rows(engine.source().read(DAY))

    def test_a_torn_compressed_file_is_told(self, engine: FilesEngine) -> None:
        whole = (engine.logs.folder / "zipped.csv.gz").read_bytes()
        torn = engine.logs.folder / "torn.csv.gz"
        torn.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CannotRead, match="torn"):
            rows(engine.source(files=[str(torn)]).read(DAY))

    def test_files_in_a_bucket_and_old_ones_left_alone(self, engine: FilesEngine) -> None:
        memory = fsspec.filesystem("memory")
        memory.pipe("/bucket/day.csv", (engine.logs.folder / "day.csv").read_bytes())
        memory.pipe("/bucket/old.csv", b"not a log\n")
        memory.store["/bucket/old.csv"].modified = DAY.start - timedelta(days=1)
        try:
            source = engine.source(files=["memory://bucket/*.csv"])
            assert rows(source.read(DAY)) == rows(engine.source().read(DAY))
            losses = source.losses(DAY)
            assert (losses.unreadable_count, losses.log_begins_at) == (0, None)
        finally:
            memory.rm("/bucket", recursive=True)

    def test_torn_records_are_counted_with_their_place(self, engine: FilesEngine) -> None:
        lines = (engine.logs.folder / "day.csv").read_bytes()
        where = lines.index(b"select 2 ")
        torn = engine.logs.folder / "torn.csv"
        rest = lines[lines.index(b"\n", where) + 1 :]
        torn.write_bytes(lines[: where + 20] + rest)  # and the next begins on the same line
        found = rows(engine.source(files=[str(torn)]).read(DAY))
        assert len(found) >= len(engine.texts()) - 2
        torn.write_bytes(lines[: where + 20] + b"\n" + rest)
        source = engine.source(files=[str(torn)])
        assert len(rows(source.read(DAY))) == len(engine.texts()) - 1
        losses = source.losses(DAY)
        assert losses.unreadable_count == 1
        number = lines[:where].count(b"\n") + 1
        assert losses.first_unreadable == f"{torn}, line {number}"


class TestZippedCsvlogFile(FilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> FilesEngine:
        return FilesEngine(logs, "zipped.csv.gz")


class TestJsonlogFile(FilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> FilesEngine:
        return FilesEngine(logs, "day.json", format="jsonlog")


class TestPlainFileOfRds(FilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> FilesEngine:
        return FilesEngine(logs, "day.log", format="stderr")

    def test_a_file_without_its_last_newline_tells_it(self, engine: FilesEngine) -> None:
        lines = (engine.logs.folder / "day.log").read_bytes()
        where = lines.index(b"select 3 ")
        torn = engine.logs.folder / "torn.log"
        torn.write_bytes(lines[: where + 30])
        source = engine.source(files=[str(torn)])
        assert len(rows(source.read(DAY))) == 4  # of midnight two, and two of the three of noon
        assert source.losses(DAY).unreadable_count == 1


class TestEntriesOfCloudLogging(FilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> FilesEngine:
        return FilesEngine(logs, "entries.jsonl", format="cloudLogging")


class ServerFilesEngine(FilesEngine):
    grant = "GRANT EXECUTE ON FUNCTION pg_read_binary_file"

    def settings(self, **changes: object) -> object:
        keys = {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": self.logs.server.port,
            "database": "postgres",
            "user": "hex_assets",
            "password": {"env": "TEST_PG_PASSWORD"},
            "sslMode": "disable",
            "hexUser": "HEX",
        }
        return warehouse_settings(keys | self.keys | changes)

    def statements(self) -> list[str]:
        log = self.logs.server_log / "postgresql.csv"
        own = [line for line in log.read_text().split("\n") if '"hex_assets","postgres"' in line]
        assert own
        return own

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with cutting_proxy(self.logs.server.port, 200_000) as port:
            yield self.source(port=port)

    def without_grant(self) -> AbstractContextManager[LogSource]:
        return given(self.source(user="stranger"))

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PG_PASSWORD", "right")


class ServerFilesConformance(Conformance):
    """As of a table, but no row comes before all is read."""

    def test_a_broken_read_goes_on_without_loss_or_doubles(self, engine: Engine) -> None:
        FilesConformance.test_a_broken_read_goes_on_without_loss_or_doubles(self, engine)  # type: ignore[arg-type]

    def test_the_probe_tells_settings_and_files(self, engine: ServerFilesEngine) -> None:
        findings = {finding.check: finding for finding in engine.source().probe()}
        assert findings["login"].status == findings["log_destination"].status == "ok"
        assert findings["hex queries"].detail.startswith("0 Hex queries in a day")


class TestServersOwnCsvlog(ServerFilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> ServerFilesEngine:
        return ServerFilesEngine(logs, "day.csv", logFiles="csvlog")


class TestServersOwnJsonlog(ServerFilesConformance):
    @pytest.fixture
    def engine(self, logs: Logs) -> ServerFilesEngine:
        return ServerFilesEngine(logs, "day.json", logFiles="jsonlog")
