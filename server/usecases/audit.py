"""The audit trail, for staff: who did what in their club, by id."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from server.context import Context
from server.sql import audit as sql
from server.sql.connection import acquire

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = UUID(int=2**128 - 1)


async def list_events(
    context: Context,
    club_id: int,
    *,
    since: datetime,
    before: datetime | UUID | None,
    event_type: str | None,
    actor_id: int | None,
    limit: int,
) -> list[asyncpg.Record]:
    """What was done in a club, newest first, by the time in its id (the server's clock, to the millisecond)."""
    end = before if isinstance(before, UUID) else LAST if before is None else first_id(before)
    async with acquire(context.pool) as conn:
        return await sql.list_audit(
            conn, club_id, first=first_id(since), before=end, event_type=event_type, actor_id=actor_id, limit=limit
        )


def first_id(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment; what is before 1970 or after all of them counts as the first or last."""
    ms = int((moment - _EPOCH).total_seconds() * 1000)
    return UUID(int=min(max(ms, 0), 2**48 - 1) << 80)
