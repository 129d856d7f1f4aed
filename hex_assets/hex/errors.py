"""What can go wrong with the Hex API. A message names what, where, the mend; never the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hex_assets.connection import Kind


class HexError(Exception):
    """A call of the Hex API failed."""

    mend = "see the message of Hex"

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        status: int | None = None,
        trace_id: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.method = method
        self.path = path
        self.status = status
        self.trace_id = trace_id
        self.mend = mend or type(self).mend
        super().__init__(message)

    def __str__(self) -> str:
        answered = f" answered {self.status}" if self.status else ""
        trace = f" (trace id {self.trace_id}, for Hex's support)" if self.trace_id else ""
        return f"Hex {self.method} {self.path}{answered}: {self.message}{trace}; {self.mend}"


class HexInvalidRequest(HexError):
    """400."""

    mend = "this is a defect of hex_assets or a change of Hex's API: please report it"


class HexAuthError(HexError):
    """401: the token is wrong, expired, or of another host."""

    mend = "make a new token in Hex's settings, and check that hostPort is your workspace's host"


class HexForbidden(HexError):
    """403: the token lacks a scope, or the plan lacks the endpoint."""

    mend = "give the token the read scope of this endpoint, or upgrade the plan that lacks it"


class HexNotFound(HexError):
    """404: gone, or not visible for this token."""

    mend = "check that the object exists and that the token may see it"


class HexUnprocessable(HexError):
    """422: not possible in this state, such as queried tables of a project never published."""

    mend = "publish the project in Hex first"


class HexRateLimited(HexError):
    """429, after all retries."""

    mend = "another program uses the same token: lower requestsPerMinute, or give it an own token"


class HexServerError(HexError):
    """5xx, after all retries."""

    mend = "try again later; if it stays, send the trace id to Hex's support"


class HexProtocolError(HexError):
    """The answer is not what the Hex API promises: HTML, a redirect, cut JSON, a cursor loop."""

    mend = "check that hostPort is the host of Hex itself, such as https://app.hex.tech"


class HexUnreachable(HexError):
    """No complete answer came: DNS, refused, TLS, time-out, proxy, broken off."""

    def __init__(self, message: str, *, kind: Kind, method: str, path: str, mend: str) -> None:
        self.kind = kind
        super().__init__(message, method=method, path=path, mend=mend)


ERROR_OF_STATUS: dict[int, type[HexError]] = {
    400: HexInvalidRequest,
    401: HexAuthError,
    403: HexForbidden,
    404: HexNotFound,
    422: HexUnprocessable,
    429: HexRateLimited,
}
