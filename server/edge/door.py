"""The door of the live socket: who may open one from where, and how many may (DESIGN 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import WebSocket

from server.domain.errors import Forbidden, RateLimited, Refusal, Unavailable
from server.edge.errors import PROBLEM_JSON, problem_document
from server.edge.telemetry import EVERY_ANSWER
from server.live import protocol
from server.live.feed import Feed
from server.live.hub import Hub
from server.logs import AccessLog, SocketLine, now
from server.settings import Settings, is_loopback

Socket = WebSocket[Any, Any, Any]

SWITCHING_PROTOCOLS = 101
PRIVATE = 4000
"""Close codes from here on are this protocol's own (RFC 6455, 7.4.2)."""
RETRY_AFTER = 5
"""Seconds after which somebody who found no room may knock again."""
CODES: dict[type[Refusal], int] = {
    Forbidden: protocol.FORBIDDEN,
    RateLimited: protocol.TOO_MANY,
    Unavailable: protocol.GOING_AWAY,
}
"""What a handshake is refused with where HTTP's own words cannot be used."""


class Live:
    """What the live grid of one process consists of."""

    def __init__(self, settings: Settings, hub: Hub, feed: Feed) -> None:
        self.hub = hub
        self.feed = feed
        self._origins = allowed_origins(settings)
        self._most = settings.ws_max_connections
        self._most_per_address = settings.ws_max_per_ip
        self._inside: Counter[str] = Counter()
        self._all = 0
        self._log = AccessLog(settings)

    def refusal(self, origin: str | None, address: str) -> Refusal | None:
        """Why nobody may come in from there now, or None."""
        if origin is not None and origin not in self._origins:
            return Forbidden("Pages of this origin may not open the live grid.")
        if self.hub.leaving or self._all >= self._most:
            return Unavailable("There is no room for another watcher at the moment.", retry_after=RETRY_AFTER)
        if self._inside[address] >= self._most_per_address:
            return RateLimited(
                "There are too many live connections from this address.", headers={"Retry-After": str(RETRY_AFTER)}
            )
        return None

    @contextmanager
    def inside(self, address: str) -> Iterator[None]:
        """Count a connection while it is there."""
        self._all += 1
        self._inside[address] += 1
        try:
            yield
        finally:
            self._all -= 1
            self._inside[address] -= 1
            if not self._inside[address]:
                del self._inside[address]

    def tell_refused(self, refusal: Refusal) -> None:
        """Tell the log of a handshake that was refused; when the process stops they are as many as its sockets were."""
        if self._log.tells and not self.hub.leaving:
            status = type(refusal).status
            level = "warning" if status == Unavailable.status else "info"
            self._log.write(SocketLine(level=level, timestamp=now(), status=status, seconds=0.0, code=refusal.code))

    def tell_ended(self, close: int, seconds: float, user_id: int | None, screen_id: int | None) -> None:
        """Tell the log of a socket that has ended. Not one by one when the process stops: thousands end then."""
        log = self._log
        fine = close < PRIVATE or close == protocol.GOING_AWAY
        if not log.tells or self.hub.leaving or (fine and not log.tells_all):
            return
        log.write(
            SocketLine(
                level="info",
                timestamp=now(),
                status=SWITCHING_PROTOCOLS,
                close=close,
                seconds=round(seconds, 2),
                user_id=msgspec.UNSET if user_id is None else user_id,
                screen_id=msgspec.UNSET if screen_id is None else screen_id,
            )
        )


def allowed_origins(settings: Settings) -> frozenset[str]:
    """The origins whose pages may open the socket: our own address, CORS_ORIGINS, and this machine's own names while
    only it can reach us."""
    parts = urlsplit(settings.public_url)
    origins = {f"{parts.scheme}://{parts.netloc}", *settings.cors_origins}
    if settings.on_loopback and is_loopback(parts.hostname or ""):
        port = f":{parts.port}" if parts.port else ""
        origins |= {f"{parts.scheme}://{host}{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(origin.lower() for origin in origins)


async def deny(socket: Socket, refusal: Refusal) -> None:
    """Refuse the handshake with an ordinary HTTP answer. Where the server cannot give one, all that it could say is a
    bare 403: there the socket is opened and closed at once with a code that tells."""
    await socket.receive()
    if "websocket.http.response" not in (socket.scope.get("extensions") or {}):
        await socket.send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        await socket.send({"type": "websocket.close", "code": CODES[type(refusal)], "reason": refusal.detail})
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    headers += [(b"content-type", PROBLEM_JSON.encode()), *EVERY_ANSWER]
    start: Any = {"type": "websocket.http.response.start", "status": type(refusal).status, "headers": headers}
    body: Any = {"type": "websocket.http.response.body", "body": problem_document(refusal)}
    await socket.send(start)
    await socket.send(body)
