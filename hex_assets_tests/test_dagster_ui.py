"""The Dagster UI in headless Chromium: a person materializes a day and finds what it made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hex_assets.demo.servers import Demo, demo_servers
from hex_assets_tests.servers.browser import chromium
from hex_assets_tests.servers.dagster_dev import dagster_dev, wait_for

pytestmark = pytest.mark.slow

GROUPS = ("catalog", "hex", "lineage", "publish", "query_log", "report")
# Dagster keeps the opened groups of its graph in the address.
OPENED = "%2C".join(f"global%40global%3A{group}" for group in GROUPS)
PATIENCE_SECONDS = 60


class Screen:
    """What a person sees and can click."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, path: str) -> None:
        self.browser.get(self.url + path)

    def until_shown(self, *texts: str) -> str:
        """The text of the page, once all of these are on it."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        def shown(browser: Any) -> str | None:
            text: str = browser.find_element("tag name", "body").text
            return text if all(wanted in text for wanted in texts) else None

        try:
            return WebDriverWait(self.browser, PATIENCE_SECONDS).until(shown)
        except TimeoutException:
            text = self.browser.find_element("tag name", "body").text
            pytest.fail(f"not all of {texts} on the page {self.browser.current_url}:\n{text}")

    def zoom_out(self, steps: int) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        icon = ("css selector", "[aria-label=zoom_out]")
        wait = WebDriverWait(self.browser, PATIENCE_SECONDS)
        for _ in range(steps):
            wait.until(lambda browser: browser.find_elements(*icon), "no zoom")[0].click()

    def click(self, label: str) -> None:
        """Click the last button whose text begins so: dialogs come last."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        def enabled(browser: Any) -> Any:
            buttons = browser.find_elements("tag name", "button")
            fit = [button for button in buttons if button.text.startswith(label)]
            return fit[-1] if fit and fit[-1].is_enabled() else None

        wait = WebDriverWait(
            self.browser, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException]
        )
        wait.until(enabled, f"no button {label!r}").click()


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_servers(tmp_path_factory.mktemp("ui")) as found:
        yield found


def test_a_day_is_materialized_by_clicks_and_its_tables_are_shown(
    own_demo: Demo, tmp_path: Path
) -> None:
    with (
        chromium(tmp_path) as browser,
        dagster_dev(own_demo) as url,
        dg.DagsterInstance.from_config(str(own_demo.folder / "dagster_home")) as instance,
    ):
        browser.set_window_size(2000, 1400)
        screen = Screen(browser, url)
        screen.open("/asset-groups")
        screen.until_shown(*GROUPS)
        screen.click("Materialize all")
        screen.click("Latest")
        screen.click("Launch")
        run = wait_for(instance, None, own_demo.folder / "dev.log")
        assert run.status == dg.DagsterRunStatus.SUCCESS
        day = run.tags["dagster/partition"]

        screen.open(f"/asset-groups?expanded={OPENED}")
        # What lies outside of the window is not drawn.
        screen.zoom_out(steps=6)
        screen.until_shown("projects", "statements", "edges", "publication", "impact")
        browser.save_screenshot(str(tmp_path / "graph.png"))

        screen.open(f"/assets/lineage/edges?partition={day}")
        screen.until_shown("Latest materialization", "query_count", "Freshness policy")
        browser.save_screenshot(str(tmp_path / "edges.png"))
        screen.open("/assets/lineage/statements?view=checks")
        screen.until_shown("parsed_share", "Passed")
        errors = [
            entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
        ]
    assert own_demo.openmetadata.writes
    assert not [message for message in errors if "127.0.0.1" in message and " 500 " in message]
