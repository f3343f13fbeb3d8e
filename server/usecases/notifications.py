"""Notifications: the rows of the outbox that are mails, written from the state as it is now, and delivered.

At least once: an attempt is counted and committed before the mail is handed over, and settled afterwards. An
attempt that was never settled (the worker was killed, the line dropped after the mail was handed over) has an
unknown outcome; after two of those the mail is parked rather than sent a third time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import structlog

from server import tracing
from server.context import Context
from server.metrics import MAILS
from server.settings import Settings
from server.sql import notifications, outbox
from server.sql.connection import Connection, acquire
from server.usecases import calendars, letters, mail, offers, post

LEASE = timedelta(seconds=60)
"""Longer than a mail may wait for its turn (`FRESH`) and then take (`post.Patience`)."""
FRESH = 10.0
"""Seconds for which what was leased and read is good to be sent. A mail says nothing older than that."""
MOST_CONNECTIONS = 4
MAILS_FOR_ONE = 10
"""A connection more for each so many mails."""
MARK_WITHIN = 0.005
"""Seconds after which a mail is marked, however few they are."""
MAX_ATTEMPTS = 20
MAX_UNKNOWN = 2
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
"""15 s, 30 s, 1 min, … 1 h: twenty attempts are half a day, the outage of a mail server."""
MAY_HAVE_BEEN_SENT = "It may have been sent: two attempts ended with nobody knowing how."

log = structlog.get_logger(__name__)


class Unwritable(Exception):
    """The row cannot become a mail, now or later. The message has no personal data in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a mail is written from, as it was when its attempt began; None: there is no such thing (any more)."""

    recipient: Mapping[str, Any] | None
    booking: Mapping[str, Any] | None
    waited: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many mails share a statement."""

    leased: int = 32
    """Leased, counted and read together; the next when no more than half of them are left, while these are sent."""
    marked: int = 8
    """Marked as sent together. A killed worker may have sent a few times as many that are sent again."""


PACE = Pace()


class Due(NamedTuple):
    """A mail that is leased, its attempt counted."""

    row: asyncpg.Record
    matter: Matter
    since: float
    """The loop's time when it was leased."""


@asynccontextmanager
async def open_ways_out(
    settings: Settings, patience: post.Patience = post.PATIENCE
) -> AsyncIterator[Sequence[post.Post]]:
    """As many ways out as send at once. What they open stays open from one sweep to the next, for a while."""
    opened = [post.open_post(settings, patience) for _ in range(MOST_CONNECTIONS)]
    try:
        yield opened
    finally:
        await asyncio.gather(*(way_out.close() for way_out in opened))


async def deliver_due(
    context: Context,
    ways_out: Sequence[post.Post],
    *,
    limit: int,
    stopping: Callable[[], bool] = lambda: False,
    pace: Pace = PACE,
) -> int:
    """Deliver up to `limit` mails that are due; returns how many rows were taken up.

    Several workers may do so at once: each row is leased to one of them. `stopping` is asked before each mail; the
    rest is given back then. Raises what the database raises; the rows are due again when their lease ends.
    """
    taken = 0
    try:
        while taken < limit:
            delivery = Delivery(context, limit - taken, stopping, pace)
            done = await delivery.run(ways_out)
            taken += done
            if not (done and delivery.late):
                break
    finally:
        await asyncio.gather(*(way_out.rest() for way_out in ways_out))
    return taken


