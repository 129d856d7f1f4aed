"""Known errors of the outside world as Dagster failures that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from hex_assets.hex.errors import HexError
from hex_assets.openmetadata.errors import (
    OpenMetadataError,
    PublicationFailed,
    PublicationRefused,
)
from hex_assets.secret import UnsetVariable
from hex_assets.storage.store import MissingTable
from hex_assets.warehouses.base import LogSourceError, WindowExpired, WindowTooYoung

FINAL = (UnsetVariable, MissingTable, PublicationRefused, WindowExpired, WindowTooYoung)
"""Errors that another try cannot mend."""
KNOWN = (
    HexError,
    LogSourceError,
    OpenMetadataError,
    PublicationFailed,
)
"""Errors that may be gone at the next try."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn a known error into a `dagster.Failure` whose description says what, where, the mend.

    Anything else is a defect of ours and keeps its traceback.
    """
    try:
        yield
    except FINAL as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except KNOWN as error:
        raise dg.Failure(description=str(error)) from None
