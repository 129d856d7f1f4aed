"""Why an HTTP host cannot be used: the cause and the mend. For the clients and the doctor.

A wrong `hostPort` has many faces (a name without an address, a closed port, a certificate, a
proxy, a login page); each needs another mend, so they are told apart here, once for all.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from hex_assets.probe import Finding

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
"""A healthy server answers an unauthenticated request in far less."""

Kind = Literal["dns", "refused", "tls", "timeout", "proxy", "broken"]


@dataclass(frozen=True)
class Cause:
    """Why no complete answer came."""

    kind: Kind
    detail: str
    mend: str


def probe_connection(
    host: str,
    path: str,
    *,
    key: str,
    example: str,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> Finding:
    """Ask once, without a token, and say whether the API answers there.

    Args:
        host: the configured base URL.
        path: of a cheap endpoint of the API; 401 is a good answer.
        key: the setting's name, for the mend.
        example: what a right value looks like.
        connect_seconds: for the connection with TLS.
        read_seconds: for the answer.

    Returns:
        One finding, `failure` with the cause unless JSON (or no body) came back.
    """
    try:
        response = requests.get(
            f"{host.rstrip('/')}{path}",
            headers={"Accept": "application/json"},
            timeout=(connect_seconds, read_seconds),
            allow_redirects=False,
            auth=_no_netrc,
        )
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        cause = explain(error, host, key)
        return Finding("connection", "failure", cause.detail, cause.mend)
    return _judge(response, host, path, key, example)


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` of our own: requests would otherwise send what ~/.netrc has for the host."""
    return request


def _judge(response: requests.Response, host: str, path: str, key: str, example: str) -> Finding:
    status, kind = response.status_code, response.headers.get("Content-Type", "")
    seconds = response.elapsed.total_seconds()
    right = f"set {key} to the API's host, such as {example}"
    if status == 407:
        return Finding("connection", "failure", f"a proxy between asks for a login ({host})", PROXY)
    if 300 <= status < 400:
        target = urlsplit(response.headers.get("Location", ""))
        where = f"{target.scheme}://{target.netloc}" if target.netloc else "another page"
        return Finding("connection", "failure", f"{host} redirects to {where}", right)
    if "html" in kind or response.text.lstrip()[:1] == "<":
        cause = f"{host} answered {status} with an HTML page, not with the API"
        return Finding("connection", "failure", cause, right)
    if status == 404:
        return Finding("connection", "failure", f"{host} has no {path} (404)", right)
    if status >= 500:
        cause = f"{host} answered {status} ({response.reason or 'server error'})"
        mend = "the server or the gateway before it is ill; try again, then ask its operator"
        return Finding("connection", "failure", cause, mend)
    return Finding("connection", "ok", f"{host} answers in {seconds:.2f} s")


PROXY = (
    "check HTTPS_PROXY, HTTP_PROXY and the login in it; to go past the proxy, put the host into "
    "NO_PROXY"
)


def explain(error: BaseException, host: str, key: str) -> Cause:
    """The cause of a failed HTTP request, from the innermost error that tells.

    Args:
        error: what requests or urllib3 raised.
        host: the configured base URL.
        key: the setting's name, for the mend.
    """
    url = urlsplit(host)
    port = url.port or (443 if url.scheme == "https" else 80)
    place = f"{url.hostname}:{port}"
    chain = list(_causes(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in chain if isinstance(each, kinds)), None)

    if among(requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        detail = f"the proxy does not let {place} through ({_reason(chain[-1])})"
        return Cause("proxy", detail, PROXY)
    if among(urllib3.exceptions.NameResolutionError, socket.gaierror):
        return Cause(
            "dns",
            f"there is no host {url.hostname}: DNS knows no address of it",
            f"check the spelling of {key}, and DNS or VPN on this machine",
        )
    if found := among(ssl.SSLError, requests.exceptions.SSLError):
        return _explain_tls(found, chain, place, key)
    if among(ConnectionRefusedError):
        return Cause(
            "refused",
            f"{place} does not accept connections: refused, nothing listens there",
            f"check host and port of {key}, and that the server is up",
        )
    if among(requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return Cause(
            "timeout",
            f"time-out: {place} gave no answer in time, it did not take the connection",
            f"check host and port of {key}, and that no firewall keeps this machine from {place}",
        )
    if among(requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return Cause(
            "timeout",
            f"time-out: {place} took the connection and gave no answer in time",
            f"check that {key} is the HTTP port and that the server is not overloaded",
        )
    if among(urllib3.exceptions.NewConnectionError):
        return Cause(
            "refused",
            f"{place} does not accept connections ({_reason(chain[-1])})",
            f"check host and port of {key}, the network and firewalls",
        )
    if among(urllib3.exceptions.ProtocolError, ConnectionResetError):
        return Cause(
            "broken",
            f"{place} closed the connection before the whole answer had come",
            f"try again; if it stays, check scheme and port of {key} (the port may speak TLS or"
            " another protocol) and proxies in between",
        )
    return Cause(
        "broken",
        f"no whole answer from {place} ({_reason(chain[-1])})",
        f"try again; if it stays, check {key} and the network",
    )


def _explain_tls(found: BaseException, chain: list[BaseException], place: str, key: str) -> Cause:
    texts = " ".join(str(each) for each in chain)
    if isinstance(verification := chain[-1], ssl.SSLCertVerificationError):
        said = verification.verify_message or "not valid"
        if "Hostname mismatch" in said or "IP address mismatch" in said:
            return Cause(
                "tls",
                f"TLS: the certificate of {place} is for another name",
                f"set {key} to the name in the certificate",
            )
        if "expired" in said:
            detail = f"TLS: the certificate of {place} has expired"
            return Cause("tls", detail, "have the server's renewed")
        return Cause(
            "tls",
            f"TLS: the certificate of {place} is not trusted ({said})",
            "set REQUESTS_CA_BUNDLE to the PEM file of your own authority",
        )
    if "WRONG_VERSION_NUMBER" in texts or "RECORD_LAYER" in texts or "HTTP_REQUEST" in texts:
        return Cause(
            "tls",
            f"TLS: {place} does not speak TLS",
            f"write http:// in {key}, or the port that speaks TLS",
        )
    detail = f"TLS failed with {place} ({_reason(chain[-1])})"
    return Cause("tls", detail, "check the server's TLS versions")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first: requests and urllib3 nest in three ways."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        inner = getattr(found, "reason", None) or next(
            (each for each in found.args if isinstance(each, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            inner = getattr(found, "original_error", None) or found.__cause__ or found.__context__
        found = inner


def _reason(error: BaseException) -> str:
    """An error's kind and text without addresses of objects."""
    text = str(error).split(">: ")[-1].split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
