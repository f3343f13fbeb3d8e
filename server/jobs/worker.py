"""The worker process: what the outbox asks for is done here.

Loops, each kept up by a supervisor: two sweepers, one for the waitlist and one for mails, which work on Postgres
alone; arq, which only makes them look sooner; reminders, which become mails when it is time; a look at the waitlist for
whoever was overlooked; and housekeeping. With Redis away or frozen, arq's loop fails or hangs by itself, and the work
goes on at the sweepers' pace. What is promoted is told to whoever watches the grid, and to
whom it is for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import arq
import asyncpg
import redis.exceptions
import structlog

from server import metrics
from server.context import Context
from server.domain.effects import Settlement, concerns_of
from server.domain.errors import Unavailable
from server.jobs.signals import Signals
from server.jobs.watch import watched
from server.live.feed import Feed, News
from server.live.redis import create_redis
from server.logs import configure_logging
from server.settings import Settings
from server.sql.connection import OUT_OF_REACH, create_pool
from server.tracing import require_packages, tracing
from server.usecases.bookings import Bookings
from server.usecases.catalogue import Catalogues
from server.usecases.desk import Desks
from server.usecases.housekeeping import clear_away, forget_people
from server.usecases.notifications import deliver_due, open_ways_out
from server.usecases.overlooked import look_after_the_line
from server.usecases.privacy import Erasure
from server.usecases.promotion import work_off_due
from server.usecases.reminders import put_out_reminders
from server.usecases.waitlist import Waitlist
from server.usecases.wake import JOB, QUEUE, arq_client

SWEEP_INTERVAL = 2.0
JOBS_INTERVAL = 0.1
"""Seconds between two looks for jobs of the waitlist. Somebody watches the grid for what comes of them, and a look that
finds nothing costs Postgres 0.1 ms; by wake-ups alone, which are gathered for 250 ms, it took 330 ms."""
HOUSEKEEPING_INTERVAL = 3600.0
REMINDERS_INTERVAL = 30.0
LINE_INTERVAL = 20.0
"""Well within `promotion.LEAD`: who waits is served before what opens by time is open to all."""
BATCH = 400
JOBS_BATCH = 64
POOL_SIZE = 4
REDIS_TIMEOUT = 5.0
"""Seconds after which arq gives a silent Redis up; a half-open connection would hold it for ever."""
ARQ_POLL = 0.1
ARQ_JOB_TIMEOUT = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
STEADY = 60.0
"""A loop that ran for so many seconds is restarted without a longer pause than at first."""
GRACE = 10.0
"""Seconds that the mail in hand has at the end."""
LAST_WORDS = 2.0
NICENESS = 5

EXPECTED: tuple[type[Exception], ...] = (*OUT_OF_REACH, Unavailable, asyncpg.PostgresError, redis.exceptions.RedisError)
"""Told in one line; anything else is a fault of ours and told with its traceback."""

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the mail in hand is finished, within `GRACE` seconds.

    Neither server needs to be there at the start. Raises `SettingsError` if a transaction pooler stands before the
    database and DB_POOLER does not say so.
    """
    configure_logging(settings)
    require_packages(settings)
    logging.getLogger("arq").setLevel(logging.WARNING)  # at INFO it tells of each job twice
    os.nice(NICENESS)  # a mail can wait for a booking, where both share a machine
    signals = Signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.stop)
    size = min(POOL_SIZE, settings.db_pool_size)
    try:
        pool = await create_pool(settings, size=size)
    except OUT_OF_REACH as error:
        log.warning("database_away", error=f"{type(error).__name__}: {error}")
        pool = await create_pool(settings, size=size, lazy=True)
    client = create_redis(settings)
    context = Context(settings=settings, pool=pool, redis=client)
    try:
        with tracing(settings, "courtside-worker"):
            async with watched(context, signals):
                await tend(context, signals)
    finally:
        pool.terminate()  # nothing is under way any more; a polite close would wait for a database that is away
        await client.aclose()


async def tend(context: Context, signals: Signals, *, grace: float = GRACE) -> None:
    """Keep the loops up until it is time to stop, then end them; the mails in hand have `grace` seconds for it."""
    log.info("worker_started", pid=os.getpid())
    catalogues = Catalogues(context)
    feed = Feed(context.settings)

    def after_commit(club_id: int, settlement: Settlement) -> None:
        signals.wake()
        for day in {day for _, day in settlement.writes.touched}:
            feed.tell(News(club_id, day))
        feed.tell_people(concerns_of(settlement.writes))

    desks = Desks(context, catalogues, after_commit=after_commit)
    bookings = Bookings(context, catalogues, desks)
    erasure = Erasure(context, bookings, Waitlist(context, catalogues, desks, bookings))
    await feed.start_telling()
    sweepers = {
        asyncio.create_task(keep_up("promotions", lambda: promote(context, desks, signals), signals)),
        asyncio.create_task(keep_up("sweeper", lambda: sweep(context, signals), signals)),
    }
    helpers = [
        asyncio.create_task(keep_up("arq", lambda: serve_arq(context.settings, signals), signals)),
        asyncio.create_task(keep_up("reminders", lambda: remind(context, signals), signals)),
        asyncio.create_task(keep_up("line", lambda: look_after(context, catalogues, desks, signals), signals)),
        asyncio.create_task(keep_up("housekeeping", lambda: keep_house(context, erasure, signals), signals)),
    ]
    try:
        await signals.stopping.wait()
        await asyncio.wait(sweepers, timeout=grace)
    finally:
        signals.stop()
        await _end(*sweepers, *helpers)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await desks.close()
        await catalogues.close()
        await feed.stop()
        log.info("worker_stopped")


