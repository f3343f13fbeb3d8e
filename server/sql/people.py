"""Who a booking is for: a user as a club's desk knows them."""

from __future__ import annotations

import asyncpg

from server.sql.connection import Connection

FETCH_PLAYER_BY_EMAIL = """
SELECT u.id, m.tier, m.suspended_at IS NOT NULL AS suspended
FROM users u LEFT JOIN memberships m ON m.user_id = u.id AND m.club_id = $2
WHERE lower(u.email) = lower($1) AND u.verified_at IS NOT NULL AND u.suspended_at IS NULL
"""


async def fetch_player_by_email(conn: Connection, email: str, club_id: int) -> asyncpg.Record | None:
    """`id` and, in that club, `tier` and whether `suspended`, of the user with that confirmed address, or None."""
    return await conn.fetchrow(FETCH_PLAYER_BY_EMAIL, email, club_id)


FETCH_TIER = "SELECT tier FROM memberships WHERE user_id = $1 AND club_id = $2"


async def fetch_tier(conn: Connection, user_id: int, club_id: int) -> str | None:
    """The user's membership tier in the club, or None."""
    tier: str | None = await conn.fetchval(FETCH_TIER, user_id, club_id)
    return tier
