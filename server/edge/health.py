"""Whether this process is alive, and whether to send it requests (DESIGN 7, Ready)."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal

import msgspec
import redis.exceptions
from litestar import Litestar, Request, get
from litestar.datastructures import State

from server.context import Context
from server.domain.errors import Unavailable
from server.edge.errors import problems
from server.sql import connection, migrate

PATIENCE = 2.0
"""Seconds that the database may take to answer."""
REMEMBERED = 1.0
"""Seconds for which an answer about the database is given again: the route is open to everybody."""

_NO_ANSWER: tuple[type[Exception], ...] = (Unavailable, *connection.OUT_OF_REACH)  # a TimeoutError is an OSError


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind each process, server or worker. Without Redis both go on."""

    database: Literal["ok", "out_of_reach"]
    schema: Literal["ok", "outdated", "unknown"]
    redis: Literal["ok", "degraded"]


class Checks(Behind, frozen=True, kw_only=True):
    """Each thing that was looked at. Redis never makes the service unready: bookings go on without it."""

    feed: Literal["ok", "degraded"]
    """Whether this process hears of other processes' bookings at once; without, within seconds."""
    draining: bool


class Ready(msgspec.Struct, frozen=True):
    """The process takes requests."""

    checks: Checks
    status: Literal["ready"] = "ready"


class DatabaseCheck:
    """Asks the database once for all who want to know at the same time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked: asyncio.Task[tuple[bool, bool]] | None = None
        self._asked_at = 0.0

    async def ask(self) -> tuple[bool, bool]:
        """Whether the database answers, and whether its schema is what this code needs."""
        if self._asked is None or (self._asked.done() and time.monotonic() - self._asked_at > REMEMBERED):
            self._asked_at = time.monotonic()
            self._asked = asyncio.create_task(self._look())
        return await asyncio.shield(self._asked)

    async def _look(self) -> tuple[bool, bool]:
        pool = self._context.pool
        try:
            async with asyncio.timeout(PATIENCE), connection.acquire(pool, timeout=PATIENCE) as conn:
                revision = await migrate.fetch_schema_revision(conn)
        except _NO_ANSWER:
            # All connections at work is a busy service, not a database out of reach.
            return pool.get_size() > 0 and pool.get_idle_size() == 0 and pool.get_size() == pool.get_max_size(), True
        return True, migrate.is_schema_ready(revision)


@get("/health/live", operation_id="health_live", tags=["operations"])
async def live() -> Alive:
    """Whether the process runs. Restart it if this fails."""
    return Alive()


@get("/health/ready", operation_id="health_ready", tags=["operations"], responses=problems(Unavailable))
async def ready(request: Request[Any, Any, Any]) -> Ready:
    """Whether to send requests here. Fails while the database is out of reach, its schema is older than this
    version needs, or the process is about to stop; `checks` says which.
    """
    state = request.app.state
    checks = Checks(
        **await look_behind(state),
        feed="ok" if state.live.feed.works else "degraded",
        draining=state.draining,
    )
    if checks.database == checks.schema == "ok" and not state.draining:
        return Ready(checks)
    raise not_ready(checks)


async def look_behind(state: State) -> dict[str, Any]:
    """The fields of `Behind`, as they are now. `state` has a context and a `database_check`."""
    context: Context = state.context
    reachable, migrated = await state.database_check.ask()
    try:
        await context.redis.ping()
        redis_answers = True
    except redis.exceptions.RedisError:
        redis_answers = False
    found = Behind(
        database="ok" if reachable else "out_of_reach",
        schema="unknown" if not reachable else "ok" if migrated else "outdated",
        redis="ok" if redis_answers else "degraded",
    )
    return msgspec.structs.asdict(found)


def not_ready(checks: Behind) -> Unavailable:
    """The refusal that says what stands in the way."""
    refusal = Unavailable("Not ready: see `checks`.")
    refusal.extra["checks"] = checks
    return refusal


def start_draining(app: Litestar) -> None:
    """From now on `/health/ready` fails, so that a load balancer looks elsewhere before the process stops, and whoever
    watches is told to. Safe in a signal handler."""
    if not app.state.draining:
        app.state.draining = True
        app.state.when_draining()


@contextmanager
def draining_on_sigterm(app: Litestar, seconds: float = 0) -> Iterator[None]:
    """Start draining when SIGTERM arrives, then let whoever listened before (the HTTP server) do its work.

    For `seconds` in between requests are still answered, until a load balancer has seen that this process is not
    ready; a second SIGTERM cuts that short.

    Call it in the loop that serves: the loop has its turn between the two, in which watchers are told to come back;
    otherwise the server may close their sockets first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen to signals
        return
    before = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()

    def drain(signum: int, frame: FrameType | None) -> None:
        again = app.state.draining
        start_draining(app)
        if callable(before) and seconds and not again:
            loop.call_soon_threadsafe(loop.call_later, seconds, before, signum, frame)
        elif callable(before):
            loop.call_soon_threadsafe(before, signum, frame)
        else:
            signal.signal(signum, before if before is not None else signal.SIG_DFL)
            signal.raise_signal(signum)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is drain:
            signal.signal(signal.SIGTERM, before)


handlers = [live, ready]
