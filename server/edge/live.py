"""/ws/grid and /api/ws-ticket: who may watch, what is said back and forth, and when it ends (DESIGN 5)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import Request, Response, WebSocket, post, websocket

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.errors import Forbidden, NotFound, RateLimited, Refusal, Unauthenticated, Unavailable
from server.domain.people import Identity
from server.domain.slots import local_day
from server.edge.errors import PROBLEM_JSON, problem_document, problems
from server.edge.identity import claims_of, cookie_token
from server.edge.limits import client_address, subject
from server.edge.telemetry import EVERY_ANSWER
from server.live import protocol
from server.live.fanout import pipe_of
from server.live.feed import Feed
from server.live.frames import frame_of
from server.live.hub import Hub, Wish
from server.live.protocol import Hello, Pong, Resync, Sub, Topic, Unsub, Welcome
from server.live.rooms import Key, Room
from server.live.watcher import Pipe, Watcher
from server.settings import Settings, is_loopback
from server.sql.connection import OUT_OF_REACH
from server.usecases.catalogue import Catalogues
from server.usecases.identities import Identities
from server.usecases.tickets import issue_ticket, redeem_ticket
from server.usecases.tokens import Claims

RETRY_AFTER = 5
"""Seconds after which somebody who found no room may knock again."""

INTERNAL_ERROR = 1011
"""RFC 6455, section 7.4.1."""

_TROUBLE: tuple[type[Exception], ...] = (Refusal, *OUT_OF_REACH)

Socket = WebSocket[Any, Any, Any]

log = structlog.get_logger(__name__)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Good for one hello."""

    ticket: str
    expires_in: int
    """Seconds."""


@post("/api/ws-ticket", status_code=200, tags=["grid"], responses=problems(Unauthenticated))
async def ws_ticket(request: Request[Any, Any, Any]) -> Response[Ticket]:
    """A ticket for the hello of a live socket, for clients whose handshake can carry no token. Good once."""
    context: Context = request.app.state.context
    ticket, life = issue_ticket(context.settings, claims_of(request), context.clock())
    return Response(Ticket(ticket=ticket, expires_in=life), status_code=200, headers={"Cache-Control": "no-store"})


# -- the door -------------------------------------------------------------------------------------------------


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


