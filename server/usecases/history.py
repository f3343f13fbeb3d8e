"""What happened to one booking, for whoever has to explain it: audit trail, mails and grid versions. Ids alone."""

from __future__ import annotations

from uuid import UUID

import msgspec

from server.context import Context
from server.domain.errors import NotFound
from server.domain.slots import isoformat
from server.sql import bookings, history
from server.sql.connection import acquire
from server.usecases.catalogue import Catalogues


async def tell_history(context: Context, written_id: str) -> list[str]:
    """A booking's history, a line for each thing, in club time. Raises `NotFound`."""
    try:
        booking_id = UUID(written_id)
    except ValueError:
        raise NotFound("That is not the id of a booking.") from None
    async with acquire(context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        booking = await bookings.fetch_booking(conn, booking_id)
        if booking is None:
            raise NotFound("There is no booking with that id.")
        audited = await history.list_audited(conn, booking_id, booking.club_id)
        posted = await history.list_posted(conn, booking_id, booking.club_id)
        versions = await history.list_versions(conn, booking_id)
    catalogues = Catalogues(context)
    tz = (await catalogues.even_retired(booking.club_id)).tz
    await catalogues.close()
    lines = [
        f"booking {booking.id}: {booking.status}, court {booking.court_id}, user {booking.user_id},"
        f" {isoformat(booking.interval.start, tz)} to {isoformat(booking.interval.end, tz)},"
        f" revision {booking.revision}, {booking.price.total} {booking.price.currency}"
    ]
    for row in audited:
        actor = "the system" if row["actor_id"] is None else f"user {row['actor_id']}"
        payload = msgspec.json.encode(row["payload"]).decode()
        lines.append(f"{isoformat(row['created_at'], tz)} audit {row['event_type']} by {actor}: {payload}")
    for row in posted:
        if row["done_at"] is not None:
            state = f"done {isoformat(row['done_at'], tz)}"
        elif row["parked_at"] is not None:
            state = f"set aside {isoformat(row['parked_at'], tz)}: {row['last_error']}"
        else:
            state = f"to be done, {row['last_error'] or 'not tried yet'}"
        lines.append(
            f"{isoformat(row['created_at'], tz)} outbox {row['kind']} {row['id']}: {row['attempts']} attempts, {state}"
        )
    lines += [f"grid {row['day']} {row['kind']} {row['resource_id']}: version {row['version']}" for row in versions]
    return lines
