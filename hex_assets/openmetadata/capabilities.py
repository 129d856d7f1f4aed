"""What a server of a given version knows. The rest of the publisher asks this, never a version.

The boundaries come from the published schemas of 1.9.0 - 2.0.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CHART_TYPES_1_9 = frozenset("Line Table Bar Area Pie Histogram Scatter Text BoxPlot Other".split())
CHART_TYPES_1_9_13 = frozenset("Gauge Map Graph Heatmap Timeline".split())


@dataclass(frozen=True)
class Capabilities:
    """A server's version and what follows from it."""

    version: tuple[int, ...]
    hex_service_type: bool
    """DashboardServiceType has `Hex`."""
    chart_types: frozenset[str]
    data_model_source_url: bool
    """CreateDashboardDataModel takes sourceUrl; before, the field is a 400."""
    if_match: bool
    """PATCH honours If-Match with a weak tag; before, the header is ignored."""

    @property
    def service_type(self) -> str:
        """The type of a service that is created now; a stored service keeps its own."""
        return "Hex" if self.hex_service_type else "CustomDashboard"

    def chart_type(self, wanted: str) -> str:
        """The chart type if the server has it, else Other."""
        return wanted if wanted in self.chart_types else "Other"

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def parse_version(text: str) -> tuple[int, ...]:
    """`1.10.2`, `1.9.13-SNAPSHOT` or `2.0.6.0` as numbers.

    Raises:
        ValueError: the text does not begin with a version.
    """
    found = re.match(r"\d+(?:\.\d+)+", text)
    if not found:
        raise ValueError(f"{text!r} is not a version such as 1.10.2")
    return tuple(int(part) for part in found.group().split("."))


def capabilities(version: str) -> Capabilities:
    """What a server of this version knows."""
    parsed = parse_version(version)
    chart_types = CHART_TYPES_1_9
    if parsed >= (1, 9, 13):
        chart_types |= CHART_TYPES_1_9_13
    if parsed >= (1, 10):
        chart_types |= {"SanKey"}
    return Capabilities(
        version=parsed,
        hex_service_type=parsed >= (1, 10, 2),
        chart_types=chart_types,
        data_model_source_url=parsed >= (1, 9, 13),
        if_match=parsed >= (1, 13),
    )
