"""Notifications: the rows of the outbox that are mails, written from the state as it is now, and delivered.

At least once: an attempt is counted and committed before the mail is handed over, and settled afterwards. An
attempt that was never settled (the worker was killed, the line dropped after the mail was handed over) has an
unknown outcome; after two of those the mail is parked rather than sent a third time.
"""

from __future__ import annotations

from collections.abc import Callable
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
from server.sql.connection import Connection, acquire
from server.usecases import calendars, letters, mail, offers, post

LEASE = timedelta(seconds=60)
"""Longer than one attempt can take (`post.SEND_TIMEOUT`); renewed for each."""
MAX_ATTEMPTS = 20
MAX_UNKNOWN = 2
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
"""15 s, 30 s, 1 min, … 1 h: twenty attempts are half a day, the outage of a mail server."""
MAY_HAVE_BEEN_SENT = "It may have been sent: two attempts ended with nobody knowing how."

log = structlog.get_logger(__name__)


class Unwritable(Exception):
    """The row cannot become a mail, now or later. The message has no personal data in it."""


async def deliver_due(context: Context, *, limit: int, stopping: Callable[[], bool] = lambda: False) -> int:
    """Deliver up to `limit` mails that are due; returns how many rows were taken up.

    Several workers may do so at once: each row is leased to one of them. `stopping` is asked before each mail; the
    rest is given back then. Raises what the database raises; the rows are due again when their lease ends.
    """
    lease = uuid4()
    async with acquire(context.pool) as conn:
        rows = await outbox.lock_due(
            conn, kinds=tuple(letters.LETTERS), limit=limit, lease=lease, duration=LEASE, now=context.clock()
        )
    if not rows:
        return 0
    way_out = post.open_post(context.settings)
    taken = 0
    try:
        for row in rows:
            if stopping():
                break
            taken += 1
            trace = row["payload"].get(tracing.CARRIED)
            with tracing.span(f"mail {row['kind']}", parent=trace, outbox_id=str(row["id"])):
                if not await _deliver(context, way_out, row, lease):
                    break
    finally:
        await way_out.close()
        if taken < len(rows):
            async with acquire(context.pool) as conn:
                await outbox.update_released(conn, lease=lease, ids=[row["id"] for row in rows[taken:]])
    return taken


async def _deliver(context: Context, way_out: post.Post, row: asyncpg.Record, lease: UUID) -> bool:
    """Deliver one mail. False: the way out is shut, and to try the next one would be in vain."""
    row_id: UUID = row["id"]
    if row["unknown"] >= MAX_UNKNOWN:
        await _park(context, row, lease, MAY_HAVE_BEEN_SENT)
        return True
    async with acquire(context.pool) as conn:
        if not await outbox.update_begun(conn, row_id=row_id, lease=lease, duration=LEASE):
            return True
    outcome = "delivered"
    try:
        async with acquire(context.pool) as conn:
            message = await _write(conn, context.settings, row, context.clock())
        await way_out.send(message)
    except letters.Moot:
        outcome = "moot"
    except Unwritable as error:
        await _park(context, row, lease, str(error))
        return True
    except post.Refused as error:
        await _park(context, row, lease, str(error))
        return True
    except post.Uncertain as error:
        await _defer(context, row, lease, str(error), unknown=True)
        return False
    except post.Deferred as error:
        await _defer(context, row, lease, str(error), unknown=False)
        return not isinstance(error, post.Unreachable)
    async with acquire(context.pool) as conn:
        await outbox.update_done(conn, row_id=row_id, lease=lease)
    MAILS.labels(outcome).inc()
    log.info("mail_delivered", outbox_id=str(row_id), kind=row["kind"])
    return True


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


def _claim_token(settings: Settings, payload: dict[str, Any], waited: asyncpg.Record | None) -> str | None:
    if waited is None or waited["held_until"] is None or "ref" not in payload:
        return None
    return offers.sign_offer(settings, UUID(payload["entry_id"]), payload["ref"], waited["held_until"])


async def _write(conn: Connection, settings: Settings, row: asyncpg.Record, now: datetime) -> EmailMessage:
    """The mail of a row, from the state as it is now. Raises `Moot` or `Unwritable`."""
    payload: dict[str, Any] = row["payload"]
    try:
        recipient = await notifications.fetch_recipient(conn, payload["user_id"])
        if recipient is None or recipient["suspended_at"] is not None:
            raise letters.Moot
        if recipient["verified_at"] is None and row["kind"] not in letters.TO_UNCONFIRMED:
            raise letters.Moot
        booking = None
        if "booking_id" in payload:
            booking = await notifications.fetch_booked(conn, UUID(payload["booking_id"]))
            if booking is None:
                raise letters.Moot
        waited = None
        if "entry_id" in payload:
            waited = await notifications.fetch_waited(conn, UUID(payload["entry_id"]))
            if waited is None:
                raise letters.Moot
        letter = letters.LETTERS[row["kind"]](
            letters.Occasion(
                payload=payload,
                recipient=dict(recipient),
                booking=dict(booking) if booking else None,
                waited=dict(waited) if waited else None,
                claim_token=_claim_token(settings, payload, waited),
                public_url=settings.public_url,
                now=now,
            )
        )
        return mail.compose(
            letter,
            calendar=calendars.invitation(
                dict(booking), sender=settings.notification_from_email, recipient=recipient["email"], now=now
            )
            if booking is not None
            else None,
            outbox_id=row["id"],
            to=recipient["email"],
            sender=settings.notification_from_email,
            now=now,
        )
    except mail.UnusableAddress:
        raise Unwritable("The address cannot be written into a mail.") from None
    except (LookupError, TypeError, ValueError, asyncpg.DataError) as error:
        raise Unwritable(f"The row does not say what its kind needs ({type(error).__name__}).") from None
