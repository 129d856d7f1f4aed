"""What a probe of an outside system finds: shared by the doctor, the jobs and the probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was tried, how it went and, where it went wrong, what mends it."""

    check: str
    status: Literal["ok", "warning", "failure"]
    detail: str
    mend: str | None = None
