"""One self-contained HTML file: it loads nothing, and its policy forbids it to."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from hex_assets.report.data import Report
from hex_assets.report.encode import encoded

CYTOSCAPE = "vendor/cytoscape-3.34.4.min.js"
"""MIT, see vendor/cytoscape-LICENSE.txt; from npm, unchanged. 425 kB, no dependencies."""
SCRIPTS = ("model.js", "ui.js", "views.js", "graph.js", "app.js")


def render_page(report: Report) -> str:
    """The page as text, to be stored as UTF-8.

    All data is in one script element as base64, so that no title can end it; the page writes
    it as text nodes only. Scripts run by their hash: what is injected does not.
    """
    app = "(() => {\n" + "\n".join(_static(name) for name in SCRIPTS) + "\n})();"
    library = _static(CYTOSCAPE)
    page = _static("page.html")
    parts = {
        "@@POLICY@@": _policy(library, app),
        "@@STYLE@@": _static("style.css"),
        "@@DATA@@": encoded(report),
        "@@LIBRARY@@": library,
        "@@APP@@": app,
    }
    # In one pass over the template: a marker inside a script stays what it is.
    for marker, content in parts.items():
        before, found, after = page.partition(marker)
        if not found:
            raise ValueError(f"static/page.html has no {marker}")
        page = before + content + after
    return page


def _policy(*scripts: str) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _static(name: str) -> str:
    return (files("hex_assets.report") / "static" / name).read_text(encoding="utf-8")
