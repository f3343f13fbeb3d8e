"""The people of a club, as its staff sees them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

_PERSON = """
u.id, u.email, u.name, u.verified_at, u.suspended_at AS account_suspended_at, u.version, u.created_at,
m.role, m.tier, m.suspended_at
"""

LIST_PEOPLE = f"""
SELECT {_PERSON}
FROM memberships AS m JOIN users AS u ON u.id = m.user_id
WHERE m.club_id = $1 AND u.id > $2
  AND ($3::text IS NULL OR position(lower($3) IN lower(u.email || ' ' || u.name)) > 0)
ORDER BY u.id
LIMIT $4
"""


async def list_people(
    conn: Connection, *, club_id: int, after: int, search: str | None, limit: int
) -> list[asyncpg.Record]:
    """Up to `limit` members of a club with ids above `after` whose address or name contains `search`."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_PEOPLE, club_id, after, search, limit)
    return rows


LIST_NAMES = """
SELECT id, name, CASE WHEN erased_at IS NULL THEN email ELSE '' END AS email
FROM users WHERE id = ANY($1::bigint[])
"""


async def list_names(conn: Connection, user_ids: Collection[int]) -> list[asyncpg.Record]:
    """Who these people are, members or not: id, name, email, both empty for whoever was forgotten."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_NAMES, list(user_ids))
    return rows


# Who is neither has nothing to do with the club's staff, though they may stand in its trail: an operator, say.
LIST_KNOWN_NAMES = """
SELECT id, name, CASE WHEN erased_at IS NULL THEN email ELSE '' END AS email
FROM users AS u WHERE id = ANY($2::bigint[]) AND (
    EXISTS (SELECT FROM memberships AS m WHERE m.club_id = $1 AND m.user_id = u.id)
    OR EXISTS (SELECT FROM bookings AS b WHERE b.club_id = $1 AND b.user_id = u.id)
) ORDER BY id
"""


async def list_known_names(conn: Connection, club_id: int, user_ids: Collection[int]) -> list[asyncpg.Record]:
    """Who those of these people are who are members of the club or have booked there, as `list_names`."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_KNOWN_NAMES, club_id, list(user_ids))
    return rows


FETCH_PERSON = f"""
SELECT {_PERSON}
FROM memberships AS m JOIN users AS u ON u.id = m.user_id
WHERE m.club_id = $1 AND u.id = $2
"""


async def fetch_person(conn: Connection, *, club_id: int, user_id: int) -> asyncpg.Record | None:
    """One member of a club."""
    return await conn.fetchrow(FETCH_PERSON, club_id, user_id)


LIST_ROLES = "SELECT club_id, role FROM memberships WHERE user_id = $1 ORDER BY club_id"


async def list_roles(conn: Connection, user_id: int) -> list[asyncpg.Record]:
    """The user's role in every club: club_id, role."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_ROLES, user_id)
    return rows


LOCK_ADMINS = """
SELECT m.club_id, m.user_id
FROM memberships AS m
WHERE m.role = 'admin'
  AND m.club_id IN (SELECT own.club_id FROM memberships AS own WHERE own.user_id = $1 AND own.role = 'admin')
ORDER BY m.club_id, m.user_id
FOR UPDATE
"""


async def lock_admins(conn: Connection, user_id: int) -> None:
    """Take the admins of every club of which the user is one, so that no two of them step down at once."""
    await conn.execute(LOCK_ADMINS, user_id)


# Somebody who never set a password cannot log in and so keeps nobody's door open.
LIST_CLUBS_LEFT_ALONE = """
SELECT m.club_id
FROM memberships AS m
WHERE m.user_id = $1 AND m.role = 'admin'
  AND NOT EXISTS (
    SELECT FROM memberships AS other JOIN users AS u ON u.id = other.user_id
    WHERE other.club_id = m.club_id AND other.role = 'admin' AND other.user_id <> $1
      AND other.suspended_at IS NULL AND u.suspended_at IS NULL AND u.password_hash <> '!'
  )
"""


async def list_clubs_left_alone(conn: Connection, user_id: int) -> list[int]:
    """The clubs of which the user is the only admin who can log in and is not suspended."""
    return [row["club_id"] for row in await conn.fetch(LIST_CLUBS_LEFT_ALONE, user_id)]


UPDATE_MEMBERSHIP = """
UPDATE memberships
SET role = $3, tier = $4,
    suspended_at = CASE WHEN $5::timestamptz IS NOT NULL THEN coalesce(suspended_at, $5::timestamptz) END
WHERE club_id = $1 AND user_id = $2
"""


async def update_membership(
    conn: Connection, *, club_id: int, user_id: int, role: str, tier: str | None, suspended_at: datetime | None
) -> None:
    """Change a member's role, tier and suspension; who is suspended already is so since then."""
    await conn.execute(UPDATE_MEMBERSHIP, club_id, user_id, role, tier, suspended_at)


UPDATE_PERSON = """
UPDATE users
SET name = $2, suspended_at = $3, version = version + 1, session_version = session_version + $4::int
WHERE id = $1
"""


async def update_person(
    conn: Connection, *, user_id: int, name: str, suspended_at: datetime | None, end_sessions: bool
) -> None:
    """Change what staff may change of an account, and give it a new version; `end_sessions` ends all of them."""
    await conn.execute(UPDATE_PERSON, user_id, name, suspended_at, int(end_sessions))
