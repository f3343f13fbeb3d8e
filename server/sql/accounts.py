"""Users, their memberships and the links that were mailed to them. Addresses are compared by `lower(email)`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

VERIFIED_EMAIL_UNIQUE = "users_verified_email_key"

# -- users ---------------------------------------------------------------------------------------------------

INSERT_USER = """
INSERT INTO users (email, name, password_hash, verified_at, demo, operator, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id
"""


async def insert_user(
    conn: Connection,
    *,
    email: str,
    name: str,
    password_hash: str,
    verified_at: datetime | None,
    now: datetime,
    demo: bool = False,
    operator: bool = False,
) -> int:
    """Make a user; the id. Violates `VERIFIED_EMAIL_UNIQUE` if a verified one has the address."""
    user_id: int = await conn.fetchval(INSERT_USER, email, name, password_hash, verified_at, demo, operator, now)
    return user_id


_ACCOUNT = """
id, email, name, password_hash, verified_at, suspended_at, demo, operator, session_version, version, reminders
"""

LIST_LOGIN_ACCOUNTS = f"""
(SELECT {_ACCOUNT} FROM users WHERE lower(email) = lower($1) AND verified_at IS NOT NULL)
UNION ALL
(SELECT {_ACCOUNT} FROM users WHERE lower(email) = lower($1) AND verified_at IS NULL ORDER BY id DESC LIMIT 1)
"""


async def list_login_accounts(conn: Connection, email: str) -> list[asyncpg.Record]:
    """The verified account of an address and the newest that is not verified, in this order, where they exist."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_LOGIN_ACCOUNTS, email)
    return sorted(rows, key=lambda row: row["verified_at"] is None)


FETCH_ACCOUNT = f"SELECT {_ACCOUNT} FROM users WHERE id = $1"


async def fetch_account(conn: Connection, user_id: int) -> asyncpg.Record | None:
    """A user's account."""
    return await conn.fetchrow(FETCH_ACCOUNT, user_id)


# Not FOR UPDATE: bookings refer to the user and take its key in share mode.
LOCK_ACCOUNT = f"SELECT {_ACCOUNT} FROM users WHERE id = $1 FOR NO KEY UPDATE"


async def lock_account(conn: Connection, user_id: int) -> asyncpg.Record | None:
    """A user's account, which nobody else changes until the transaction ends.

    Whatever begins, renews or ends a session takes this first, so that no session slips through while all are
    being ended.
    """
    return await conn.fetchrow(LOCK_ACCOUNT, user_id)


UPDATE_REMINDERS = "UPDATE users SET reminders = $2 WHERE id = $1"


async def update_reminders(conn: Connection, user_id: int, hours: Sequence[int]) -> None:
    """Remember how many hours before a booking its owner is reminded."""
    await conn.execute(UPDATE_REMINDERS, user_id, hours)


UPDATE_PASSWORD = """
UPDATE users SET password_hash = $2, session_version = session_version + 1, version = version + 1 WHERE id = $1
RETURNING session_version
"""  # noqa: S105 - a statement


async def update_password(conn: Connection, user_id: int, password_hash: str) -> int:
    """Set a new password, which ends all sessions; the new session version."""
    session_version: int = await conn.fetchval(UPDATE_PASSWORD, user_id, password_hash)
    return session_version


UPDATE_PASSWORD_HASH = "UPDATE users SET password_hash = $2 WHERE id = $1"  # noqa: S105 - a statement


async def update_password_hash(conn: Connection, user_id: int, password_hash: str) -> None:
    """Store the same password under newer parameters."""
    await conn.execute(UPDATE_PASSWORD_HASH, user_id, password_hash)


UPDATE_VERIFIED = """
UPDATE users SET verified_at = coalesce(verified_at, $2), version = version + 1 WHERE id = $1
"""


async def update_verified(conn: Connection, user_id: int, now: datetime) -> None:
    """Mark the address confirmed. Violates `VERIFIED_EMAIL_UNIQUE` if another verified account has it."""
    await conn.execute(UPDATE_VERIFIED, user_id, now)


UPDATE_SESSIONS_ENDED = """
UPDATE users SET session_version = session_version + 1, version = version + 1 WHERE id = $1
RETURNING session_version
"""


async def update_sessions_ended(conn: Connection, user_id: int) -> int:
    """End all sessions of a user; the new session version."""
    session_version: int = await conn.fetchval(UPDATE_SESSIONS_ENDED, user_id)
    return session_version


UPDATE_OPERATOR = "UPDATE users SET operator = true, suspended_at = NULL, version = version + 1 WHERE id = $1"


async def update_operator(conn: Connection, user_id: int) -> None:
    """Let a user found clubs; a suspension ends."""
    await conn.execute(UPDATE_OPERATOR, user_id)


# -- memberships ---------------------------------------------------------------------------------------------

LIST_CLUB_IDS = "SELECT id FROM clubs WHERE retired_at IS NULL ORDER BY id"


async def list_club_ids(conn: Connection) -> list[int]:
    """The clubs, the default one (the lowest id) first."""
    return [row["id"] for row in await conn.fetch(LIST_CLUB_IDS)]


INSERT_MEMBERSHIP = """
INSERT INTO memberships (user_id, club_id, role, tier) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, club_id) DO UPDATE
SET role = excluded.role, tier = coalesce(excluded.tier, memberships.tier), suspended_at = NULL
"""


async def insert_membership(
    conn: Connection, *, user_id: int, club_id: int, role: str, tier: str | None = None
) -> None:
    """Give a user a role in a club, in place of the one it had; a suspension there ends."""
    await conn.execute(INSERT_MEMBERSHIP, user_id, club_id, role, tier)


FETCH_DEFAULT_ROLE = """
SELECT m.role FROM memberships AS m
WHERE m.user_id = $1 AND m.suspended_at IS NULL AND m.club_id = (SELECT min(id) FROM clubs WHERE retired_at IS NULL)
"""


async def fetch_default_role(conn: Connection, user_id: int) -> str:
    """The user's role in the default club; `player` without a membership, and while suspended there."""
    role: str | None = await conn.fetchval(FETCH_DEFAULT_ROLE, user_id)
    return role or "player"


# -- mailed links --------------------------------------------------------------------------------------------

INSERT_LINK = """
INSERT INTO account_links (token_hash, user_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
"""


async def insert_link(
    conn: Connection, *, token_hash: bytes, user_id: int, purpose: str, now: datetime, expires_at: datetime
) -> None:
    """Remember a link by the SHA-256 of its secret; `purpose` is `verify` or `reset`."""
    await conn.execute(INSERT_LINK, token_hash, user_id, purpose, now, expires_at)


FETCH_LINK_OWNER = "SELECT user_id FROM account_links WHERE token_hash = $1"


async def fetch_link_owner(conn: Connection, token_hash: bytes) -> int | None:
    """The user a link was made for, whether it is still good or not."""
    user_id: int | None = await conn.fetchval(FETCH_LINK_OWNER, token_hash)
    return user_id


UPDATE_LINK_USED = """
UPDATE account_links SET used_at = $3
WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
RETURNING user_id
"""


async def update_link_used(conn: Connection, *, token_hash: bytes, purpose: str, now: datetime) -> int | None:
    """Use a link up; the user it was made for, or None if it is used, expired or unknown."""
    user_id: int | None = await conn.fetchval(UPDATE_LINK_USED, token_hash, purpose, now)
    return user_id


UPDATE_LINKS_VOID = "UPDATE account_links SET used_at = $3 WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL"


async def update_links_void(conn: Connection, *, user_id: int, purpose: str, now: datetime) -> None:
    """Void the user's links of one purpose."""
    await conn.execute(UPDATE_LINKS_VOID, user_id, purpose, now)


FETCH_RECENT_LINKS = """
SELECT count(*) FROM account_links AS l JOIN users AS u ON u.id = l.user_id
WHERE lower(u.email) = lower($1) AND l.created_at > $2
"""


async def fetch_recent_links(conn: Connection, email: str, since: datetime) -> int:
    """How many links were made for an address after `since`."""
    count: int = await conn.fetchval(FETCH_RECENT_LINKS, email, since)
    return count


# -- housekeeping --------------------------------------------------------------------------------------------

_UNUSED = """
u.verified_at IS NULL AND u.created_at < $2 AND NOT u.operator AND NOT u.demo
AND NOT EXISTS (SELECT FROM memberships AS m WHERE m.user_id = u.id AND m.role <> 'player')
AND NOT EXISTS (SELECT FROM bookings AS b WHERE b.user_id = u.id)
AND NOT EXISTS (SELECT FROM bookings AS b WHERE b.created_by = u.id)
AND NOT EXISTS (SELECT FROM participants AS p WHERE p.user_id = u.id)
AND NOT EXISTS (SELECT FROM series AS s WHERE s.user_id = u.id)
AND NOT EXISTS (SELECT FROM closures AS c WHERE c.created_by = u.id)
AND NOT EXISTS (SELECT FROM ledger AS l WHERE l.user_id = u.id)
"""

LOCK_UNUSED = f"""
SELECT u.id FROM users AS u WHERE {_UNUSED} ORDER BY u.id LIMIT $1 FOR UPDATE SKIP LOCKED
"""


async def lock_unused(conn: Connection, limit: int, made_before: datetime) -> list[int]:
    """Up to `limit` accounts that were made before then, never verified and never used; nobody can begin to now."""
    return [row["id"] for row in await conn.fetch(LOCK_UNUSED, limit, made_before)]


# The condition again, in a snapshot that is younger than the locks: a booking may have come just before them.
DELETE_UNUSED = f"""
WITH gone AS (SELECT u.id FROM users AS u WHERE u.id = ANY($1) AND {_UNUSED}),
keys AS (DELETE FROM idempotency_keys WHERE user_id IN (SELECT id FROM gone)),
links AS (DELETE FROM account_links WHERE user_id IN (SELECT id FROM gone)),
tokens AS (DELETE FROM refresh_tokens WHERE user_id IN (SELECT id FROM gone)),
members AS (DELETE FROM memberships WHERE user_id IN (SELECT id FROM gone)),
api_keys AS (DELETE FROM api_keys WHERE user_id IN (SELECT id FROM gone)),
feeds AS (DELETE FROM calendar_feeds WHERE user_id IN (SELECT id FROM gone)),
factors AS (DELETE FROM totp WHERE user_id IN (SELECT id FROM gone)),
codes AS (DELETE FROM recovery_codes WHERE user_id IN (SELECT id FROM gone))
DELETE FROM users WHERE id IN (SELECT id FROM gone) RETURNING id
"""


async def delete_unused(conn: Connection, user_ids: Sequence[int], made_before: datetime) -> int:
    """Delete those of the locked accounts that are still unused, with all that hangs on them; how many."""
    return len(await conn.fetch(DELETE_UNUSED, user_ids, made_before))
