"""The composition root: the one place where settings, pool, Redis, middlewares and handlers come together.

`uvicorn server.app:app` serves it; `create_app` makes one with given settings and clock.

The order of the layers, from the outside: `LingeringClose` (an answer that is there before the body) → `Telemetry`
(request id, headers of every answer, the log's line) → `HeadAsGet` → `Front` (hosts, headers for browsers) → `Cors`
(pages of other origins, where there are any) → `Express` (what is asked all the time; the rest goes on) → Litestar's
exception handler → the router → `IdentityMiddleware` (who asks) → `LimitsMiddleware` (how often) →
`StrangersMiddleware` → the handler, which decodes its body. So a router's 404 costs nothing, and a flood with broken
tokens is counted before it is refused.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial, reduce
from pathlib import Path
from typing import Any

import structlog
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.datastructures import State
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from server.context import HASHER, Clock, Context, system_clock
from server.domain.effects import Settlement, concerns_of
from server.edge import (
    admin,
    api_keys,
    auth,
    availability,
    bookings,
    calendars,
    catalogue,
    door,
    feeds,
    grid,
    health,
    links,
    live,
    me,
    metrics,
    openapi,
    page,
    screens,
    totp,
    waitlist,
)
from server.edge.bodies import Bodies
from server.edge.cors import Cors
from server.edge.errors import answer_exception
from server.edge.express import Express
from server.edge.front import Front
from server.edge.head import HeadAsGet
from server.edge.health import DatabaseCheck, draining_on_sigterm, start_draining
from server.edge.identity import IdentityMiddleware, StrangersMiddleware, remember_identities
from server.edge.limits import LANES, LimitsMiddleware, RateLimiter
from server.edge.lingering import LingeringClose
from server.edge.requests import MAX_BODY_BYTES, JsonBody
from server.edge.telemetry import Telemetry
from server.live.feed import Feed
from server.live.hub import Hub, Pace
from server.live.redis import create_redis
from server.logs import configure_logging
from server.settings import Settings, SettingsError, read_settings
from server.sql.connection import OUT_OF_REACH, create_pool
from server.tracing import require_packages, tracing
from server.usecases.bookings import Bookings
from server.usecases.catalogue import Catalogues
from server.usecases.closures import Closures
from server.usecases.desk import Desks
from server.usecases.occupancy import Occupancy
from server.usecases.privacy import Erasure
from server.usecases.standin import stand_in
from server.usecases.waitlist import Waitlist
from server.usecases.wake import Waker

log = structlog.get_logger(__name__)


HANDLERS: list[ControllerRouterHandler] = [
    *page.handlers,
    *openapi.handlers,
    *health.handlers,
    *metrics.handlers,
    *auth.handlers,
    *totp.handlers,
    *me.handlers,
    *api_keys.handlers,
    *links.handlers,
    *catalogue.handlers,
    *grid.handlers,
    *availability.handlers,
    *live.handlers,
    *screens.handlers,
    *bookings.handlers,
    *calendars.handlers,
    *waitlist.handlers,
    *feeds.handlers,
    *admin.handlers,
]
"""Every route, module by module."""
EXPRESS = (grid.grid, availability.availability)
"""Those of them that are asked all the time (`server.edge.express`)."""


@asynccontextmanager
async def serve_clubs(app: Litestar) -> AsyncIterator[None]:
    """The use cases that live as long as the process: each keeps a copy, a queue or a cache of its own."""
    context: Context = app.state.context
    feed = Feed(context.settings)
    catalogues = Catalogues(context)
    occupancy = Occupancy(context, catalogues)
    hub = Hub(occupancy.day, publish=feed.tell, feed_works=lambda: feed.works, pace=app.state.pace)
    catalogues.after_change = hub.reconfigured
    waker = Waker(context.settings)

    def after_commit(club_id: int, settlement: Settlement) -> None:
        if settlement.writes.outbox:
            waker.wake()
        if settlement.writes.touched:
            occupancy.committed(club_id, settlement)
            hub.committed(club_id, {day for _, day in settlement.writes.touched})
        concerns = concerns_of(settlement.writes)
        hub.people.concern(concerns)
        feed.tell_people(concerns)

    def leave() -> None:
        app.state.telemetry.leaving = True
        if hub.watchers:
            log.info("live_bye", watchers=len(hub.watchers))  # in place of a line for each
        hub.say_bye()

    desks = Desks(context, catalogues, after_commit=after_commit, known=occupancy.known)
    app.state.catalogues = catalogues
    app.state.desks = desks
    app.state.occupancy = occupancy
    app.state.bookings = Bookings(context, catalogues, desks)
    app.state.waitlist = Waitlist(context, catalogues, desks, app.state.bookings)
    app.state.erasure = Erasure(context, app.state.bookings, app.state.waitlist)
    app.state.closures = Closures(context, catalogues, desks)
    app.state.bodies = Bodies()
    app.state.waker = waker
    app.state.live = door.Live(context.settings, hub, feed)
    # A signal may come in the middle of anything: the loop calls it when it is its turn.
    app.state.when_draining = partial(asyncio.get_running_loop().call_soon_threadsafe, leave)
    await waker.start()
    await hub.start()
    await feed.start(on_news=hub.hear, on_people=hub.people.concern, on_gap=hub.wake_all)
    standing_in = asyncio.create_task(stand_in(context, desks))
    try:
        yield
    finally:
        app.state.when_draining = lambda: None
        standing_in.cancel()
        await asyncio.gather(standing_in, return_exceptions=True)
        await desks.close()
        await hub.stop()
        await feed.stop()
        await catalogues.close()
        await waker.stop()


LIFESPAN: list[Callable[[Litestar], AbstractAsyncContextManager[None]]] = [
    remember_identities,
    serve_clubs,
    metrics.keep_measuring,
]
"""What runs beside the requests, in the order of its start; each finds `app.state.context`."""


class Application(Litestar):
    """Litestar within layers that see all of it; Litestar's own middlewares do not see what the router refuses."""

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        super().__init__(middleware=_layers(settings), **kwargs)
        express = Express(super().__call__, self, EXPRESS, partial(_within, _layers(settings)))
        shared = Cors(express, settings.cors_origins) if settings.cors_origins else express
        self.state.telemetry = Telemetry(HeadAsGet(Front(shared, settings)), settings)
        self._outermost = LingeringClose(self.state.telemetry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        kind: str = scope["type"]
        await self._outermost(scope, receive, _in_a_sentence(send) if kind == "lifespan" else send)


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock = system_clock,
    hasher: PasswordHasher = HASHER,
    pace: Pace | None = None,
    page_folder: Path = page.PAGE,
) -> Litestar:
    """Make the app. Nothing is connected before its lifespan begins; the page is read from its folder now.

    Raises `SettingsError` if `settings` are to be read from the environment and are wrong.
    """
    settings = settings or read_settings()
    configure_logging(settings)
    require_packages(settings)

    @asynccontextmanager
    async def keep_context(app: Litestar) -> AsyncIterator[None]:
        with tracing(settings, "courtside-server"):
            async with _context(app, settings, clock, hasher):
                yield

    return Application(
        settings,
        route_handlers=HANDLERS,
        exception_handlers={Exception: answer_exception},
        dto=JsonBody,
        return_dto=None,
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=[keep_context, *LIFESPAN],
        state=State(
            {
                "draining": False,
                "pace": pace or Pace(),
                "page": page.load_page(page_folder),
                "when_draining": lambda: None,
            }
        ),
        openapi_config=openapi.openapi_config(settings),
        logging_config=None,
        # Never Litestar's debug pages: DEBUG makes the log talk, not the answers.
        debug=False,
    )


