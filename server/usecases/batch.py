"""One transaction of the desk: a batch is locked, read, decided, written and committed (DESIGN 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from server import metrics, tracing
from server.context import Context
from server.domain.bookings import (
    Book,
    Cancel,
    Claim,
    Close,
    Expire,
    Join,
    Leave,
    Move,
    Promote,
    Rematch,
    Reopen,
    Request,
)
from server.domain.catalogue import Catalogue
from server.domain.daybook import settle
from server.domain.effects import Daybook, Settlement
from server.domain.footprint import Footprint, footprint_of, waiting_spans
from server.domain.slots import ALWAYS, Interval
from server.domain.waitlist import Entry
from server.sql import bookings, closures, lone, outbox, waitlist
from server.sql import desk as sql
from server.sql.catalogue import fetch_catalogue
from server.sql.connection import OUT_OF_REACH, Connection, acquire
from server.usecases.catalogue import Catalogues
from server.usecases.counting import quote
from server.usecases.ids import uuid7
from server.usecases.lone import Known, decide_alone

ROLLBACK_PATIENCE = 1.0
LOOK_BACK = timedelta(days=8)
"""How far back bookings count for quotas: a week's minutes, whatever its time zone."""
ANSWERS_KEPT = timedelta(hours=24)
GONE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError)


class LocksBlocked(Exception):
    """The locks of a batch were not granted in time."""


class Attempt:
    """One try of one batch."""

    def __init__(
        self,
        context: Context,
        catalogues: Catalogues,
        club_id: int,
        requests: Sequence[Request],
        *,
        patience: float,
        in_doubt: Settlement | None,
        known: Known | None = None,
    ) -> None:
        self.context = context
        self.catalogues = catalogues
        self.club_id = club_id
        self.requests = requests
        self.patience = patience
        self.in_doubt = in_doubt
        self.known = known
        self.committing: Settlement | None = None
        """What was decided when COMMIT was sent."""

    async def run(self) -> Settlement:
        catalogue = await self.catalogues.by_id(self.club_id)
        async with acquire(self.context.pool) as conn:
            while True:
                try:
                    if (alone := await self._alone(conn, catalogue)) is not None:
                        return alone
                    await conn.execute("BEGIN")
                    settled = await self.decide(conn, catalogue)
                    if isinstance(settled, Settlement) and settled.writes.empty:
                        # All were refused: the resource-days that the lock made go with it.
                        await conn.execute("ROLLBACK")
                        return settled
                    if isinstance(settled, Settlement):
                        self.committing = settled
                        await conn.execute("COMMIT")
                        return settled
                    catalogue = settled
                except BaseException:
                    await _roll_back(conn)
                    raise
                await conn.execute("ROLLBACK")

    async def _alone(self, conn: Connection, catalogue: Catalogue) -> Settlement | None:
        """One booking in one statement, where what the process knows of its day is what is committed."""
        if self.known is None or self.in_doubt is not None:
            return None
        now = self.context.clock()
        alone = decide_alone(catalogue, self.requests, self.known, now)
        if alone is None:
            return None
        self.committing = alone.settlement  # the statement commits: its answer can be lost like that of a COMMIT
        with suppress(asyncpg.LockNotAvailableError):
            alone.settlement.versions = await lone.insert_confirmed(
                conn, self.club_id, alone.settlement.writes, now, mark=catalogue.mark, known=alone.versions
            )
        if alone.settlement.versions:
            return alone.settlement
        self.committing = None
        return None

    async def decide(self, conn: Connection, catalogue: Catalogue) -> Settlement | Catalogue:
        """Decide and write inside the transaction; or return the catalogue to begin again with."""
        waiters = await self._waiters(conn, catalogue)
        footprint = footprint_of(catalogue, self.requests, waiters.values())
        try:
            with metrics.LOCK_WAIT.time():
                await sql.lock_footprint(conn, self.club_id, footprint.people, footprint.locks, patience=self.patience)
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            raise LocksBlocked from None
        if self.in_doubt is not None and await self._arrived(conn, self.in_doubt):
            return self.in_doubt
        now = self.context.clock()
        mark, taken = await sql.list_taken(conn, self.club_id, sql.spans_of(footprint.reads, catalogue.tz))
        if mark != catalogue.mark:
            return await self.catalogues.load(self.club_id, conn=conn)
        daybook = Daybook(catalogue=catalogue, taken=taken, quote=quote)
        daybook.entries = await self._waiters(conn, catalogue)
        if daybook.entries and not footprint.covers(footprint_of(catalogue, self.requests, daybook.entries.values())):
            return catalogue  # somebody has joined meanwhile whom this could serve, and needs more than is locked
        await self._read_the_rest(conn, daybook, footprint)
        settlement = settle(daybook, self.requests, now=now, new_id=lambda: uuid7(now))
        if tracing.is_on():
            for message in settlement.writes.outbox:
                message.payload.update(tracing.with_trace({}))
        await self._write(conn, settlement, now)
        return settlement

    async def _write(self, conn: Connection, settlement: Settlement, now: datetime) -> None:
        writes = settlement.writes
        await sql.update_freed(conn, writes, now)
        if writes.closed:
            await closures.insert_closures(conn, writes.closed)
        if writes.audit or writes.outbox:
            settlement.versions = await sql.insert_settled(conn, self.club_id, writes, now)
        if writes.entries or writes.ended:
            await waitlist.insert_lined(conn, writes, now)
        if writes.answers:
            await sql.insert_answers(conn, writes.answers, now)
        if writes.done:
            await outbox.update_all_done(conn, writes.done)

    async def _waiters(self, conn: Connection, catalogue: Catalogue) -> dict[UUID, Entry]:
        """Those who wait for what the requests may free, or whom they name; nothing is asked where nobody can."""
        named = {request.seen.id for request in self.requests if isinstance(request, Leave | Claim | Promote | Expire)}
        spans: list[Interval] = []
        waiters: dict[UUID, Entry] = {}
        # What is given up by the way may free more, at other times.
        while spans != (wider := waiting_spans(catalogue, self.requests, waiters.values())):
            spans = wider
            waiters = await waitlist.list_near(conn, self.club_id, spans, named)
        return waiters

    async def _read_the_rest(self, conn: Connection, daybook: Daybook, footprint: Footprint) -> None:
        """What only some batches need: named bookings and closures, quota use, idempotency keys, leases of jobs."""
        named = {booking_id for request in self.requests for booking_id in _named_bookings(request)}
        if named:
            daybook.bookings = await bookings.list_bookings_by_id(conn, named)
        reopened = {request.closure.id for request in self.requests if isinstance(request, Reopen)}
        reopened |= {r.replaces.id for r in self.requests if isinstance(r, Close) and r.replaces is not None}
        if reopened:
            daybook.closures = await closures.list_closures_by_id(conn, reopened)
        now = self.context.clock()
        people = {entry.user_id for entry in daybook.entries.values()}
        if daybook.catalogue.policy.quotas.any_set:
            people |= footprint.people
        if people:
            daybook.booked_times = await sql.list_booked_times(conn, self.club_id, people, now - LOOK_BACK)
        joining = {r.entry.user_id for r in self.requests if isinstance(r, Join)}
        joining |= {r.waits.user_id for r in self.requests if isinstance(r, Book) and r.waits is not None}
        if joining:
            daybook.lines = await waitlist.list_lines(conn, self.club_id, joining)
        jobs = [r.job for r in self.requests if isinstance(r, Promote | Expire | Rematch) and r.job is not None]
        if jobs:
            daybook.jobs = await outbox.list_leased(conn, [(job.outbox_id, job.lease) for job in jobs])
        keys = {request.idempotency.identity for request in self.requests if request.idempotency is not None}
        if keys:
            daybook.answers = await sql.list_answers(conn, keys, now - ANSWERS_KEPT)

    async def _arrived(self, conn: Connection, settlement: Settlement) -> bool:
        """Whether the commit whose answer was lost took place. Under the locks, so it is over either way."""
        marks = settlement.writes.audit
        return bool(marks) and await sql.fetch_committed(conn, marks[0].id)


