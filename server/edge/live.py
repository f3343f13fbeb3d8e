"""/ws/grid and /api/ws-ticket: who may watch, what is said back and forth, and when it ends (DESIGN 5)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar import Request, Response, post, websocket

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.errors import Forbidden, NotFound, Refusal, Unauthenticated, Unavailable
from server.domain.people import Identity, Screen
from server.domain.slots import local_day
from server.edge.door import Live, Socket, deny
from server.edge.errors import problems
from server.edge.identity import claims_of, cookie_token
from server.edge.limits import client_address, subject
from server.live import protocol
from server.live.fanout import pipe_of
from server.live.frames import frame_of
from server.live.hub import Hub, Wish
from server.live.protocol import Bye, Hello, Pong, Resync, Sub, Topic, Unsub, Welcome
from server.live.rooms import Key, Room
from server.live.watcher import Pipe, Watcher
from server.sql.connection import OUT_OF_REACH
from server.usecases.api_keys import ApiKeys
from server.usecases.catalogue import Catalogues
from server.usecases.identities import Identities
from server.usecases.screens import TOKEN_PREFIX, Screens
from server.usecases.tickets import issue_ticket, redeem_ticket
from server.usecases.tokens import Claims

AFTER_MS = 1000
"""When somebody who was sent away for a moment comes back, and by how much that is spread."""
INTERNAL_ERROR, ABNORMAL = 1011, 1006
"""RFC 6455, section 7.4.1. The latter is said by nobody: there was no word of farewell."""

_TROUBLE: tuple[type[Exception], ...] = (Refusal, *OUT_OF_REACH)

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


@websocket("/ws/grid")
async def grid_socket(socket: Socket) -> None:
    """The live grid."""
    live: Live = socket.app.state.live
    context: Context = socket.app.state.context
    # Not `socket.headers`: Litestar would keep a copy of all of them as long as the socket lives.
    origin = next((value.decode("latin-1") for name, value in socket.scope["headers"] if name == b"origin"), None)
    address = subject(client_address(socket.scope, context.settings.trusted_proxies))
    refusal = live.refusal(origin.lower() if origin is not None else None, address)
    if refusal is not None:
        live.tell_refused(refusal)
        await deny(socket, refusal)
        return
    began = time.monotonic()
    with live.inside(address):
        offered = socket.scope.get("subprotocols") or []
        await socket.accept(protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None)
        pipe = pipe_of(socket.scope, socket.send)
        conversation = _Conversation(socket, live.hub, pipe, from_page=origin is not None)
        try:
            await conversation.run()
        except asyncio.CancelledError:
            if pipe.stalled_since is None:  # it was not the pipe that gave up
                raise
        except Exception:
            # Litestar would close with 4500, which means something else here.
            log.exception("live_socket_failed")
            pipe.close(INTERNAL_ERROR, "internal error")
            conversation.ended = INTERNAL_ERROR
        finally:
            live.tell_ended(conversation.ended, time.monotonic() - began, *conversation.who)


# -- the conversation -----------------------------------------------------------------------------------------


class _Leave(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class _Gone(Exception):
    """The client has left, or was sent away."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class _Conversation:
    """One socket from its hello to its end."""

    __slots__ = (
        "_check",
        "_from_page",
        "_hub",
        "_identity",
        "_own",
        "_pipe",
        "_recent",
        "_screen",
        "_socket",
        "_state",
        "_watcher",
        "ended",
    )

    def __init__(self, socket: Socket, hub: Hub, pipe: Pipe, *, from_page: bool) -> None:
        self._socket = socket
        self._state = socket.app.state
        self._hub = hub
        self._pipe = pipe
        self._from_page = from_page
        self._identity: Identity | None = None
        self._screen: Screen | None = None
        self._own = True
        """Whether whoever is signed in may read their own bookings with what they have presented."""
        self._check: Callable[[], Awaitable[bool]] | None = None
        """Whether what opened this socket still holds; None for a stranger."""
        self._recent: list[float] = []
        self._watcher: Watcher | None = None
        self.ended = ABNORMAL
        """The close code, once it has ended."""

    @property
    def who(self) -> tuple[int | None, int | None]:
        """The user and the screen that are known to be on it, by id."""
        identity, screen = self._identity, self._screen
        return identity.user_id if identity else None, screen.screen_id if screen else None

    async def run(self) -> None:
        """Talk until either side ends it."""
        try:
            hello = await self._hello()
            watcher = self._watcher = await self._enter(hello)
            await self._join(watcher, hello.topics)
            while True:
                await self._answer(watcher, await self._receive(protocol.MAX_MESSAGE_BYTES))
        except _Gone as gone:
            self.ended = gone.code
        except _Leave as leave:
            self.ended = leave.code
            if leave.code == protocol.GOING_AWAY:
                self._pipe.write(frame_of(Bye(leave.code, AFTER_MS + random.randrange(AFTER_MS))))  # noqa: S311 - as spread
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
            raise _Leave(protocol.TOO_MANY, "too many topics")
        return hello

    async def _enter(self, hello: Hello) -> Watcher:
        try:
            await self._identify(hello.ticket)
        except Unauthenticated:
            raise _Leave(protocol.BAD_CREDENTIAL, "bad ticket or token") from None
        except Forbidden:
            raise _Leave(protocol.FORBIDDEN, "this key is not for the live grid") from None
        except Refusal:
            raise _Leave(protocol.GOING_AWAY, "try again in a moment") from None
        if self._hub.leaving:
            raise _Leave(protocol.GOING_AWAY, "going away")
        self._socket.scope["headers"] = []  # read for the last time, and some kilobytes in a browser's handshake
        told = self._identity.user_id if hello.you and self._own and self._identity is not None else None
        watcher = Watcher(self._pipe, may_watch=self._may_watch, check=self._check, user_id=told)
        self._hub.enter(watcher)
        self._pipe.write(frame_of(Welcome(watcher.sid, self._hub.pace.ping)))
        return watcher

    async def _answer(self, watcher: Watcher, message: protocol.ClientMessage) -> None:
        now = time.monotonic()
        self._recent = [at for at in self._recent if now - at < 1]
        if len(self._recent) == protocol.MAX_MESSAGES:
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
            raise _Gone(event.get("code", ABNORMAL))
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
            raise _Leave(protocol.TOO_MANY, "too many topics")
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
        if ticket is not None and ticket.startswith(TOKEN_PREFIX):
            await self._know_screen(ticket.encode("utf-8", "replace"))
        elif ticket is not None:
            claims = await redeem_ticket(self._state.context, ticket)
            self._know(await identities.standing(claims), claims)
        elif "auth_error" in state:
            raise state["auth_error"]
        elif state["screen"] is not None:
            await self._know_screen(state["screen_token"])
        elif state["api_key"] is not None:
            await self._know_owner(state["api_key"])
        elif state["identity"] is not None:
            self._know(state["identity"], state["claims"])
        elif self._from_page and (token := cookie_token(self._socket)) is not None:
            # Only with an Origin that we know: a browser sends its cookies with a socket of any site.
            try:
                self._know(*await identities.resolve(token))
            except Unauthenticated:
                return  # a stale cookie in the jar is no reason not to show a public grid

    def _know(self, identity: Identity, claims: Claims) -> None:
        self._identity = identity
        identities: Identities = self._state.identities

        async def look() -> None:
            self._identity = await identities.standing(claims)

        self._check = partial(_holds, look)

    async def _know_owner(self, key: bytes) -> None:
        keys: ApiKeys = self._state.api_keys
        identities: Identities = self._state.identities

        async def look() -> None:
            found = await keys.resolve(key)
            self._identity = await identities.of(found.user_id)
            self._own = "read:bookings" in found.scopes

        await look()
        self._check = partial(_holds, look)

    async def _know_screen(self, token: bytes) -> None:
        screens: Screens = self._state.screens

        async def look() -> None:
            self._screen = await screens.resolve(token)

        await look()
        self._check = partial(_holds, look)

    def _may_watch(self, catalogue: Catalogue) -> bool:
        return (
            catalogue.grid_visibility == "public"
            or (self._identity is not None and catalogue.club_id in self._identity.memberships)
            or (self._screen is not None and catalogue.club_id == self._screen.club_id)
        )


async def _holds(look: Callable[[], Awaitable[None]]) -> bool:
    """Whether a session or a screen's token is still good; `look` learns what it may by now."""
    try:
        await look()
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
