"""Results are kept from day to day, and a broken file of them costs time only."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import hex_assets
from hex_assets.lineage import cache as kept
from hex_assets.lineage import derive_statements
from hex_assets.lineage import sql as engine
from hex_assets.storage.lineage_cache import LineageCache
from hex_assets_tests.lineage.test_edges import log_of, row


@pytest.fixture()
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the engine was given."""
    texts: list[str] = []
    real = engine.extract

    def counted(sql: str, *rest: Any) -> Any:
        texts.append(sql)
        return real(sql, *rest)

    monkeypatch.setattr(engine, "extract", counted)
    return texts


def derive_day(base: Path, *sql: str) -> pa.Table:
    cache = LineageCache.load(str(base))
    log = log_of(*(row(number, text) for number, text in enumerate(sql)))
    statements = derive_statements(log, cache=cache)
    cache.save()
    return statements.drop_columns(["seconds"])


def test_the_second_day_analyses_only_what_is_new(tmp_path: Path, analysed: list[str]) -> None:
    first = derive_day(tmp_path, "SELECT a FROM t WHERE k = 1", "SELECT b FROM u")
    assert len(analysed) == 2
    derive_day(tmp_path, "SELECT a FROM t WHERE k = 2", "SELECT b FROM u", "SELECT c FROM v")
    assert analysed[2:] == ["SELECT c FROM v"]
    assert derive_day(tmp_path, "SELECT a FROM t WHERE k = 1", "SELECT b FROM u").equals(first)
    assert len(analysed) == 3


def test_a_kept_result_equals_a_fresh_one_in_every_field(tmp_path: Path) -> None:
    sql = "INSERT INTO s.o (x, y) SELECT t.a, max(u.b) FROM t JOIN u ON t.i = u.i GROUP BY t.a"
    fresh = engine.extract(sql, "snowflake")
    store: dict[str, str] = {}
    schema = kept.RecordingSchema(_Nothing())
    kept.keep(store, "f", fresh, schema)
    assert kept.load(store, "f", _Nothing()) == fresh


class _Nothing:
    def columns_of(self, parts: tuple[str, ...]) -> None:
        return None


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_a_broken_file_is_reported_and_replaced(
    tmp_path: Path, analysed: list[str], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(LineageCache(str(tmp_path)).location)
    file.parent.mkdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING, "hex_assets"):
        derive_day(tmp_path, "SELECT a FROM t")
    assert str(file) in caplog.text
    derive_day(tmp_path, "SELECT a FROM t")
    assert len(analysed) == 1


def test_two_runs_that_save_at_once_keep_the_results_of_both(tmp_path: Path) -> None:
    one, other = LineageCache.load(str(tmp_path)), LineageCache.load(str(tmp_path))
    one["a"] = "1"
    other["b"] = "2"
    one.save()
    other.save()
    both = LineageCache.load(str(tmp_path))
    assert (both.get("a"), both.get("b")) == ("1", "2")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["results.parquet"]


def test_the_file_is_bounded_and_drops_what_was_not_used_for_longest(tmp_path: Path) -> None:
    for key in "abc":
        cache = LineageCache.load(str(tmp_path), most_results=2)
        cache[key] = json.dumps(key)
        if key == "c":
            assert cache.get("a") is not None
        cache.save()
    left = LineageCache.load(str(tmp_path))
    assert [key for key in "abc" if left.get(key)] == ["a", "c"]


def test_it_works_behind_a_url() -> None:
    base = "memory://lineage-cache-test"
    cache = LineageCache.load(base)
    cache["k"] = "v"
    cache.save()
    assert LineageCache.load(base).get("k") == "v"


def test_an_engine_of_another_version_uses_none_of_the_results(
    tmp_path: Path, analysed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    derive_day(tmp_path, "SELECT a FROM t")
    monkeypatch.setattr(kept, "ENGINE_VERSION", "another")
    derive_day(tmp_path, "SELECT a FROM t")
    assert len(analysed) == 2


@pytest.mark.parametrize("module", ["sql.py", "engine/words.py", "engine/trees/joins.py"])
def test_a_changed_module_of_the_engine_makes_another_version(tmp_path: Path, module: str) -> None:
    package = Path(hex_assets.__file__).parent
    copied = tmp_path / "hex_assets"
    shutil.copytree(package / "lineage", copied / "lineage")
    for name in ("__init__.py", "tables.py"):
        shutil.copy(package / name, copied / name)

    def version() -> str:
        code = "from hex_assets.lineage.cache import ENGINE_VERSION; print(ENGINE_VERSION)"
        python = [sys.executable, "-c", code]
        found = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
        return found.stdout

    before = version()
    assert version() == before
    changed = copied / "lineage" / module
    changed.write_text(changed.read_text() + "# changed\n")
    assert version() != before