def _named_bookings(request: Request) -> Iterable[UUID]:
    match request:
        case Cancel() | Move():
            return (request.seen.id,)
        case Close():
            return (booking.id for booking in request.seen)
        case _:
            return ()


async def rematch_within(conn: Connection, catalogues: Catalogues, club_id: int, *, releases_moved: bool) -> None:
    """Hold what a change of the club's configuration has freed for those who wait, in the transaction of the change.

    Where it moved the times at which days are released, the line is looked through at the new ones too. Needs the club's
    lock, taken alone: nobody can come between the change and this.
    """
    context = catalogues.context
    found = await fetch_catalogue(conn, club_id)
    if found is None or not await waitlist.fetch_anybody_waits(conn, club_id):
        return
    request = Rematch(op_id=uuid7(context.clock()), interval=ALWAYS, releases_moved=releases_moved)
    patience = context.settings.db_lock_timeout_ms / 1000
    attempt = Attempt(context, catalogues, club_id, [request], patience=patience, in_doubt=None)
    # The catalogue of the change, which no process may remember before it is committed.
    await attempt.decide(conn, found)


async def _roll_back(conn: Connection) -> None:
    """Roll back, or drop a connection that does not answer: asyncpg waits for a silent server without end."""
    try:
        async with asyncio.timeout(ROLLBACK_PATIENCE):
            await conn.execute("ROLLBACK")
    except GONE:
        with suppress(asyncpg.InterfaceError):  # the pool has taken it back already
            conn.terminate()
