"""A statement that a client of Trino wrapped is read without the wrap, its comment kept."""

from __future__ import annotations

import pytest

from hex_assets.warehouses.trino_text import executed_text


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("EXECUTE IMMEDIATE 'SELECT ''a'', ? -- c {}' USING 'it''s', 3", "SELECT 'a', ? -- c {}"),
        ("\n execute  immediate\n'SELECT 1\r\n-- c'", "SELECT 1\r\n-- c"),
        ("PREPARE st_1 FROM SELECT ?\n-- c", "SELECT ?\n-- c"),
        ('prepare "my ""own""" from SELECT 1', "SELECT 1"),
        ("EXECUTE st_1 USING 3", "EXECUTE st_1 USING 3"),
        ("EXECUTE IMMEDIATE 'not ended", "EXECUTE IMMEDIATE 'not ended"),
        ("SELECT 'EXECUTE IMMEDIATE ''x'''", "SELECT 'EXECUTE IMMEDIATE ''x'''"),
        ("PREPARE", "PREPARE"),
        ("", ""),
    ],
)
def test_the_statement_inside_is_read(sent: str, meant: str) -> None:
    assert executed_text(sent) == meant
