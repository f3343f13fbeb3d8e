"""The audit trail, for staff: who did what in their club, by id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from server.context import Context
from server.sql import audit as sql
from server.sql.connection import acquire

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = UUID(int=2**128 - 1)
SLACK = timedelta(days=1)
"""An operation has its id, and thereby its time, before it is settled; and what was moved may have been noted later."""


async def list_events(
    context: Context,
    club_id: int,
    *,
    since: datetime,
    before: datetime | UUID | None,
    event_type: str | None = None,
    actor_id: int | None = None,
    user_id: int | None = None,
    about: UUID | None = None,
    limit: int,
) -> list[asyncpg.Record]:
    """What was done in a club, newest first, by the time in its id (the server's clock, to the millisecond).

    `before` is a time, or the last id of the page before.
    """
    end = before if isinstance(before, UUID) else LAST if before is None else first_id(before)
    async with acquire(context.pool) as conn:
        return await sql.list_audit(
            conn,
            club_id,
            first=first_id(since),
            before=end,
            event_type=event_type,
            actor_id=actor_id,
            user_id=user_id,
            about=about,
            limit=limit,
        )


async def life_of(context: Context, club_id: int, about: UUID) -> tuple[datetime, datetime] | None:
    """Between which moments a booking, a place in the line or a closure was noted; None: the club has no such thing."""
    async with acquire(context.pool) as conn:
        life = await sql.fetch_life(conn, club_id, about)
    return (life["made"] - SLACK, life["over"] + SLACK) if life is not None else None


def first_id(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment; what is before 1970 or after all of them counts as the first or last."""
    ms = int((moment - _EPOCH).total_seconds() * 1000)
    return UUID(int=min(max(ms, 0), 2**48 - 1) << 80)
