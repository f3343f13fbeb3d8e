"""The worker's part of the waitlist: book or offer what is held, end what is over, look when a day is released.

Each is a row of the outbox, worked off under a lease through the club's desk. The row is marked done in the transaction
that does what it asks for, and only while the lease is still ours: whoever was overtaken changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import structlog

from server import metrics, tracing
from server.context import Context
from server.domain.bookings import Expire, Job, Promote, Rematch, Request
from server.domain.errors import Refusal
from server.domain.waitlist import Entry
from server.sql import outbox, waitlist
from server.sql.connection import acquire
from server.usecases.bookings import new_grid_ref
from server.usecases.desk import Desks
from server.usecases.ids import uuid7

LEASE = timedelta(seconds=5)
"""A killed worker's rows are taken over after so long. An effect needs the lease, so a slow worker does no harm."""
MAX_ATTEMPTS = 20
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)

log = structlog.get_logger(__name__)


def _promotion(row: asyncpg.Record, entry: Entry, job: Job, new_id: Callable[[], UUID]) -> Request:
    return Promote(
        op_id=new_id(),
        booking_id=new_id(),
        grid_ref=new_grid_ref(),
        seen=entry,
        ref=row["payload"]["ref"],
        job=job,
    )


def _expiry(_row: asyncpg.Record, entry: Entry, job: Job, new_id: Callable[[], UUID]) -> Request:
    return Expire(op_id=new_id(), seen=entry, job=job)


def _matching(_row: asyncpg.Record, entry: Entry, job: Job, new_id: Callable[[], UUID]) -> Request:
    return Rematch(op_id=new_id(), interval=entry.interval, job=job)


JOBS: dict[str, Callable[[asyncpg.Record, Entry, Job, Callable[[], UUID]], Request]] = {
    "job.promote": _promotion,
    "job.expire": _expiry,
    "job.match": _matching,
}
"""Kind of an outbox row → what it asks of the desk for its entry."""


async def work_off_due(
    context: Context,
    desks: Desks,
    *,
    limit: int,
    kinds: Sequence[str] = tuple(JOBS),
    overdue: timedelta = timedelta(),
) -> int:
    """Work off up to `limit` jobs of these kinds that are due for so long, together; returns how many were taken up.

    Raises what the database raises; the rows are due again when their lease ends.
    """
    lease = uuid4()
    async with acquire(context.pool) as conn:
        rows = await outbox.lock_due(
            conn, kinds=kinds, limit=limit, lease=lease, duration=LEASE, now=context.clock(), overdue=overdue
        )
    results = await asyncio.gather(*(_work_off(context, desks, row, lease) for row in rows), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return len(rows)


async def _work_off(context: Context, desks: Desks, row: asyncpg.Record, lease: UUID) -> None:
    with tracing.span(row["kind"], parent=row["payload"].get(tracing.CARRIED), outbox_id=str(row["id"])):
        await _ask(context, desks, row, lease)


async def _ask(context: Context, desks: Desks, row: asyncpg.Record, lease: UUID) -> None:
    """Have the desk do what a row asks for."""
    async with acquire(context.pool) as conn:
        if not await outbox.update_begun(conn, row_id=row["id"], lease=lease, duration=LEASE):
            return
    try:
        async with acquire(context.pool) as conn:
            entry = await waitlist.fetch_entry(conn, UUID(row["payload"]["entry_id"]))
            if entry is None:  # it has ended: there is nothing to do for it any more
                await outbox.update_done(conn, row_id=row["id"], lease=lease)
                return
        job = Job(row["id"], lease, row["run_at"])
        request = JOBS[row["kind"]](row, entry, job, lambda: uuid7(context.clock()))
        outcome = await desks.of(entry.club_id).submit(request)
        if isinstance(outcome, Refusal):
            raise outcome
    except Refusal as refusal:  # the desk is busy, staff are changing the club, or the database is out of reach
        await _defer(context, row, lease, refusal.code)
    except (LookupError, TypeError, ValueError) as error:
        # As with mails: what it was is for the log of the parked row; nothing of the payload is repeated.
        log.exception("job_failed", outbox_id=str(row["id"]), kind=row["kind"])
        await _park(context, row, lease, f"The row cannot be worked off ({type(error).__name__}).")
    else:
        metrics.JOBS.labels(row["kind"], "done").inc()
        log.info("job_done", outbox_id=str(row["id"]), kind=row["kind"], outcome=type(outcome).__name__)


async def _defer(context: Context, row: asyncpg.Record, lease: UUID, error: str) -> None:
    attempts = row["attempts"] + 1
    if attempts >= MAX_ATTEMPTS:
        await _park(context, row, lease, f"Gave up after {attempts} attempts: {error}")
        return
    wait = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(attempts - 1, 30)))
    async with acquire(context.pool) as conn:
        await outbox.update_deferred(
            conn, row_id=row["id"], lease=lease, wait=wait, error=error, unknown=False, now=context.clock()
        )
    metrics.JOBS.labels(row["kind"], "deferred").inc()
    log.warning("job_deferred", outbox_id=str(row["id"]), kind=row["kind"], attempts=attempts, error=error)


async def _park(context: Context, row: asyncpg.Record, lease: UUID, error: str) -> None:
    async with acquire(context.pool) as conn:
        await outbox.update_parked(conn, row_id=row["id"], lease=lease, error=error)
    metrics.JOBS.labels(row["kind"], "parked").inc()
    log.error("job_parked", outbox_id=str(row["id"]), kind=row["kind"], error=error)
