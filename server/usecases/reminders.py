"""Reminders: a day and two hours before a booking, for whoever wants them.

They are not written with the booking: most bookings are made, moved or given up long before, and a booking should pay
for nothing that a worker can find out later. The worker looks whose time it is, and puts a row into the outbox; the
letter looks again whether it still holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.context import Context
from server.domain.errors import InvalidRequest
from server.sql import accounts, notifications
from server.sql.connection import acquire

LEADS = (24, 2)
"""Hours before the start: elapsed time, also where clocks are changed in between."""


async def put_out_reminders(context: Context) -> int:
    """Put the reminders whose time it is into the outbox; how many were new. May be called as often as one likes."""
    async with acquire(context.pool) as conn:
        return await notifications.insert_reminders(conn, leads=LEADS, now=context.clock())


async def choose_reminders(context: Context, user_id: int, hours: Sequence[int]) -> None:
    """Be reminded so many hours before a booking, from now on. Raises `InvalidRequest`."""
    if unknown := set(hours) - set(LEADS):
        raise InvalidRequest(f"There are reminders of 24 and of 2 hours, not of {min(unknown)}.", field="reminders")
    async with acquire(context.pool) as conn:
        await accounts.update_reminders(conn, user_id, sorted(set(hours), reverse=True))
