"""Records of PostgreSQL's log files: prefixes, zones, texts with anything in them, torn ends."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hex_assets.warehouses.postgres_lines import (
    Clock,
    CsvLayout,
    JsonLayout,
    Layout,
    LogLine,
    split_lines,
)
from hex_assets.warehouses.postgres_prefix import CloudLayout, PrefixLayout, prefix_pattern
from hex_assets.warehouses.registry import warehouse_settings

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
# What a statement can hold: anything but NUL, which PostgreSQL refuses.
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def lines_of(layout: Layout, *chunks: bytes) -> list[LogLine]:
    return [layout.parse(record) for record in layout.records(split_lines(chunks))]


def csv_row(text: str, number: int = 1, columns: int = 26) -> bytes:
    row = ["2026-11-22 12:00:00.000 UTC", "hex", "shop", "7", "::1:5", "6ac.1", str(number)]
    row += ["SELECT", "2026-11-22 11:00:00 UTC", "3/1", "0", "LOG", "00000", text]
    row += [""] * (columns - len(row))
    out = io.StringIO()
    # As the server: a column of text is quoted, a number is not, an absent one is nothing.
    out.write(row[0] + ",")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row[1:3])
    out.write(",7,")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row[4:5])
    out.write(f",6ac.1,{number},")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row[7:8])
    out.write(f",{row[8]},3/1,0,LOG,00000,")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow([text])
    out.write("," * (columns - 14) + "\n")
    return out.getvalue().encode()


@given(st.lists(TEXTS, min_size=1), st.integers(1, 50))
def test_any_text_comes_out_of_csvlog_in_chunks_of_any_size(texts: list[str], size: int) -> None:
    written = b"".join(csv_row(text, number) for number, text in enumerate(texts))
    chunks = [written[begin : begin + size] for begin in range(0, len(written), size)]
    assert [line.message for line in lines_of(CsvLayout(), *chunks)] == texts


@given(st.lists(TEXTS, min_size=1))
def test_any_text_comes_out_of_the_plain_log(texts: list[str]) -> None:
    head = "2026-11-22 12:00:00 UTC:[local]:hex@shop:[7]:LOG:  "
    written = "".join(head + text.replace("\n", "\n\t") + "\n" for text in texts).encode()
    found = lines_of(PrefixLayout(), written)
    assert [line.message for line in found] == texts
    assert len({line.key for line in found}) == len(set(texts))


@pytest.mark.parametrize("columns", [23, 24, 26])
def test_csvlog_of_older_servers_has_fewer_columns(columns: int) -> None:
    (line,) = lines_of(CsvLayout(), csv_row("duration: 1 ms  statement: x", columns=columns))
    assert (line.user, line.database, line.key) == ("hex", "shop", "6ac.1:1")


def test_a_torn_row_of_csvlog_ends_where_the_next_begins() -> None:
    torn = csv_row("duration: 1 ms  statement: select 'a'\nfrom t")[:-16] + b"\n"
    # A text that looks like the beginning of a row has its quotes doubled, and is no row.
    trap = csv_row("select 1\n" + csv_row("x", 9).decode(), 2)
    found = list(CsvLayout().records(split_lines([torn + trap + csv_row("last", 3)])))
    assert [record.whole for record in found] == [False, True, True]
    assert [record.line for record in found] == [1, 3, 6]
    assert CsvLayout().parse(found[1]).message.startswith("select 1\n2026-")


@pytest.mark.parametrize(
    ("prefix", "written"),
    [
        ("%t:%r:%u@%d:[%p]:", "2026-11-22 12:00:00 UTC:127.0.0.1(5432):hex@shop:[7]:"),
        ("%t:%r:%u@%d:[%p]:", "2026-11-22 12:00:00 UTC:2001:db8::1(5432):hex@shop:[7]:"),
        ("%t:%r:%u@%d:[%p]:", "2026-11-22 12:00:00 UTC:::1(5432):hex@shop:[7]:"),
        ("%t:%r:%u@%d:[%p]:", "2026-11-22 12:00:00 UTC:[local]:hex@shop:[7]:"),
        ("%m [%p] %q%u@%d ", "2026-11-22 12:00:00.000 UTC [7] hex@shop "),
        (
            "%m [%p]: [%l-1] db=%d,user=%u ",
            "2026-11-22 12:00:00.000 UTC [7]: [3-1] db=shop,user=hex ",
        ),
        ("%n %c %l %-10u|%d %Q", "1795348800.000 6ac.1 3 hex       |shop 77"),
        ("%a|%b|%e|%h|%i|%s|%v|%x|%P|%%%u@%d %t", "psql|client backend|00000|::1|SELECT|"
         "2026-11-22 11:00:00 UTC|3/1|0||%hex@shop 2026-11-22 12:00:00 UTC "),
    ],
)  # fmt: skip
def test_a_prefix_is_read(prefix: str, written: str) -> None:
    (line,) = lines_of(PrefixLayout(prefix), f"{written}LOG:  a message\n".encode())
    assert (line.ended_at, line.user, line.database) == (NOON, "hex", "shop")
    assert (line.severity, line.message) == ("LOG", "a message")
    assert (line.engine_hash == "77") == ("%Q" in prefix)
    assert (line.key == "6ac.1:3") == ("%c" in prefix)


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("%u@%d ", "needs the time"), ("%t %m ", "once"), ("%t %y", "%y"), ("%t %u %u", "twice")],
)
def test_a_prefix_that_cannot_be_read_is_refused(prefix: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prefix_pattern(prefix)
    keys = {"type": "postgresFiles", "files": ["x"], "format": "stderr", "logLinePrefix": prefix}
    with pytest.raises(ValueError, match=message):
        warehouse_settings(keys)


@pytest.mark.parametrize(
    ("zone", "written", "utc"),
    [
        ("UTC", "2026-11-22 12:00:00.000 UTC", NOON),
        ("Europe/Berlin", "2026-11-22 13:00:00.000 CET", NOON),
        ("America/Sao_Paulo", "2026-11-22 09:00:00.000 -03", NOON),
        # The hour that comes twice when summer ends.
        ("Europe/Berlin", "2026-10-25 02:30:00 CEST", datetime(2026, 10, 25, 0, 30)),
        ("Europe/Berlin", "2026-10-25 02:30:00 CET", datetime(2026, 10, 25, 1, 30)),
        ("UTC", "2026-11-22 13:00:00.000 CET", None),
    ],
)
def test_the_zone_of_the_log(zone: str, written: str, utc: datetime | None) -> None:
    moment, _, abbreviation = written.encode().rpartition(b" ")
    expected = utc.replace(tzinfo=timezone.utc) if utc else None
    assert Clock(zone).at(moment, abbreviation) == expected


def test_jsonlog_with_escapes() -> None:
    entry = {
        "timestamp": "2026-11-22 12:00:00.000 UTC", "user": 'a"b', "dbname": "shop",
        "session_id": "6ac.1", "line_num": 3, "error_severity": "ERROR", "message": "no",
        "statement": "select\n'\U0001f600'", "query_id": 0,
    }  # fmt: skip
    line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
    layout = JsonLayout()
    whole, torn = layout.records(split_lines([line + b"\n" + line[:-5]]))
    parsed = layout.parse(whole)
    assert (parsed.user, parsed.failed_text) == ('a"b', entry["statement"])
    assert layout.head(whole) == (NOON, 'a"b')
    assert parsed.engine_hash is None
    assert not torn.whole


def cloud(insert_id: str, text: str, **keys: object) -> bytes:
    return json.dumps({"insertId": insert_id, "textPayload": text, **keys}).encode() + b"\n"


def test_parts_of_an_entry_of_cloud_logging_are_put_together() -> None:
    head = "2026-11-22 12:00:00.000 UTC [7]: [3-1] db=shop,user=hex LOG:  "
    split = {"uid": "u", "totalSplits": 2}
    written = [
        cloud("b", "'long'", split=split | {"index": 1}),
        cloud("c", head + "select 1"),
        cloud("d", "\tfrom t"),
        cloud("a", head + "select ", split=split | {"index": 0}),
        cloud("e", head + "half", split={"uid": "v", "index": 0, "totalSplits": 2}),
        b'{"torn": ',
    ]
    records = list(CloudLayout().records(split_lines(written)))
    texts = {
        record.insert_id: CloudLayout().parse(record).message for record in records if record.whole
    }
    assert texts == {"a": "select 'long'", "c": "select 1\nfrom t"}
    assert sum(not record.whole for record in records) == 2
