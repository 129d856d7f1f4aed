"""What the general log of MySQL and of MariaDB must give, each by its own server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hex_assets.warehouses.base import MARKER, LogSource, WarehouseSettings, Window
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import DAY, NOON, hex_day
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.mariadb import MariaServer
from hex_assets_tests.warehouses.conformance import (
    LARGE,
    STATEMENTS,
    Conformance,
    Engine,
    free_port,
    given,
    rows,
    tagged,
)

LARGE_TEXT = tagged(f"SELECT '{'x' * LARGE}'", "large")
MOVED = tagged("SELECT 2", "moved")
CHANGE_USER = 0x11


def fill(server: MariaServer, four_bytes: str) -> None:
    """Users, the day's log in a table of the server's own form, and statements really sent.

    Args:
        server: a new one, its general log on.
        four_bytes: how the server's log spells an emoji.
    """
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE shop")
        for user in ("reader", "stranger"):
            cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right'")
        cursor.execute("GRANT SELECT ON mysql.general_log TO reader@'127.0.0.1'")
        cursor.execute("SET sql_log_off = 1")
        cursor.execute("CREATE TABLE shop.day_log LIKE mysql.general_log")
        cursor.execute("GRANT SELECT ON shop.day_log TO reader@'127.0.0.1'")
        cursor.execute("SET time_zone = '+00:00'")
        for item in sorted(hex_day(), key=lambda item: item.ended_at):
            text = item.text.replace("\U0001f600", four_bytes)
            values = (item.ended_at.replace(tzinfo=None), f"{item.user}[x] @ localhost []", text)
            cursor.execute("INSERT INTO shop.day_log VALUES (%s, %s, 7, 1, 'Query', %s)", values)
        cursor.execute("SET sql_log_off = 0")
        cursor.execute("USE shop")
        for text in STATEMENTS.values():
            cursor.execute(text)
        cursor.execute(LARGE_TEXT)
        connection.select_db("mysql")
        cursor.execute(MOVED)


def of_today() -> Window:
    """A window around what was just sent."""
    now = datetime.now(timezone.utc)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


class MySQLEngine(Engine):
    grant = r"GRANT SELECT ON shop\.day_log TO stranger"
    failures_are_read = True
    losses = (None, None, 1)

    def __init__(self, server: MariaServer, *, packet_is_one_row: bool) -> None:
        self.server = server
        self.packet_is_one_row = packet_is_one_row
        """How a packet of many statements is logged; MySQL 8 writes a row for each."""

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "type": "mysql",
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": "reader",
            "password": {"env": "TEST_RIGHT"},
            "logTable": "shop.day_log",
            "hexUser": "HEX",
        }
        return warehouse_settings(keys | changes)

    def statements(self) -> list[str]:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
                " WHERE user_host LIKE 'reader[%'"
                " AND command_type <> 'Connect'"
            )
            found = [argument for (argument,) in cursor.fetchall()]
        assert found
        return found

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with cutting_proxy(self.server.port, 200_000) as port:
            yield self.source(port=port)

    def without_grant(self) -> AbstractContextManager[LogSource]:
        return given(self.source(user="stranger"))

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))

    def sent(self, project: str) -> dict[str, str | None]:
        """Texts with this project's comment in the server's own log, with default databases."""
        source = self.source(logTable="mysql.general_log")
        return {
            row["text"]: row["default_schema"]
            for row in rows(source.read(of_today()))
            if f'"{project}"' in row["text"]
        }


class GeneralLog(Conformance):
    """`Conformance`, and what only a general log has."""

    def test_the_servers_own_log_has_texts_and_default_databases(self, engine: MySQLEngine) -> None:
        window = of_today()
        source = engine.source(logTable="mysql.general_log")
        read = rows(source.read(window))
        found = {row["text"]: row for row in read}
        assert {*STATEMENTS.values(), LARGE_TEXT, MOVED} <= set(found)
        assert found[STATEMENTS["emoji"]]["default_schema"] == "shop"
        assert found[MOVED]["default_schema"] == "mysql"
        assert {row["status"] for row in found.values()} == {"unknown"}
        assert {row["user"] for row in found.values()} == {"root"}
        assert rows(source.read(window)) == read
        assert all(MARKER in row["text"] for row in read)
        assert {finding.status for finding in source.probe()} == {"ok"}

    def test_equal_statements_of_one_microsecond_are_two_rows(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_off = 1")
            cursor.execute("CREATE TABLE shop.twice LIKE mysql.general_log")
            at = NOON.replace(tzinfo=None)
            for _ in range(2):
                row = (at, "HEX[x]", MOVED)
                cursor.execute("INSERT INTO shop.twice VALUES (%s, %s, 7, 1, 'Query', %s)", row)
            cursor.execute("GRANT SELECT ON shop.twice TO reader@'127.0.0.1'")
        window = Window(NOON, NOON + timedelta(seconds=1))
        found = rows(engine.source(logTable="shop.twice").read(window))
        assert len({row["query_id"] for row in found}) == 2

    def test_threads_at_the_same_time_keep_their_own_databases(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        names = ["here", "there", "else``where"]
        with server.connect() as connection, connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"CREATE DATABASE `{name}`")
        together = threading.Barrier(len(names))

        def work(name: str) -> None:
            with server.connect() as connection, connection.cursor() as cursor:
                together.wait(20)
                for turn in range(20):
                    # A way and its opposite, in turn with the other threads.
                    cursor.execute("use mysql")
                    cursor.execute(f"\n USE `{name}`;")
                    cursor.execute(tagged(f"SELECT '{name}', {turn}", "threads"))

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert engine.sent("threads") == {
            tagged(f"SELECT '{name}', {turn}", "threads"): name.replace("``", "`")
            for name in names
            for turn in range(20)
        }

    def test_a_connect_and_a_changed_user_bring_their_database(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect("shop") as connection, connection.cursor() as cursor:
            cursor.execute(tagged("SELECT 'connected'", "changed"))
            # As pools do it: user, empty password, database, utf8mb4, plugin, no attributes.
            plugin = b"mysql_native_password\0"
            connection._execute_command(
                CHANGE_USER, b"root\0" + b"\0" + b"mysql\0" + b"\x2d\0" + plugin + b"\0"
            )
            answer = connection._read_packet()
            if answer.is_auth_switch_request():
                answer.read_uint8()
                connection._process_auth(answer.read_string(), answer)
            cursor.execute(tagged("SELECT 'changed'", "changed"))
        assert engine.sent("changed") == {
            tagged("SELECT 'connected'", "changed"): "shop",
            tagged("SELECT 'changed'", "changed"): "mysql",
        }

    def test_a_packet_of_many_statements(self, engine: MySQLEngine, server: MariaServer) -> None:
        last = tagged("SELECT 3", "packet")
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE shop; SELECT 2; {last}")
            while cursor.nextset():
                pass
        whole = f"USE shop; SELECT 2; {last}"
        expected = whole if engine.packet_is_one_row else last
        assert engine.sent("packet") == {expected: "shop"}

    def test_a_prepared_statement_comes_once_with_its_values(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            comment = MARKER + ' {"project_id": "prepared"}'
            cursor.execute("PREPARE p FROM %s", (f"SELECT ? {comment}",))
            cursor.execute("SET @x = 41")
            cursor.execute("EXECUTE p USING @x")
        sent = engine.sent("prepared")
        assert f"SELECT 41 {comment}" in sent
        assert not [text for text in sent if text.startswith("SELECT ?")]

    def test_a_log_that_begins_inside_the_window_says_so(self, engine: MySQLEngine) -> None:
        # The day's table has a row of the day before; the server's own log has none.
        assert engine.source().losses(DAY).log_begins_at is None
        own = engine.source(logTable="mysql.general_log")
        begins = own.losses(of_today()).log_begins_at
        assert begins and timedelta(0) < datetime.now(timezone.utc) - begins < timedelta(hours=1)
        assert own.losses(DAY).log_begins_at is None

    def test_a_log_that_is_off_is_told_with_the_statement_that_mends_it(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL general_log = OFF")
            try:
                found = {finding.check: finding for finding in engine.source().probe()}
            finally:
                cursor.execute("SET GLOBAL general_log = ON")
            assert found["log enabled"].status == "failure"
            for statement in (found["log enabled"].mend or "").split(";"):
                cursor.execute(statement)  # what it names is right SQL here

    def test_a_log_with_an_index_as_the_page_makes_it_gives_the_same_by_a_range(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        page = Path(__file__).parents[2] / "docs/warehouses/mysql.md"
        (indexed,) = [text for text in page.read_text().split("```") if "ADD INDEX" in text]
        window = of_today()
        source = engine.source(logTable="mysql.general_log")
        before = rows(source.read(window))
        with server.connect() as connection, connection.cursor() as cursor:
            for statement in indexed.removeprefix("sql").strip().rstrip(";").split(";"):
                cursor.execute(statement)
            cursor.execute(
                "EXPLAIN SELECT * FROM mysql.general_log WHERE event_time >= NOW() + INTERVAL 1 DAY"
                " AND event_time < NOW() + INTERVAL 2 DAY"
            )
            (plan,) = cursor.fetchall()
            cursor.execute("USE shop")
            later = tagged("SELECT 'after the index'", "indexed")
            cursor.execute(later)
        assert "range" in plan
        after = {row["query_id"]: row for row in rows(source.read(window))}
        assert {row["query_id"]: row for row in before}.items() <= after.items()
        assert engine.sent("indexed") == {later: "shop"}
