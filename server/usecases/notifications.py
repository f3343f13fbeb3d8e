"""Notifications: the rows of the outbox that are mails, written from the state as it is now, and delivered.

At least once: an attempt is counted and committed before the mail is handed over, and settled afterwards. An
attempt that was never settled (the worker was killed, the line dropped after the mail was handed over) has an
unknown outcome; after two of those the mail is parked rather than sent a third time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import structlog

from server import tracing
from server.context import Context
from server.metrics import MAILS
from server.settings import Settings
from server.sql import notifications, outbox
from server.sql.connection import acquire
from server.usecases import calendars, letters, mail, offers, post
from server.usecases.gathering import Gathering

LEASE = timedelta(seconds=60)
"""Longer than one attempt can take (`post.SEND_TIMEOUT`); renewed for each."""
LEASED = 40
"""Mails that are leased together."""
MOST_CONNECTIONS = 4
MAILS_FOR_ONE = 10
"""A connection more for each so many mails."""
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


async def deliver_due(context: Context, *, limit: int, stopping: Callable[[], bool] = lambda: False) -> int:
    """Deliver up to `limit` mails that are due; returns how many rows were taken up.

    Several workers may do so at once: each row is leased to one of them. `stopping` is asked before each mail; the
    rest is given back then. Raises what the database raises; the rows are due again when their lease ends.
    """
    taken = 0
    ways_out = [post.open_post(context.settings) for _ in range(MOST_CONNECTIONS)]
    try:
        while taken < limit:
            lease, asked = uuid4(), min(limit - taken, LEASED)
            async with acquire(context.pool) as conn:
                rows = await outbox.lock_due(
                    conn, kinds=tuple(letters.LETTERS), limit=asked, lease=lease, duration=LEASE, now=context.clock()
                )
            delivery = Delivery(context, rows, lease, stopping)
            taken += await delivery.run(ways_out)
            if delivery.shut or len(rows) < asked:
                break
    finally:
        await asyncio.gather(*(way_out.close() for way_out in ways_out))
    return taken


class Delivery:
    """Rows that were leased together, sent over a few connections.

    Beginnings that wait together share their statements, and so do ends: one mail alone waits for no other.
    """

    def __init__(
        self, context: Context, rows: Sequence[asyncpg.Record], lease: UUID, stopping: Callable[[], bool]
    ) -> None:
        self._context = context
        self._lease = lease
        self._stopping = stopping
        self._left = deque(rows)
        self._rows = {row["id"]: row for row in rows}
        self._begun: Gathering[UUID, Matter | None] = Gathering(self._begin)
        self._sent: Gathering[UUID, None] = Gathering(self._settle)
        self.shut = False
        """The way out is shut: to try another mail would be in vain."""

    async def run(self, ways_out: Sequence[post.Post]) -> int:
        """Send the rows; how many were taken up. Those that were not are given back."""
        connections = min(len(ways_out), -(-len(self._rows) // MAILS_FOR_ONE))
        senders = (self._send_all(way_out) for way_out in ways_out[:connections])
        ended = await asyncio.gather(*senders, return_exceptions=True)
        if self._left:
            async with acquire(self._context.pool) as conn:
                await outbox.update_released(conn, lease=self._lease, ids=[row["id"] for row in self._left])
        for error in ended:
            if error is not None:
                raise error
        return len(self._rows) - len(self._left)

    async def _send_all(self, way_out: post.Post) -> None:
        while self._left and not self.shut and not self._stopping():
            row = self._left.popleft()
            trace = row["payload"].get(tracing.CARRIED)
            with tracing.span(f"mail {row['kind']}", parent=trace, outbox_id=str(row["id"])):
                await self._deliver(way_out, row)

    async def _deliver(self, way_out: post.Post, row: asyncpg.Record) -> None:
        context, lease = self._context, self._lease
        if row["unknown"] >= MAX_UNKNOWN:
            await _park(context, row, lease, MAY_HAVE_BEEN_SENT)
            return
        outcome = "delivered"
        try:
            matter = await self._begun.get(row["id"])
            if matter is None:
                return
            message = _write(context.settings, row, matter, context.clock())
            await way_out.send(message)
        except letters.Moot:
            outcome = "moot"
        except (Unwritable, post.Refused) as error:
            await _park(context, row, lease, str(error))
            return
        except post.Uncertain as error:
            self.shut = True
            await _defer(context, row, lease, str(error), unknown=True)
            return
        except post.Deferred as error:
            self.shut = self.shut or isinstance(error, post.Unreachable)
            await _defer(context, row, lease, str(error), unknown=False)
            return
        await self._sent.get(row["id"])
        MAILS.labels(outcome).inc()
        log.info("mail_delivered", outbox_id=str(row["id"]), kind=row["kind"])

    async def _begin(self, row_ids: Sequence[UUID]) -> dict[UUID, Matter | None]:
        """Count attempts before they are made, and read what the mails say. None: another worker has taken the row."""
        async with acquire(self._context.pool) as conn:
            begun = await outbox.update_all_begun(conn, row_ids, lease=self._lease, duration=LEASE)
            payloads = {row_id: self._rows[row_id]["payload"] for row_id in begun}
            users = {user for payload in payloads.values() if isinstance(user := payload.get("user_id"), int)}
            recipients = await notifications.list_recipients(conn, users)
            bookings, entries = _named(payloads, "booking_id"), _named(payloads, "entry_id")
            booked = await notifications.list_booked(conn, set(bookings.values())) if bookings else {}
            waited = {entry: await notifications.fetch_waited(conn, entry) for entry in set(entries.values())}

        def matter(row_id: UUID) -> Matter:
            booking, entry = bookings.get(row_id), entries.get(row_id)
            return Matter(
                recipient=recipients.get(payloads[row_id].get("user_id")),
                booking=booked.get(booking) if booking is not None else None,
                waited=waited.get(entry) if entry is not None else None,
            )

        return {row_id: matter(row_id) if row_id in begun else None for row_id in row_ids}

    async def _settle(self, row_ids: Sequence[UUID]) -> dict[UUID, None]:
        async with acquire(self._context.pool) as conn:
            await outbox.update_sent(conn, row_ids, lease=self._lease)
        return dict.fromkeys(row_ids)


def _named(payloads: Mapping[UUID, Mapping[str, Any]], name: str) -> dict[UUID, UUID]:
    """Row → the id of that name in its payload. Where there is nonsense there is none: `_write` judges the row."""
    found = {}
    for row_id, payload in payloads.items():
        with suppress(KeyError, ValueError, AttributeError, TypeError):
            found[row_id] = UUID(payload[name])
    return found


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


def _write(settings: Settings, row: asyncpg.Record, matter: Matter, now: datetime) -> EmailMessage:
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
