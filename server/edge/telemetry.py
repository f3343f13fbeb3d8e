"""The outermost layer: a request id, the headers that every answer carries, a line in the log.

It wraps the whole app, so that answers of the router itself (404, 405, a crash) have them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from secrets import token_hex
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics, tracing
from server.logs import REQUEST, AccessLog, Line, now
from server.masking import is_sensitive
from server.settings import Settings

HANG_UP = (b"connection", b"close")
REQUEST_ID = "courtside.request_id"
CODE = "courtside.code"
SLOW = 1.0
"""Seconds after which a request is told of whatever it was."""
NOISE = ("/health/", "/metrics", "/assets")
"""Routes that machines ask steadily: told of only when they fail."""

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TIME = re.compile(r"[\d:TZ.+-]+")

EVERY_ANSWER: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
        b" form-action 'self'; frame-ancestors 'none'",
    ),
)
"""No script or style but our own files: neither the page nor the documentation needs an exception."""


class Telemetry:
    """Gives each HTTP request an id, and each answer that id and the headers of `EVERY_ANSWER`; tells the log."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._log = AccessLog(settings)
        self.leaving = False
        """Whether this process is to stop: clients and proxies are told to open their next connection elsewhere."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # type: ignore[comparison-overlap] # an enum of strings
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        request_id = new_request_id(given)
        scope[REQUEST_ID] = request_id  # type: ignore[literal-required] # ASGI lets a scope be extended
        REQUEST.set(request_id)  # each request has a task of its own
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *EVERY_ANSWER]
                if self.leaving:
                    message["headers"].append(HANG_UP)  # type: ignore[attr-defined] # it is a list
            await send(message)

        try:
            if tracing.is_on():
                await self._trace(scope, receive, send_with_headers)
            else:
                await self.app(scope, receive, send_with_headers)
        finally:
            self._tell(scope, status, perf_counter() - began)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer inside of a span, of the client's trace if it sends one."""
        headers = dict(scope["headers"])
        parent = headers.get(tracing.CARRIED.encode(), b"").decode("latin-1") or None
        method: str = scope["method"]  # type: ignore[typeddict-item] # of an HTTP request
        with tracing.span(method, parent=parent, request_id=request_id_of(scope)) as span:
            await self.app(scope, receive, send)
            span.update_name(f"{method} {scope.get('path_template', '')}")

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method: str = scope["method"]  # type: ignore[typeddict-item] # of an HTTP request
        route: str = scope.get("path_template", "")
        # What is not routed may have any method: it must not become a label.
        metrics.answered(method if route else "any", route, status, seconds)
        if code := scope.get(CODE):
            metrics.REFUSALS.labels(code).inc()
        log = self._log
        if not log.tells:
            return
        fine = 200 <= status < 400
        if fine and seconds < SLOW and ((not log.tells_all and method in _READS) or route.startswith(NOISE)):
            return
        state = scope.get("state", {})
        identity, screen = state.get("identity"), state.get("screen")
        log.write(
            Line(
                level="info" if status < 500 else "warning" if status == 503 else "error",
                timestamp=now(),
                request_id=request_id_of(scope),
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                user_id=identity.user_id if identity is not None else msgspec.UNSET,
                screen_id=screen.screen_id if screen is not None else msgspec.UNSET,
                code=scope.get(CODE, msgspec.UNSET),  # type: ignore[arg-type] # as REQUEST_ID
            )
        )


_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def request_id_of(scope: Scope) -> str:
    """The request's id; empty outside of a request."""
    found: Any = scope.get(REQUEST_ID, "")
    return str(found)


def new_request_id(given: bytes | None) -> str:
    """The caller's X-Request-ID if it is sane (8 to 64 letters, digits, `.`, `_`, `-`), else a new one."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return token_hex(16)


def words_of(request: Request[Any, Any, Any]) -> set[str]:
    """What the request said: the log of its failure may not repeat it, whatever an exception has in its message."""
    said = {value for _, value in parse_qsl(request.scope["query_string"].decode("latin-1"))}
    for name, value in request.scope["headers"]:
        if is_sensitive(name.decode("latin-1")):
            said.update(value.decode("latin-1").replace(";", " ").replace("=", " ").split())
    said.update(str(value) for value in request.scope.get("path_params", {}).values())
    body = request._connection_state.body  # noqa: SLF001 - what was read of it; asking would wait for the rest
    if isinstance(body, bytes):
        try:
            said.update(_strings(msgspec.json.decode(body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said.update(value for _, value in parse_qsl(body.decode("utf-8", "replace")))
    return {word for word in said if not _TIME.fullmatch(word)}


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _strings(item)
        case dict():
            for item in value.values():
                yield from _strings(item)
        case _:
            return
