"""Nobody is forgotten: now and then the line is looked through for whoever could be served and is not.

What is freed is held for the first in line at once. But a player's quota ends with the booking that used it up, a price
falls as the hour comes near, a gap may be left at the last minute, an address is confirmed, a suspension is lifted:
then nothing was freed, and no request says so.
"""

from __future__ import annotations

from datetime import datetime

from server.context import Context
from server.domain import policy, waitlist
from server.domain.bookings import Rematch
from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound, Refusal
from server.domain.promotion import LEAD
from server.sql.connection import acquire
from server.sql.waitlist import list_overlooked
from server.usecases.catalogue import Catalogues
from server.usecases.desk import Desks, settled
from server.usecases.ids import uuid7


async def look_after_the_line(context: Context, catalogues: Catalogues, desks: Desks) -> int:
    """Have the desks look again where a court is free that somebody waits for; at how many times. May be called as
    often as one likes: where nobody can be served, nothing is written.

    Raises `Unavailable` and what the database raises.
    """
    now = context.clock()
    async with acquire(context.pool) as conn:
        entries = await list_overlooked(conn, now)
    looked = 0
    for club_id in sorted({entry.club_id for entry in entries}):
        try:
            catalogue = await catalogues.current(club_id)
        except NotFound:
            continue  # the club was retired
        here = (entry for entry in entries if entry.club_id == club_id)
        # One after the other: each takes its locks for a moment only.
        for interval in sorted({entry.interval for entry in here if _may_be_booked(catalogue, entry, now)}):
            request = Rematch(op_id=uuid7(now), interval=interval)
            settled(await desks.of(club_id).submit(request))
            looked += 1
    return looked


def _may_be_booked(catalogue: Catalogue, entry: waitlist.Entry, now: datetime) -> bool:
    """Whether it is time for it at all: most wait for a day that is not released yet."""
    if now >= waitlist.deadline(catalogue, entry):
        return False
    for court in waitlist.courts_of(catalogue, entry):
        try:
            policy.check_slot(catalogue, court, entry.interval, now=now + LEAD, tier=entry.tier, staff=False)
        except Refusal:
            continue
        return True
    return False
