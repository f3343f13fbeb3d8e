"""All that was noted about one booking."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from server.sql.connection import Connection

# Neither has an index by booking: this is for the operator's console, not for requests. What was waited for has a history
# before it is a booking, under the entry's id.
LIST_AUDITED = """
SELECT created_at, event_type, actor_id, payload FROM audit_events
WHERE club_id = $2 AND (payload->>'booking_id' = $1::text OR payload->>'entry_id' IN
    (SELECT id::text FROM waitlist_history WHERE booking_id = $1::text::uuid AND outcome = 'promoted'))
ORDER BY created_at, id
"""


async def list_audited(conn: Connection, booking_id: UUID, club_id: int) -> list[asyncpg.Record]:
    """The audit trail of a booking, and of the waiting that it came from."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_AUDITED, str(booking_id), club_id)
    return rows


LIST_POSTED = """
SELECT id, kind, created_at, attempts, done_at, parked_at, last_error FROM outbox
WHERE club_id = $2 AND (payload->>'booking_id' = $1::text OR payload->>'entry_id' IN
    (SELECT id::text FROM waitlist_history WHERE booking_id = $1::text::uuid AND outcome = 'promoted'))
ORDER BY created_at, id
"""


async def list_posted(conn: Connection, booking_id: UUID, club_id: int) -> list[asyncpg.Record]:
    """The mails and jobs of a booking, and of the waiting that it came from."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_POSTED, str(booking_id), club_id)
    return rows


LIST_VERSIONS = """
SELECT DISTINCT d.resource_id, r.kind, d.day, d.version
FROM allocations a JOIN resources r ON r.id = a.resource_id JOIN clubs c ON c.id = a.club_id
JOIN resource_days d ON d.resource_id = a.resource_id
    AND d.day BETWEEN (lower(a.during) AT TIME ZONE c.zone)::date
    AND ((upper(a.during) - interval '1 microsecond') AT TIME ZONE c.zone)::date
WHERE a.booking_id = $1
ORDER BY d.day, d.resource_id
"""


async def list_versions(conn: Connection, booking_id: UUID) -> list[asyncpg.Record]:
    """The resource-days that a booking holds or held, with their versions."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_VERSIONS, booking_id)
    return rows