async def keep_up(name: str, work: Callable[[], Awaitable[None]], signals: Signals) -> None:
    """Run `work` again whenever it ends or fails, after a pause that grows while it keeps failing."""
    clock = asyncio.get_running_loop().time
    pause = FIRST_PAUSE
    while not signals.stopping.is_set():
        started = clock()
        try:
            await work()
            error = "ended"
        except EXPECTED as failure:
            error = f"{type(failure).__name__}: {failure}"
        except Exception:
            log.exception("loop_failed", loop=name)
            error = "failed"
        if signals.stopping.is_set():
            return
        if clock() - started > STEADY:
            pause = FIRST_PAUSE
        metrics.LOOP_RESTARTS.labels(name).inc()
        log.warning("loop_restarts", loop=name, error=error, pause=pause)
        await _idle(signals.stopping, pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def promote(context: Context, desks: Desks, signals: Signals) -> None:
    """Work off what the waitlist asks for, then look again when woken, or else every `JOBS_INTERVAL` seconds."""
    while not signals.stopping.is_set():
        signals.jobs_due.clear()
        signals.beat("promotions")
        taken = await work_off_due(context, desks, limit=JOBS_BATCH)
        if taken < JOBS_BATCH and not signals.stopping.is_set():
            await _idle(signals.jobs_due, JOBS_INTERVAL)


async def sweep(context: Context, signals: Signals) -> None:
    """Deliver what is due, then look again when woken, or else every `SWEEP_INTERVAL` seconds."""
    async with open_ways_out(context.settings) as ways_out:
        while not signals.stopping.is_set():
            signals.due.clear()
            signals.beat("mails")
            taken = await deliver_due(context, ways_out, limit=BATCH, stopping=signals.stopping.is_set)
            if taken < BATCH and not signals.stopping.is_set():
                await _idle(signals.due, SWEEP_INTERVAL)


async def remind(context: Context, signals: Signals) -> None:
    """Put out the reminders whose time it is, at the start and every `REMINDERS_INTERVAL` seconds."""
    while not signals.stopping.is_set():
        signals.beat("reminders")
        if await put_out_reminders(context):
            signals.due.set()
        await _idle(signals.stopping, REMINDERS_INTERVAL)


async def look_after(context: Context, catalogues: Catalogues, desks: Desks, signals: Signals) -> None:
    """See that nobody is forgotten on the waitlist, at the start and every `LINE_INTERVAL` seconds."""
    while not signals.stopping.is_set():
        signals.beat("line")
        await look_after_the_line(context, catalogues, desks)
        await _idle(signals.stopping, LINE_INTERVAL)


async def keep_house(context: Context, erasure: Erasure, signals: Signals) -> None:
    """Clear away what is old and forget who is to be forgotten, at the start and every hour."""
    while not signals.stopping.is_set():
        await clear_away(context)
        await forget_people(context, erasure)
        await _idle(signals.stopping, HOUSEKEEPING_INTERVAL)


async def drain_outbox(ctx: dict[Any, Any]) -> None:
    """The arq job: have the sweeper look now. It does no work itself, so nothing is lost with it."""
    signals: Signals = ctx["signals"]
    signals.wake()


async def serve_arq(settings: Settings, signals: Signals) -> None:
    """Run arq until it gives up, as it does when Redis goes away."""
    client = arq_client(settings, timeout=REDIS_TIMEOUT, connections=4)
    worker = arq.Worker(
        functions=[arq.func(drain_outbox, name=JOB)],
        queue_name=QUEUE,
        redis_pool=client,
        handle_signals=False,
        poll_delay=ARQ_POLL,
        job_timeout=ARQ_JOB_TIMEOUT,
        keep_result=0,
        health_check_interval=10,
        job_serializer=client.job_serializer,
        job_deserializer=client.job_deserializer,
        ctx={"signals": signals},
    )
    try:
        await worker.main()
    finally:
        # arq's own close() talks to Redis, which may be the one that does not answer.
        await _end(*worker.tasks.values())
        await client.connection_pool.disconnect()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they are gone, at most `LAST_WORDS` seconds."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LAST_WORDS)


async def _idle(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
