"""Calendar feeds: whose address it is, and what is in the calendar."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from server.sql.connection import Connection
from server.sql.notifications import BOOKED

UPSERT_FEED = """
INSERT INTO calendar_feeds (token_hash, user_id, court_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, court_id) DO UPDATE SET token_hash = excluded.token_hash, created_at = excluded.created_at
"""


async def upsert_feed(
    conn: Connection, *, token_hash: bytes, user_id: int, court_id: int | None, now: datetime
) -> None:
    """Give somebody's calendar a new address; the old one ends. Without a court it is the one of their own bookings."""
    await conn.execute(UPSERT_FEED, token_hash, user_id, court_id, now)


DELETE_FEED = "DELETE FROM calendar_feeds WHERE user_id = $1 AND court_id IS NOT DISTINCT FROM $2"


async def delete_feed(conn: Connection, *, user_id: int, court_id: int | None) -> bool:
    """End the address of somebody's calendar. False: there was none."""
    return bool(await conn.execute(DELETE_FEED, user_id, court_id) != "DELETE 0")


FETCH_FEED = "SELECT created_at FROM calendar_feeds WHERE user_id = $1 AND court_id IS NOT DISTINCT FROM $2"


async def fetch_feed_since(conn: Connection, *, user_id: int, court_id: int | None) -> datetime | None:
    """Since when somebody's calendar has its address."""
    since: datetime | None = await conn.fetchval(FETCH_FEED, user_id, court_id)
    return since


FETCH_FEED_BEHIND = """
SELECT f.user_id, f.court_id, courts.name AS court, clubs.name AS club
FROM calendar_feeds f
JOIN users u ON u.id = f.user_id
LEFT JOIN courts ON courts.id = f.court_id
LEFT JOIN clubs ON clubs.id = courts.club_id
LEFT JOIN memberships m ON m.user_id = f.user_id AND m.club_id = courts.club_id
WHERE f.token_hash = $1 AND u.suspended_at IS NULL
  AND (f.court_id IS NULL OR (m.role IN ('staff', 'admin') AND m.suspended_at IS NULL))
"""


async def fetch_feed_behind(conn: Connection, token_hash: bytes) -> asyncpg.Record | None:
    """Whose calendar an address is: user_id, court_id, court, club. Whoever is staff no more has none of a court."""
    row: asyncpg.Record | None = await conn.fetchrow(FETCH_FEED_BEHIND, token_hash)
    return row


LIST_OWN_EVENTS = (
    f"{BOOKED} WHERE b.user_id = $1 AND b.status = 'confirmed' AND b.end_ts > $2 ORDER BY b.start_ts LIMIT $3"
)


async def list_own_events(conn: Connection, user_id: int, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Somebody's own bookings that end after `since`, as `notifications.list_booked` has them."""
    return [dict(row) for row in await conn.fetch(LIST_OWN_EVENTS, user_id, since, limit)]


# Courts that share a unit are in each other's way.
SHARING = """
(SELECT other.court_id FROM court_units own JOIN court_units other USING (unit_id) WHERE own.court_id = $1)
"""
LIST_COURT_EVENTS = f"""
{BOOKED} WHERE b.court_id IN {SHARING} AND b.status = 'confirmed' AND b.end_ts > $2 ORDER BY b.start_ts LIMIT $3
"""


async def list_court_events(conn: Connection, court_id: int, since: datetime, limit: int) -> list[dict[str, Any]]:
    """A court's bookings that end after `since`, those of courts that share a part of it too."""
    return [dict(row) for row in await conn.fetch(LIST_COURT_EVENTS, court_id, since, limit)]


LIST_COURT_CLOSURES = f"""
SELECT id, version, start_ts, end_ts, reason FROM closures
WHERE court_ids && ARRAY {SHARING} AND lifted_at IS NULL AND end_ts > $2 ORDER BY start_ts LIMIT $3
"""


async def list_court_closures(conn: Connection, court_id: int, since: datetime, limit: int) -> list[dict[str, Any]]:
    """A court's closures that end after `since`: id, version, start_ts, end_ts, reason."""
    return [dict(row) for row in await conn.fetch(LIST_COURT_CLOSURES, court_id, since, limit)]
