"""Results of the lineage engine, kept from run to run as one Parquet file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from hex_assets.storage.store import replacing

FILE = "lineage_cache/results.parquet"
MOST_RESULTS = 100_000
"""A result takes 1 to 3 kB, packed about a fifth: a full file stays below 100 MB."""

_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("used_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
_log = logging.getLogger("hex_assets")


@dataclass
class LineageCache:
    """A `lineage.CacheStore` over one file: load it, use it, save it.

    Losing it costs time and never a result: a missing or broken file is an empty cache, and of
    two runs that save at once the later keeps what it finds in the file besides its own.
    """

    base: str
    """Folder or fsspec URL, as of the table store."""
    most_results: int = MOST_RESULTS
    """Of more, those that were not used for longest are dropped."""
    added_count: int = 0
    used_count: int = 0
    _known: dict[str, tuple[str, datetime]] = field(default_factory=dict, repr=False)
    _touched: dict[str, None] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, base: str, most_results: int = MOST_RESULTS) -> LineageCache:
        """The results that earlier runs kept; none, with a logged warning, if unreadable."""
        cache = cls(base, most_results)
        cache._known = dict(cache._stored())
        return cache

    def get(self, key: str, /) -> str | None:
        """The kept result, or None."""
        kept = self._known.get(key)
        if kept is None:
            return None
        if key not in self._touched:
            self._touched[key] = None
            self.used_count += 1
        return kept[0]

    def __setitem__(self, key: str, value: str, /) -> None:
        self._known[key] = (value, datetime.now(timezone.utc))
        self._touched[key] = None
        self.added_count += 1

    def save(self) -> None:
        """Write what this run used or added, with what the file holds by now, in one step.

        Raises:
            OSError: the folder or bucket cannot be written.
        """
        if not self._touched:
            return
        now = datetime.now(timezone.utc)
        merged = dict(self._stored())
        merged.update({key: (self._known[key][0], now) for key in self._touched})
        newest = sorted(merged, key=lambda key: merged[key][1], reverse=True)
        keys = newest[: self.most_results]
        table = pa.table(
            [keys, [merged[key][0] for key in keys], [merged[key][1] for key in keys]],
            schema=_SCHEMA,
        )
        files, path = fsspec.core.url_to_fs(self.location)
        with replacing(files, path) as file:
            pq.write_table(table, file, compression="zstd")

    @property
    def location(self) -> str:
        """Where the file is."""
        return f"{self.base.rstrip('/')}/{FILE}"

    def _stored(self) -> Mapping[str, tuple[str, datetime]]:
        files, path = fsspec.core.url_to_fs(self.location)
        try:
            with files.open(path, "rb") as file:
                table = pq.read_table(file).cast(_SCHEMA)
        except FileNotFoundError:
            return {}
        except (pa.ArrowException, OSError, ValueError) as error:
            _log.warning(
                "the kept lineage results in %s cannot be read (%s): every statement is analysed "
                "anew and the file is replaced",
                self.location,
                str(error).split("\n", 1)[0],
            )
            return {}
        columns = (table[name].to_pylist() for name in ("key", "value", "used_at"))
        return {key: (value, at) for key, value, at in zip(*columns, strict=True)}
