"""How long the impact page takes to open and to answer: 5,000 projects, 50,000 edges.

    python benchmarks/report_page.py [--keep FILE]

Needs Chromium and chromedriver. Prints the size, the median time to open, and the median of 20
searches, each from the keystroke to the laid-out answer.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

from hex_assets.report.data import Window, build_report
from hex_assets.report.page import render_page
from hex_assets_tests.report.frames import NOW, large_frames
from hex_assets_tests.servers.browser import chromium

SEARCHES = (
    "orders",
    "amount",
    "customer_id",
    "rev",
    "a",
    "team 42",
    "shop.fact",
    "e",
    "dim",
    "zzz",
)
SEARCH = """
const box = document.getElementById("search"), done = arguments[1], word = arguments[0];
box.focus(); const start = performance.now();
box.value = word; box.dispatchEvent(new Event("input"));
document.getElementById("results").getBoundingClientRect();
done(performance.now() - start);
"""
READY = """
const done = arguments[0];
const look = () => document.documentElement.dataset.ready
  ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 5);
look();
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="also store the page here")
    keep = parser.parse_args().keep
    frames = large_frames(projects=5_000, edges=50_000)
    started = time.perf_counter()
    page = render_page(
        build_report(
            **frames, window=Window(date(2026, 11, 1), date(2026, 11, 20), 20), generated_at=NOW
        )
    )
    print(f"written in {time.perf_counter() - started:.2f} s, {len(page.encode()) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        file = keep or Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        opens = []
        for _ in range(5):
            browser.get("about:blank")
            browser.get(file.resolve().as_uri())
            opens.append(browser.execute_async_script(READY))
        # performance.now() counts from the start of the navigation.
        print(f"opens in {statistics.median(opens):.0f} ms (median of 5), worst {max(opens):.0f}")
        times = [browser.execute_async_script(SEARCH, word) for word in SEARCHES * 2]
        print(
            f"answers in {statistics.median(times):.1f} ms (median of {len(times)} searches), "
            f"worst {max(times):.1f} ms"
        )


if __name__ == "__main__":
    main()
