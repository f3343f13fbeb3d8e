"""API keys, each kept by its SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

_KEY = "k.id, k.user_id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.revoked_at"

INSERT_API_KEY = """
INSERT INTO api_keys (user_id, name, prefix, key_hash, scopes, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
"""


async def insert_api_key(
    conn: Connection,
    *,
    user_id: int,
    name: str,
    prefix: str,
    key_hash: bytes,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime,
) -> int:
    """Remember a key of a user; its id."""
    key_id: int = await conn.fetchval(INSERT_API_KEY, user_id, name, prefix, key_hash, scopes, now, expires_at)
    return key_id


FETCH_API_KEY = f"SELECT {_KEY} FROM api_keys AS k WHERE k.id = $1"


async def fetch_api_key(conn: Connection, key_id: int) -> asyncpg.Record | None:
    """A key of whomever, also a revoked one."""
    return await conn.fetchrow(FETCH_API_KEY, key_id)


LIST_OWN = f"SELECT {_KEY} FROM api_keys AS k WHERE k.user_id = $1 ORDER BY k.id"


async def list_own(conn: Connection, user_id: int) -> list[asyncpg.Record]:
    """All keys of a user, the revoked and expired ones too."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_OWN, user_id)
    return rows


LIST_OF_MEMBERS = f"""
SELECT {_KEY} FROM api_keys AS k JOIN memberships AS m ON m.user_id = k.user_id AND m.club_id = $1
WHERE k.id > $2 ORDER BY k.id LIMIT $3
"""


async def list_of_members(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The keys of a club's members in order of id, beginning after `after`."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_OF_MEMBERS, club_id, after, limit)
    return rows


COUNT_LIVE = "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2"


async def count_live(conn: Connection, user_id: int, now: datetime) -> int:
    """How many keys of a user open something."""
    count: int = await conn.fetchval(COUNT_LIVE, user_id, now)
    return count


UPDATE_REVOKED = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"


async def update_revoked(conn: Connection, key_id: int, now: datetime) -> bool:
    """End a key; False if it was revoked before."""
    return bool(await conn.execute(UPDATE_REVOKED, key_id, now) == "UPDATE 1")


UPDATE_ALL_REVOKED = "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id"


async def update_all_revoked(conn: Connection, user_id: int, now: datetime) -> list[int]:
    """End all keys of a user; which."""
    return [row["id"] for row in await conn.fetch(UPDATE_ALL_REVOKED, user_id, now)]


LIST_BEHIND = """
SELECT key_hash, id, user_id, scopes, expires_at, last_used_at
FROM api_keys WHERE key_hash = ANY ($1::bytea[]) AND revoked_at IS NULL
"""


async def list_behind(conn: Connection, key_hashes: Sequence[bytes]) -> list[asyncpg.Record]:
    """The keys with these hashes, but for those that were revoked."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_BEHIND, key_hashes)
    return rows


UPDATE_USED = """
UPDATE api_keys SET last_used_at = $2
WHERE id = ANY ($1::bigint[]) AND (last_used_at IS NULL OR last_used_at <= $3)
"""


async def update_used(conn: Connection, key_ids: Sequence[int], now: datetime, used_before: datetime) -> None:
    """Note when keys were used, unless another process has just done so."""
    await conn.execute(UPDATE_USED, key_ids, now, used_before)