@asynccontextmanager
async def _context(app: Litestar, settings: Settings, clock: Clock, hasher: PasswordHasher) -> AsyncIterator[None]:
    """Keep pool, Redis and what belongs to them while the app runs. Neither server needs to be there at the start."""
    try:
        pool = await create_pool(settings)
    except OUT_OF_REACH as error:
        log.warning("database_away", error=f"{type(error).__name__}: {error}")
        pool = await create_pool(settings, lazy=True)
    client = create_redis(settings)
    app.state.context = Context(settings=settings, pool=pool, redis=client, clock=clock, hasher=hasher)
    app.state.database_check = DatabaseCheck(app.state.context)
    app.state.rate_limiter = RateLimiter(client) if settings.rate_limit_per_minute else None
    if settings.rate_limit_per_minute:
        await client.connect(LANES)
    try:
        with draining_on_sigterm(app, settings.drain_seconds):
            yield
    finally:
        start_draining(app)
        await client.aclose()
        await pool.close()


def _layers(settings: Settings) -> list[DefineMiddleware]:
    """What stands before every handler, outermost first."""
    limits = [DefineMiddleware(LimitsMiddleware, settings=settings)] if settings.rate_limit_per_minute else []
    return [DefineMiddleware(IdentityMiddleware), *limits, DefineMiddleware(StrangersMiddleware)]


def _within(layers: list[DefineMiddleware], app: ASGIApp) -> ASGIApp:
    return reduce(lambda inner, layer: layer(inner), reversed(layers), app)


def _in_a_sentence(send: Send) -> Send:
    """Of a wrong setting the server is told the sentence; Litestar tells it the traceback of whatever stops the start."""

    async def send_shorter(message: Any) -> None:
        if message["type"] == "lifespan.startup.failed" and (wrong := _wrong_setting(sys.exception())) is not None:
            message = {"type": "lifespan.startup.failed", "message": str(wrong)}
        await send(message)

    return send_shorter


def _wrong_setting(error: BaseException | None) -> SettingsError | None:
    if isinstance(error, BaseExceptionGroup):  # Litestar runs the lifespan within a task group
        return next(filter(None, map(_wrong_setting, error.exceptions)), None)
    return error if isinstance(error, SettingsError) else None


def __getattr__(name: str) -> Litestar:
    """`app` is made when a server asks for it: importing this module needs no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        app = create_app()
    except SettingsError as error:
        sys.exit(str(error))
    globals()["app"] = app
    return app
