"""A reader process that is to be killed: stores what it reads, and waits after the first part."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from hex_assets.storage.spool import Spool
from hex_assets.warehouses.base import LOG_SCHEMA, Window
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.warehouses.conformance import PAGE_ROWS, small_pages


def main() -> None:
    settings, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    # The parent's day: midnight may have passed since.
    day = Window(*map(datetime.fromisoformat, sys.argv[3:5]))
    source = warehouse_settings(settings).source("killed")
    small_pages(source, setattr)
    spool = Spool(folder, LOG_SCHEMA, part_rows=PAGE_ROWS)
    for batch in source.read(day):
        spool.append(batch)
        spool.flush()
        print("stored", flush=True)
        sys.stdin.read()  # until it is killed


if __name__ == "__main__":
    main()
