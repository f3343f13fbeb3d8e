"""Refresh tokens: a family is one session, each token is good once and makes its successor."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from server.sql.connection import Connection

INSERT_REFRESH_TOKEN = """
INSERT INTO refresh_tokens (token_hash, family_id, user_id, session_version, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""  # noqa: S105 - a statement


async def insert_refresh_token(
    conn: Connection,
    *,
    token_hash: bytes,
    family_id: UUID,
    user_id: int,
    session_version: int,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Remember a refresh token by its SHA-256."""
    await conn.execute(INSERT_REFRESH_TOKEN, token_hash, family_id, user_id, session_version, now, expires_at)


FETCH_REFRESH_TOKEN = """
SELECT family_id, user_id, session_version, expires_at, rotated_at, revoked_at
FROM refresh_tokens WHERE token_hash = $1
"""  # noqa: S105 - a statement


async def fetch_refresh_token(conn: Connection, token_hash: bytes) -> asyncpg.Record | None:
    """A refresh token. What it says holds only after its user was locked (`accounts.lock_account`)."""
    return await conn.fetchrow(FETCH_REFRESH_TOKEN, token_hash)


UPDATE_ROTATED = "UPDATE refresh_tokens SET rotated_at = $2 WHERE token_hash = $1 AND rotated_at IS NULL"


async def update_rotated(conn: Connection, token_hash: bytes, now: datetime) -> None:
    """Note when a token was first exchanged for its successor."""
    await conn.execute(UPDATE_ROTATED, token_hash, now)


UPDATE_FAMILY_REVOKED = """
UPDATE refresh_tokens SET revoked_at = $3 WHERE family_id = $1 AND user_id = $2 AND revoked_at IS NULL
"""


async def update_family_revoked(conn: Connection, *, family_id: UUID, user_id: int, now: datetime) -> None:
    """End one session of a user, who is locked."""
    await conn.execute(UPDATE_FAMILY_REVOKED, family_id, user_id, now)


UPDATE_SEEN = "UPDATE users SET last_seen_at = $2 WHERE id = $1"


async def update_seen(conn: Connection, user_id: int, now: datetime) -> None:
    """Note that a user, who is locked, logged in or renewed a session."""
    await conn.execute(UPDATE_SEEN, user_id, now)


DELETE_OLD_TOKENS = """
DELETE FROM refresh_tokens WHERE token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE expires_at < $1 LIMIT $2
)
"""


async def delete_old_tokens(conn: Connection, expired_before: datetime, limit: int) -> int:
    """Delete up to `limit` tokens that expired before then; how many."""
    return int((await conn.execute(DELETE_OLD_TOKENS, expired_before, limit)).split()[-1])


DELETE_OLD_LINKS = """
DELETE FROM account_links WHERE token_hash IN (
    SELECT token_hash FROM account_links WHERE expires_at < $1 LIMIT $2
)
"""


async def delete_old_links(conn: Connection, expired_before: datetime, limit: int) -> int:
    """Delete up to `limit` mailed links that expired before then; how many."""
    return int((await conn.execute(DELETE_OLD_LINKS, expired_before, limit)).split()[-1])
