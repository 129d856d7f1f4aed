"""The page in a real Chromium: what a person does with it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hex_assets.report.data import Links, Window, build_report
from hex_assets.report.page import render_page
from hex_assets_tests.report.frames import NASTY, NOW, ORDERS, small_frames
from hex_assets_tests.servers.browser import chromium

pytestmark = pytest.mark.slow
WINDOW = Window(date(2026, 11, 1), date(2026, 11, 20), 18)
CSS = "css selector"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Any]:
    with chromium(folder) as found:
        yield found


@pytest.fixture
def show(browser: Any, folder: Path) -> Callable[[str], None]:
    file = folder / "page.html"
    links = Links("https://catalog.test", "hex")
    report = build_report(**small_frames(), window=WINDOW, generated_at=NOW, links=links)
    file.write_text(render_page(report), encoding="utf-8")

    def at(fragment: str = "") -> None:
        browser.get("about:blank")
        browser.get(file.as_uri() + fragment)
        wait(lambda: browser.execute_script("return document.documentElement.dataset.ready"))

    return at


def wait(met: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end, "did not come in time"
        time.sleep(0.05)
    return found


def keys(browser: Any, *what: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*what).perform()


def texts(browser: Any, selector: str) -> list[str]:
    return [found.text for found in browser.find_elements(CSS, selector)]


def heading(browser: Any) -> str:
    return browser.find_element(CSS, "h1").text


def test_search_by_keys_alone_leads_to_a_columns_readers(browser: Any, show: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    show()
    keys(browser, "/")
    keys(browser, "orders amo")
    assert texts(browser, ".option span:first-child") == [f"{ORDERS}.amount"]
    keys(browser, Keys.ESCAPE)
    assert not browser.find_element(CSS, "#results").is_displayed()
    keys(browser, Keys.BACKSPACE * 10, "orders", Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ENTER)
    wait(lambda: heading(browser) == ORDERS)
    assert texts(browser, "#readers td.name a") == [NASTY, "=Growth", "ghost"]


def test_titles_are_text_and_nothing_leaves_the_file(browser: Any, show: Any) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    show("#/project/sales")
    assert heading(browser) == NASTY
    assert not browser.find_elements(CSS, "main img")
    show("#/graph")
    sent = [
        message["params"]["request"]["url"]
        for line in browser.get_log("performance")
        if (message := json.loads(line["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert sent and not [url for url in sent if not url.startswith(("file:", "blob:", "data:"))]
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_filters_narrow_the_readers_and_stay_in_the_link(browser: Any, show: Any) -> None:
    show(f"#/table/{ORDERS}")
    next(c for c in browser.find_elements(CSS, ".chip") if c.text == "filter").click()
    wait(lambda: "usage=filter" in browser.current_url)
    wait(lambda: len(texts(browser, "#readers td.name a")) == 2)
    show(f"#/table/{ORDERS}?column=amount&usage=filter")
    assert texts(browser, "#readers td.name a") == ["=Growth"]
    show(f"#/table/{ORDERS}")
    browser.find_element(CSS, "#readers .filter").send_keys("growth@")
    assert texts(browser, "#readers td.name a") == ["=Growth"]
    link = browser.current_url.split("#")[1]
    show(f"#{link}")
    assert texts(browser, "#readers td.name a") == ["=Growth"]


def test_a_row_opens_to_its_cells_with_links_and_mail(browser: Any, show: Any) -> None:
    show(f"#/table/{ORDERS}?column=amount")
    browser.find_element(CSS, "#readers .open").click()
    cell = browser.find_element(CSS, "tr.cells a")
    assert cell.get_attribute("href") == (
        "https://app.hex.tech/fern/hex/sales/draft/logic?selectedCellId=sales-cell"
    )
    browser.find_elements(CSS, "#readers .open")[1].click()
    labelled = browser.find_element(CSS, "a[href='https://eu.hex.tech/x']")
    assert labelled.text == "<b>Sums</b>"
    mails = [
        a.get_attribute("href") for a in browser.find_elements(CSS, "#readers a[href^=mailto]")
    ]
    assert mails[0].startswith("mailto:sales@fernhill.test?subject=Change%20to%20")
    assert "may read this column too" in browser.find_element(CSS, ".note").text
    catalog = browser.find_element(CSS, "a[href^='https://catalog.test']")
    assert catalog.get_attribute("href") == f"https://catalog.test/table/{ORDERS}"


def test_the_csv_holds_the_rows_shown_and_no_formula(browser: Any, show: Any, folder: Path) -> None:
    show(f"#/table/{ORDERS}?column=amount")
    browser.find_element(CSS, "#readers .csv").click()
    downloads = folder / "downloads"
    file = wait(lambda: next(downloads.glob("*.csv"), None) if downloads.is_dir() else None)
    rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[0] for row in rows] == ["Project", NASTY, "'=Growth"]
    assert rows[1][rows[0].index("Queries")] == "30"


def test_lists_name_the_dead_the_single_and_the_missing(browser: Any, show: Any) -> None:
    show("#/dead")
    assert texts(browser, "td.name a") == ["Dead"]
    show("#/missing")
    assert texts(browser, "td.name a") == ["lost.table"]
    show("#/single")
    assert sorted(texts(browser, "td.name a")) == ["lost.table", "wh.shop.public.customers"]
    show("#/")
    assert "1 statement of 2 could not be read whole" in browser.find_element(CSS, ".note").text


def test_a_click_in_the_graph_draws_a_nodes_neighbours(browser: Any, show: Any) -> None:
    show(f"#/graph?focus=table:{ORDERS}")
    count = "return Number(document.getElementById('canvas').dataset.nodes)"
    assert wait(lambda: browser.execute_script(count)) == 4
    place = browser.execute_script(
        "const c = document.getElementById('canvas');"
        "const p = c.graph.getElementById('project:growth').renderedPosition();"
        "return [p.x - c.clientWidth / 2, p.y - c.clientHeight / 2]"
    )
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = browser.find_element(CSS, "#canvas")
    ActionChains(browser).move_to_element_with_offset(canvas, *map(round, place)).click().perform()
    wait(lambda: browser.execute_script(count) == 6)
    assert browser.find_element(CSS, "aside h2").text == "=Growth"
    link = browser.current_url.split("#")[1]
    show(f"#{link}")
    assert wait(lambda: browser.execute_script(count)) == 6


def test_the_graph_can_be_walked_without_a_mouse(browser: Any, show: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    show(f"#/graph?focus=table:{ORDERS}")
    wait(lambda: texts(browser, "aside li"))[0]
    browser.find_elements(CSS, "aside li button")[1].send_keys(Keys.ENTER)
    wait(lambda: browser.find_element(CSS, "aside h2").text != ORDERS)


def test_the_theme_follows_the_system_until_it_is_chosen(browser: Any, show: Any) -> None:
    def system(theme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": theme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def background() -> str:
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    system("dark")
    show()
    assert background() == "rgb(21, 22, 26)"
    browser.find_element(CSS, "#theme").click()
    assert background() == "rgb(250, 250, 249)"
    show()
    assert background() == "rgb(250, 250, 249)"
    browser.execute_script("localStorage.clear()")


def test_a_name_that_is_gone_is_said(browser: Any, show: Any) -> None:
    show("#/table/nowhere")
    assert heading(browser) == "No such table"
