"""What can go wrong with the catalog, as types whose messages say what, where and the mend."""

from __future__ import annotations

from collections.abc import Sequence


class OpenMetadataError(Exception):
    """A request to OpenMetadata failed, or its answer cannot be used.

    The message names method, path, status, the server's own words and the mend; never the token.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        server_message: str = "",
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.status = status
        self.server_message = server_message


class Unreachable(OpenMetadataError):
    """No answer: host, network, TLS or time-out, after all retries."""


class NotOpenMetadata(OpenMetadataError):
    """Something answered, but not OpenMetadata's API: wrong host, port or path."""


class NotAuthenticated(OpenMetadataError):
    """401: the token is missing, wrong or expired."""


class NotAllowed(OpenMetadataError):
    """403: the bot lacks a right."""


class NotFound(OpenMetadataError):
    """404: the entity, or something that the request names, does not exist."""


class ChangedMeanwhile(OpenMetadataError):
    """412, or an entity that somebody changed after it was read; nothing was written."""


class PublicationRefused(Exception):
    """The publication must not begin; nothing was written. The message names reason and mend."""


class PublicationFailed(Exception):
    """Some entities could not be published; all others were. Names every one of them."""

    def __init__(self, failures: Sequence[tuple[str, str, str]]) -> None:
        self.failures = tuple(failures)
        lines = "\n".join(f"  {kind} {name}: {reason}" for kind, name, reason in failures)
        super().__init__(
            f"{len(failures)} of the catalog's entities could not be published; the others were, "
            f"and the next run tries these again:\n{lines}"
        )