def allowed_origins(settings: Settings) -> frozenset[str]:
    """The origins whose pages may open the socket: our own address, CORS_ORIGINS, and this machine's own names while
    only it can reach us."""
    parts = urlsplit(settings.public_url)
    origins = {f"{parts.scheme}://{parts.netloc}", *settings.cors_origins}
    if settings.on_loopback and is_loopback(parts.hostname or ""):
        port = f":{parts.port}" if parts.port else ""
        origins |= {f"{parts.scheme}://{host}{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(origin.lower() for origin in origins)


@websocket("/ws/grid")
async def grid_socket(socket: Socket) -> None:
    """The live grid."""
    live: Live = socket.app.state.live
    context: Context = socket.app.state.context
    origin = socket.headers.get("origin")
    address = subject(client_address(socket.scope, context.settings.trusted_proxies))
    refusal = live.refusal(origin.lower() if origin is not None else None, address)
    if refusal is not None:
        await _deny(socket, refusal)
        return
    with live.inside(address):
        offered = socket.scope.get("subprotocols") or []
        await socket.accept(protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None)
        pipe = pipe_of(socket.scope, socket.send)
        try:
            await _Conversation(socket, live.hub, pipe, from_page=origin is not None).run()
        except asyncio.CancelledError:
            if pipe.stalled_since is None:  # it was not the pipe that gave up
                raise
        except Exception:
            # Litestar would close with 4500, which means something else here.
            log.exception("live_socket_failed")
            pipe.close(INTERNAL_ERROR, "internal error")


async def _deny(socket: Socket, refusal: Refusal) -> None:
    """Refuse the handshake with an ordinary HTTP answer; with a bare 403 where the server cannot give one."""
    await socket.receive()
    if "websocket.http.response" not in (socket.scope.get("extensions") or {}):
        await socket.close(protocol.FORBIDDEN)
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    headers += [(b"content-type", PROBLEM_JSON.encode()), *EVERY_ANSWER]
    start: Any = {"type": "websocket.http.response.start", "status": type(refusal).status, "headers": headers}
    body: Any = {"type": "websocket.http.response.body", "body": problem_document(refusal)}
    await socket.send(start)
    await socket.send(body)


# -- the conversation -----------------------------------------------------------------------------------------


class _Leave(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class _Gone(Exception):
    """The client has left."""


class _Conversation:
    """One socket from its hello to its end."""

    __slots__ = ("_claims", "_from_page", "_hub", "_identity", "_pipe", "_recent", "_socket", "_state", "_watcher")

    def __init__(self, socket: Socket, hub: Hub, pipe: Pipe, *, from_page: bool) -> None:
        self._socket = socket
        self._state = socket.app.state
        self._hub = hub
        self._pipe = pipe
        self._from_page = from_page
        self._identity: Identity | None = None
        self._claims: Claims | None = None
        self._recent: deque[float] = deque(maxlen=protocol.MAX_MESSAGES)
        self._watcher: Watcher | None = None

    async def run(self) -> None:
        """Talk until either side ends it."""
        try:
            hello = await self._hello()
            watcher = self._watcher = await self._enter(hello)
            await self._join(watcher, hello.topics)
            while True:
                await self._answer(watcher, await self._receive(protocol.MAX_MESSAGE_BYTES))
        except _Gone:
            pass
        except _Leave as leave:
            self._pipe.close(leave.code, leave.reason)
            await self._until_gone()
        finally:
            if self._watcher is not None:
                self._hub.leave(self._watcher)

    async def _hello(self) -> Hello:
        try:
            async with asyncio.timeout(self._hub.pace.hello):
                hello = await self._receive(protocol.MAX_HELLO_BYTES)
        except TimeoutError:
            raise _Leave(protocol.NO_HELLO, "no hello") from None
        if not isinstance(hello, Hello):
            raise _Leave(protocol.NO_HELLO, "hello comes first")
        if len(hello.topics) > protocol.MAX_TOPICS:
            raise _Leave(protocol.TOO_MANY_TOPICS, "too many topics")
        return hello

    async def _enter(self, hello: Hello) -> Watcher:
        try:
            await self._identify(hello.ticket)
        except Unauthenticated:
            raise _Leave(protocol.BAD_CREDENTIAL, "bad ticket or token") from None
        except Refusal:
            raise _Leave(protocol.GOING_AWAY, "try again in a moment") from None
        if self._hub.leaving:
            raise _Leave(protocol.GOING_AWAY, "going away")
        check = partial(self._holds, self._claims) if self._claims is not None else None
        watcher = Watcher(self._pipe, may_watch=self._may_watch, check=check)
        self._hub.enter(watcher)
        self._pipe.write(frame_of(Welcome(watcher.sid, self._hub.pace.ping)))
        return watcher

    async def _answer(self, watcher: Watcher, message: protocol.ClientMessage) -> None:
        now = time.monotonic()
        if len(self._recent) == protocol.MAX_MESSAGES and now - self._recent[0] < 1:
            raise _Leave(protocol.TOO_MANY_MESSAGES, "too many messages")
        self._recent.append(now)
        match message:
            case Pong():
                watcher.pinged = False
            case Sub(topics):
                await self._join(watcher, topics)
            case Unsub(topics):
                for room in _watched(watcher, topics):
                    self._hub.part(watcher, room)
            case Resync(topics):
                await self._reach(self._hub.resync(watcher, _watched(watcher, topics)))
            case Hello():
                raise _Leave(protocol.BAD_MESSAGE, "hello was said")

    # -- messages ----------------------------------------------------------------------------------------

    async def _receive(self, limit: int) -> protocol.ClientMessage:
        event: Any = await self._socket.receive()
        if event["type"] != "websocket.receive":
            raise _Gone
        text = event.get("text")
        if text is None or len(text) > limit or len(data := text.encode("utf-8", "replace")) > limit:
            raise _Leave(protocol.BAD_MESSAGE, "bad message")
        try:
            return protocol.decode_message(data)
        except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
            raise _Leave(protocol.BAD_MESSAGE, "bad message") from None

    async def _until_gone(self) -> None:
        """Let the client answer the close; what it still says is nobody's business."""
        while True:
            event: Any = await self._socket.receive()
            if event["type"] != "websocket.receive":
                return

    # -- topics ------------------------------------------------------------------------------------------

    async def _join(self, watcher: Watcher, topics: list[Topic]) -> None:
        wishes: dict[Key, Wish] = {}
        for topic in topics:
            try:
                catalogue = await self._club(topic.club)
                if not self._may_watch(catalogue) or self._day(catalogue, topic.date) is None:
                    # The copy may be behind by what another process has just changed.
                    catalogue = await self._club(topic.club, current=True)
            except NotFound:
                watcher.refuse("unknown_club", "There is no such club.", club=topic.club, date=topic.date)
                continue
            if not self._may_watch(catalogue):
                watcher.refuse(
                    "forbidden_topic", "This club's grid is for its members.", club=topic.club, date=topic.date
                )
                continue
            day = self._day(catalogue, topic.date)
            if day is None:
                watcher.refuse("bad_date", "There is no grid of this day.", club=topic.club, date=topic.date)
                continue
            key = (catalogue.club_id, day)
            wishes[key] = Wish(key, topic.epoch, topic.have)
        if len(wishes.keys() | {room.key for room in watcher.rooms}) > protocol.MAX_TOPICS:
            raise _Leave(protocol.TOO_MANY_TOPICS, "too many topics")
        await self._reach(self._hub.join(watcher, wishes.values()))

    async def _reach(self, work: Any) -> None:
        """Do what needs the database; without it the client is sent away for a moment."""
        try:
            await work
        except _TROUBLE:
            raise _Leave(protocol.GOING_AWAY, "try again in a moment") from None

    async def _club(self, slug: str, *, current: bool = False) -> Catalogue:
        catalogues: Catalogues = self._state.catalogues
        try:
            return await (catalogues.current_by_slug if current else catalogues.by_slug)(slug or "-")
        except NotFound:
            raise
        except _TROUBLE:
            raise _Leave(protocol.GOING_AWAY, "try again in a moment") from None

    def _day(self, catalogue: Catalogue, text: str) -> date | None:
        """The local day of that name, if it is one from yesterday to the day after the last bookable one."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        context: Context = self._state.context
        today = local_day(context.clock(), catalogue.tz)
        horizon = max(catalogue.policy.horizon_days, *catalogue.policy.tier_horizon_days.values(), 0)
        if len(text) != len("2026-12-01") or not -1 <= (day - today).days <= horizon + 1:
            return None
        return day

    # -- who ---------------------------------------------------------------------------------------------

    async def _identify(self, ticket: str | None) -> None:
        """Learn who this is. Raises `Unauthenticated` for a ticket or token that does not hold."""
        state = self._socket.scope["state"]
        identities: Identities = self._state.identities
        if ticket is not None:
            self._claims = await redeem_ticket(self._state.context, ticket)
            self._identity = await identities.standing(self._claims)
        elif "auth_error" in state:
            raise state["auth_error"]
        elif state.get("identity") is not None:
            self._identity, self._claims = state["identity"], state["claims"]
        elif self._from_page and (token := cookie_token(self._socket)) is not None:
            # Only with an Origin that we know: a browser sends its cookies with a socket of any site.
            try:
                self._identity, self._claims = await identities.resolve(token)
            except Unauthenticated:
                return  # a stale cookie in the jar is no reason not to show a public grid

    def _may_watch(self, catalogue: Catalogue) -> bool:
        return catalogue.grid_visibility == "public" or (
            self._identity is not None and catalogue.club_id in self._identity.memberships
        )

    async def _holds(self, claims: Claims) -> bool:
        """Whether the session is still one; learns what it may by now."""
        identities: Identities = self._state.identities
        try:
            self._identity = await identities.standing(claims)
        except Unauthenticated:
            return False
        except Unavailable:
            return True  # nothing was decided; the next look tells
        return True


def _watched(watcher: Watcher, topics: Iterable[Topic]) -> list[Room]:
    """Those of these topics that the socket watches."""
    rooms = {room.name: room for room in watcher.rooms}
    names = dict.fromkeys(f"{topic.club}/{topic.date}" for topic in topics)
    return [rooms[name] for name in names if name in rooms]


handlers = [ws_ticket, grid_socket]
