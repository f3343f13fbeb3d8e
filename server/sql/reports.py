"""What staff want to know of a stretch of days: what was booked, what was owed, who waited."""

from __future__ import annotations

import asyncpg

from server.domain.slots import Interval
from server.sql.connection import Connection

SUM_BY_COURT = """
SELECT court_id, count(*) AS bookings, (sum(extract(epoch FROM end_ts - start_ts)) / 60)::bigint AS minutes,
       sum(price_total)::bigint AS total
FROM bookings WHERE club_id = $1 AND status = 'confirmed' AND start_ts >= $2 AND start_ts < $3 GROUP BY court_id
"""


async def sum_by_court(conn: Connection, club_id: int, interval: Interval) -> list[asyncpg.Record]:
    """(court_id, bookings, minutes, minor units) of confirmed bookings that start in the interval."""
    rows: list[asyncpg.Record] = await conn.fetch(SUM_BY_COURT, club_id, interval.start, interval.end)
    return rows


SUM_BY_COACH = """
SELECT coach_id, count(*) AS bookings, (sum(extract(epoch FROM end_ts - start_ts)) / 60)::bigint AS minutes
FROM bookings
WHERE club_id = $1 AND status = 'confirmed' AND start_ts >= $2 AND start_ts < $3 AND coach_id IS NOT NULL
GROUP BY coach_id
"""


async def sum_by_coach(conn: Connection, club_id: int, interval: Interval) -> list[asyncpg.Record]:
    """(coach_id, bookings, minutes) of confirmed bookings that start in the interval."""
    rows: list[asyncpg.Record] = await conn.fetch(SUM_BY_COACH, club_id, interval.start, interval.end)
    return rows


SUM_LEDGER = """
SELECT kind, sum(amount)::bigint AS amount FROM ledger
WHERE club_id = $1 AND created_at >= $2 AND created_at < $3 GROUP BY kind
"""


async def sum_ledger(conn: Connection, club_id: int, interval: Interval) -> list[asyncpg.Record]:
    """(kind of entry, minor units) of what was written to the ledger in the interval."""
    rows: list[asyncpg.Record] = await conn.fetch(SUM_LEDGER, club_id, interval.start, interval.end)
    return rows


COUNT_EVENTS = """
SELECT event_type, count(*) AS events FROM audit_events
WHERE club_id = $1 AND created_at >= $2 AND created_at < $3 AND event_type = ANY($4) GROUP BY event_type
"""


async def count_events(
    conn: Connection, club_id: int, interval: Interval, event_types: list[str]
) -> list[asyncpg.Record]:
    """(event type, events) of the interval."""
    rows: list[asyncpg.Record] = await conn.fetch(COUNT_EVENTS, club_id, interval.start, interval.end, event_types)
    return rows
