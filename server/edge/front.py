"""The front of the house: for which names it answers, and what every answer tells a browser.

A browser that was led here under another name (DNS rebinding, a forged Host before a cache) is turned away before
anything else is looked at.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from server.domain.errors import MisdirectedRequest
from server.edge.errors import PROBLEM_JSON, problem_document
from server.given import split_host
from server.settings import Settings

ANY_HOST = ("/health/", "/metrics")
"""Load balancers and Prometheus ask by address, whatever the site is called."""
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""OWASP ASVS 5.0, 3.4.1: a year, subdomains too."""
ISOLATED: tuple[tuple[bytes, bytes], ...] = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
NOT_EMBEDDED = (b"cross-origin-resource-policy", b"same-site")
"""Not for assets: a page on another site may lie on a CDN that takes them from here."""


class Front:
    """Refuses hosts that are not in ALLOWED_HOSTS and adds headers for browsers. Stands inside `Telemetry`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._hosts = settings.allowed_hosts
        self._proxies = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        if self._hosts and not scope["path"].startswith(ANY_HOST) and not self._is_ours(scope):
            await (_refuse_socket(receive, send) if kind == "websocket" else _refuse(send))
            return
        if kind != "http":
            await self.app(scope, receive, send)
            return
        headers = list(ISOLATED)
        if not scope["path"].startswith("/assets/"):
            headers.append(NOT_EMBEDDED)
        if is_secure(scope, self._proxies):
            headers.append(HSTS)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        try:
            host, port = split_host(given[0].decode("latin-1"))
        except ValueError:
            return False
        port = port or DEFAULT_PORTS[_scheme(scope, self._proxies)]
        return any(_fits(allowed, host) and wanted in (None, port) for allowed, wanted in self._hosts)


def is_secure(scope: Scope, proxies: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether the browser's connection is encrypted: ours, or that of the trusted proxy which says so."""
    return _scheme(scope, proxies) in ("https", "wss")


def _scheme(scope: Scope, proxies: tuple[IPv4Network | IPv6Network, ...]) -> str:
    scheme: str = scope["scheme"]
    client = scope["client"]
    if not proxies or client is None:
        return scheme
    try:
        peer = ip_address(client[0])
    except ValueError:
        return scheme
    if not any(peer in network for network in proxies):
        return scheme
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    said = forwarded[-1].decode("latin-1").strip().lower() if forwarded else ""
    return said if said in DEFAULT_PORTS else scheme


def _fits(allowed: str, host: str) -> bool:
    """`*.club.example` fits whatever stands below club.example, and not itself."""
    return host.endswith(allowed[1:]) and host != allowed[1:] if allowed.startswith("*.") else host == allowed


async def _refuse(send: Send) -> None:
    refusal = MisdirectedRequest()
    start: Any = {
        "type": "http.response.start",
        "status": refusal.status,
        "headers": [(b"content-type", PROBLEM_JSON.encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": problem_document(refusal), "more_body": False})


async def _refuse_socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": "wrong host"})  # before accept: a 403