class Delivery:
    """Mails that are due, sent over a few connections, oldest first.

    They are leased, counted and read some at a time, ahead of those who send. What is not sent is given back and was no
    attempt. A mail that a worker had in hand when it was killed is counted by itself, right before it is sent: if it is
    what kills workers, it takes no others along. Marks share a statement too, within milliseconds.
    """

    def __init__(self, context: Context, limit: int, stopping: Callable[[], bool], pace: Pace) -> None:
        self._context = context
        self._limit = limit
        self._stopping = stopping
        self._pace = pace
        self._lease = uuid4()
        self._ahead: deque[Due] = deque()
        self._taken = 0
        self._exhausted = False
        self._fetching: asyncio.Task[None] | None = None
        self._unmarked: list[asyncpg.Record] = []
        self._marking: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._shut = False
        """The way out is shut: to try another mail would be in vain."""
        self.late = False
        """It went so slowly that what is left has to be leased and read anew."""

    async def run(self, ways_out: Sequence[post.Post]) -> int:
        """Send what is due; how many rows were taken up. Those that were not are given back."""
        try:
            await self._fetch()
            connections = min(len(ways_out), -(-len(self._ahead) // MAILS_FOR_ONE))
            senders = (self._send_all(way_out) for way_out in ways_out[:connections])
            ended = await asyncio.gather(*senders, return_exceptions=True)
        finally:
            await self._end()
        for error in ended:
            if error is not None:
                raise error
        return self._taken

    async def _fetch(self) -> None:
        """Lease and count mails before they are sent, and read what they say, all or nothing."""
        asked = min(self._pace.leased, self._limit - self._taken)
        since = self._now()
        async with acquire(self._context.pool) as conn, conn.transaction():
            rows = await outbox.lock_mails(
                conn,
                kinds=tuple(letters.LETTERS),
                limit=asked,
                lease=self._lease,
                duration=LEASE,
                now=self._context.clock(),
            )
            matters = await _read(conn, [row["payload"] for row in rows])
        self._ahead.extend(Due(row, matter, since) for row, matter in zip(rows, matters, strict=True))
        self._taken += len(rows)
        self._exhausted = len(rows) < asked or self._taken >= self._limit

    async def _next(self) -> Due | None:
        """The next mail; None: it is enough. Raises what fetching raises."""
        while not self._is_over():
            if self._fetching is not None and self._fetching.done():
                self._fetching.result()
                self._fetching = None
            due = self._ahead.popleft() if self._ahead else None
            few = len(self._ahead) <= self._pace.leased // 2
            if few and self._fetching is None and not self._exhausted:
                self._fetching = asyncio.create_task(self._fetch())
            if due is not None or self._fetching is None:
                return due
            await asyncio.wait([self._fetching])
        return None

    def _is_over(self) -> bool:
        return self._shut or self.late or self._stopping()

    async def _end(self) -> None:
        """Mark what was sent, and give back what was not tried."""
        self._ending.set()
        try:
            if self._marking is not None:
                await self._marking
            await self._mark()
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        if self._fetching is not None:
            await asyncio.wait([self._fetching])
        if self._ahead:
            rows = [due.row for due in self._ahead]
            self._taken -= len(rows)
            async with acquire(self._context.pool) as conn:
                await outbox.update_released(
                    conn,
                    [row["id"] for row in rows],
                    counted=[row["id"] for row in rows if row["unknown"] == 0],
                    lease=self._lease,
                )

    async def _send_all(self, way_out: post.Post) -> None:
        while (due := await self._next()) is not None:
            trace = due.row["payload"].get(tracing.CARRIED)
            with tracing.span(f"mail {due.row['kind']}", parent=trace, outbox_id=str(due.row["id"])):
                await self._deliver(way_out, due)

    async def _deliver(self, way_out: post.Post, due: Due) -> None:
        context, lease, row = self._context, self._lease, due.row
        if row["unknown"] >= MAX_UNKNOWN:
            await _park(context, row, lease, MAY_HAVE_BEEN_SENT)
            return
        if self._now() - due.since > FRESH:
            self.late = True
            self._ahead.append(due)
            return
        outcome = "delivered"
        try:
            message = _write(context.settings, row, due.matter, context.clock())
            if row["unknown"] and not await self._begin(row):
                return
            await way_out.send(message)
        except letters.Moot:
            outcome = "moot"
        except (Unwritable, post.Refused) as error:
            await _park(context, row, lease, str(error))
            return
        except post.Uncertain as error:
            self._shut = True
            await _defer(context, row, lease, str(error), unknown=True)
            return
        except post.Deferred as error:
            self._shut = self._shut or isinstance(error, post.Unreachable)
            await _defer(context, row, lease, str(error), unknown=False)
            return
        except post.Dropped:
            self._ahead.append(due)
            raise
        MAILS.labels(outcome).inc()
        log.info("mail_delivered", outbox_id=str(row["id"]), kind=row["kind"])
        await self._settle(row)

    async def _begin(self, row: asyncpg.Record) -> bool:
        async with acquire(self._context.pool) as conn:
            return await outbox.update_begun(conn, row_id=row["id"], lease=self._lease, duration=LEASE)

    async def _settle(self, row: asyncpg.Record) -> None:
        """Have a mail marked: with others, by whoever sent the last of them, or after a moment."""
        self._unmarked.append(row)
        if len(self._unmarked) >= self._pace.marked:
            await self._mark()
        elif self._marking is None or self._marking.done():
            if self._marking is not None:
                self._marking.result()
            self._marking = asyncio.create_task(self._mark_soon())

    async def _mark_soon(self) -> None:
        while self._unmarked:  # others may have come while a statement was under way, and none may come after them
            with suppress(TimeoutError):
                async with asyncio.timeout(MARK_WITHIN):
                    await self._ending.wait()
            await self._mark()

    async def _mark(self) -> None:
        rows, self._unmarked = self._unmarked, []
        if rows:
            async with acquire(self._context.pool) as conn:
                await outbox.update_sent(conn, [row["id"] for row in rows], lease=self._lease)


async def _read(conn: Connection, payloads: Sequence[Mapping[str, Any]]) -> list[Matter]:
    """What mails are about, for each payload. Where there is nonsense there is nothing: `_write` judges the row."""
    users = {user for payload in payloads if isinstance(user := payload.get("user_id"), int)}
    bookings = [_id_of(payload, "booking_id") for payload in payloads]
    entries = [_id_of(payload, "entry_id") for payload in payloads]
    recipients = await notifications.list_recipients(conn, users)
    booked = await notifications.list_booked(conn, set(filter(None, bookings))) if any(bookings) else {}
    waited = await notifications.list_waited(conn, set(filter(None, entries))) if any(entries) else {}
    return [
        Matter(
            recipient=recipients.get(payload.get("user_id", 0)),
            booking=booked.get(booking) if booking is not None else None,
            waited=waited.get(entry) if entry is not None else None,
        )
        for payload, booking, entry in zip(payloads, bookings, entries, strict=True)
    ]


def _id_of(payload: Mapping[str, Any], name: str) -> UUID | None:
    try:
        return UUID(payload[name])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


async def _park(context: Context, row: asyncpg.Record, lease: UUID, error: str) -> None:
    async with acquire(context.pool) as conn:
        await outbox.update_parked(conn, row_id=row["id"], lease=lease, error=error)
    MAILS.labels("parked").inc()
    log.error("mail_parked", outbox_id=str(row["id"]), kind=row["kind"], error=error)


async def _defer(context: Context, row: asyncpg.Record, lease: UUID, error: str, *, unknown: bool) -> None:
    attempts = row["attempts"] + 1
    if unknown and row["unknown"] + 1 >= MAX_UNKNOWN:
        await _park(context, row, lease, MAY_HAVE_BEEN_SENT)
        return
    if attempts >= MAX_ATTEMPTS:
        await _park(context, row, lease, f"Gave up after {attempts} attempts: {error}")
        return
    async with acquire(context.pool) as conn:
        await outbox.update_deferred(
            conn,
            row_id=row["id"],
            lease=lease,
            wait=wait_after(attempts),
            error=error,
            unknown=unknown,
            now=context.clock(),
        )
    MAILS.labels("deferred").inc()
    log.warning("mail_deferred", outbox_id=str(row["id"]), kind=row["kind"], attempts=attempts, error=error)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, bounded."""
    doublings = min(attempts - 1, 30)
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << doublings))


def _claim_token(settings: Settings, payload: dict[str, Any], waited: Mapping[str, Any] | None) -> str | None:
    if waited is None or waited["held_until"] is None or "ref" not in payload:
        return None
    return offers.sign_offer(settings, UUID(payload["entry_id"]), payload["ref"], waited["held_until"])


def _write(settings: Settings, row: asyncpg.Record, matter: Matter, now: datetime) -> mail.Message:
    """The mail of a row, from the state as it is now. Raises `Moot` or `Unwritable`."""
    payload: dict[str, Any] = row["payload"]
    recipient, booking, waited = matter.recipient, matter.booking, matter.waited
    try:
        int(payload["user_id"])
        for name, found in (("booking_id", booking), ("entry_id", waited)):
            if name in payload:
                UUID(payload[name])
                if found is None:
                    raise letters.Moot
        if recipient is None or recipient["suspended_at"] is not None:
            raise letters.Moot
        if recipient["verified_at"] is None and row["kind"] not in letters.TO_UNCONFIRMED:
            raise letters.Moot
        letter = letters.LETTERS[row["kind"]](
            letters.Occasion(
                payload=payload,
                recipient=recipient,
                booking=booking,
                waited=waited,
                claim_token=_claim_token(settings, payload, waited),
                public_url=settings.public_url,
                now=now,
            )
        )
        return mail.compose(
            letter,
            calendar=calendars.invitation(
                booking, sender=settings.notification_from_email, recipient=recipient["email"], now=now
            )
            if booking is not None and row["kind"] not in letters.WITHOUT_CALENDAR
            else None,
            outbox_id=row["id"],
            to=recipient["email"],
            sender=settings.notification_from_email,
            now=now,
        )
    except mail.UnusableAddress:
        raise Unwritable("The address cannot be written into a mail.") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unwritable(f"The row does not say what its kind needs ({type(error).__name__}).") from None
