"""The audit trail: append-only, ids and times, never an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from server.sql.connection import Connection

INSERT_AUDIT = """
INSERT INTO audit_events (id, club_id, event_type, actor_id, payload)
VALUES ($1, $2, $3, $4, $5)
"""


async def insert_audit(
    conn: Connection,
    *,
    id: UUID,  # noqa: A002 - named as the column
    club_id: int | None,
    event_type: str,
    actor_id: int | None,
    payload: dict[str, Any],
) -> None:
    """Record what was done, by whom (user id; None: nobody or the system) and to what (`payload`: ids, times)."""
    await conn.execute(INSERT_AUDIT, id, club_id, event_type, actor_id, payload)


# Ids are UUIDv7, so the primary key has them in order of time, and no booking writes a second index.
LIST_AUDIT = """
SELECT id, event_type, actor_id, payload, created_at FROM audit_events
WHERE id >= $2 AND id < $3 AND club_id = $1 AND ($4::text IS NULL OR event_type = $4)
  AND ($5::bigint IS NULL OR actor_id = $5)
  AND ($6::bigint IS NULL OR actor_id = $6 OR payload->>'user_id' = $6::bigint::text)
  AND ($7::text IS NULL OR $7 IN (payload->>'booking_id', payload->>'entry_id', payload->>'closure_id'))
ORDER BY id DESC LIMIT $8
"""


async def list_audit(
    conn: Connection,
    club_id: int,
    *,
    first: UUID,
    before: UUID,
    event_type: str | None,
    actor_id: int | None,
    user_id: int | None,
    about: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """What was done in a club, newest first, with ids from `first` on and before `before`; None is any.

    `user_id`: what somebody did or was concerned by. `about`: what concerned a booking, a place in the line or a closure.
    """
    thing = str(about) if about is not None else None
    rows: list[asyncpg.Record] = await conn.fetch(
        LIST_AUDIT, club_id, first, before, event_type, actor_id, user_id, thing, limit
    )
    return rows


FETCH_LIFE = """
SELECT min(made) AS made, max(over) AS over FROM (
    SELECT created_at AS made, end_ts AS over FROM bookings WHERE id = $2 AND club_id = $1
    UNION ALL SELECT created_at, end_ts FROM waitlist_entries WHERE id = $2 AND club_id = $1
    UNION ALL SELECT created_at, end_ts FROM waitlist_history WHERE id = $2 AND club_id = $1
    UNION ALL SELECT created_at, end_ts FROM closures WHERE id = $2 AND club_id = $1
) AS life HAVING count(*) > 0
"""


async def fetch_life(conn: Connection, club_id: int, about: UUID) -> asyncpg.Record | None:
    """When a booking, a place in the line or a closure of the club was made, and when it is over; None: there is none.

    The trail has no index by what it is about, which each booking would have to write: with this one looks through a
    stretch of it.
    """
    return await conn.fetchrow(FETCH_LIFE, club_id, about)
