"""What pages of other origins may do: CORS by an exact list, around all that answers.

Litestar's own layer answers no question without an Origin, and where it answers one it puts `Vary: Origin` in the place
of what the answer varied by: a shared cache would then give a page an answer that its browser refuses, or a member
what strangers see. Litestar's has no setting for either.
"""

from __future__ import annotations

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, POST, PUT, PATCH, DELETE"
ACCEPTED = "Authorization, Content-Type, X-CSRF-Token, X-Request-ID, Idempotency-Key, If-Match, If-None-Match"
"""Headers that a page may send, besides those that need no leave."""
READABLE = (
    "Date, ETag, Location, Retry-After, X-Request-ID, Idempotency-Replayed,"
    " RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
"""Headers that a page may read, besides those that need no leave."""
REMEMBERED_SECONDS = b"600"


class Cors:
    """Lets pages of these origins ask, with credentials. Others get answers that their browsers keep from them."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self.app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        sent = {
            name: value for name, value in scope["headers"] if name in (b"origin", b"access-control-request-method")
        }
        origin = sent.get(b"origin")
        leave: list[tuple[bytes, bytes]] = []
        if origin in self._origins:
            leave = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
                await _answer_preflight(leave, send)
                return
            leave.append((b"access-control-expose-headers", READABLE.encode()))

        async def send_with_leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [header for header in message["headers"] if header[0] != b"vary"]
                varies = b", ".join([*(value for name, value in message["headers"] if name == b"vary"), b"Origin"])
                message["headers"] = [*kept, (b"vary", varies), *leave]
            await send(message)

        await self.app(scope, receive, send_with_leave)


async def _answer_preflight(leave: list[tuple[bytes, bytes]], send: Send) -> None:
    start: Any = {
        "type": "http.response.start",
        "status": 204,
        "headers": [
            *leave,
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", ACCEPTED.encode()),
            (b"access-control-max-age", REMEMBERED_SECONDS),
            (b"vary", b"Origin"),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
