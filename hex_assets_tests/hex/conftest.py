"""A running Hex server and clients that do not wait long."""

from collections.abc import Iterator

import pytest

from hex_assets.demo.hex_server import TOKEN, HexServer
from hex_assets.hex.client import HexClient
from hex_assets.hex.transport import Limits

QUICK = Limits(connect_seconds=2, read_seconds=2, retries=2, backoff_seconds=0, window_seconds=0.2)


def client_of(url: str, limits: Limits = QUICK, token: str = TOKEN) -> HexClient:
    return HexClient(
        host=url,
        token=token,
        token_type="workspace" if token.startswith("hxtw_") else "personal",
        requests_per_minute=60_000,
        api_group_requests_per_minute=60_000,
        limits=limits,
    )


@pytest.fixture
def server() -> Iterator[HexServer]:
    with HexServer() as running:
        yield running


@pytest.fixture
def client(server: HexServer) -> Iterator[HexClient]:
    with client_of(server.url) as made:
        yield made


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, whatever the environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
