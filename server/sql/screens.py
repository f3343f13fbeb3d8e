"""Wall screens, and the pairings by which they get their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

# -- pairing ------------------------------------------------------------------------------------------------

INSERT_PAIRING = "INSERT INTO screen_pairings (code, secret_hash, expires_at) VALUES ($1, $2, $3)"


async def insert_pairing(conn: Connection, *, code: str, secret_hash: bytes, expires_at: datetime) -> None:
    """Remember a screen that waits. Raises asyncpg's `UniqueViolationError` for a code that is taken."""
    await conn.execute(INSERT_PAIRING, code, secret_hash, expires_at)


LOCK_PAIRING = """
SELECT secret_hash, screen_id, expires_at FROM screen_pairings WHERE code = $1 FOR UPDATE
"""


async def lock_pairing(conn: Connection, code: str) -> asyncpg.Record | None:
    """A pairing, for this transaction alone: it is approved once, and its token is given out once."""
    return await conn.fetchrow(LOCK_PAIRING, code)


UPDATE_PAIRING_APPROVED = "UPDATE screen_pairings SET screen_id = $2, expires_at = $3 WHERE code = $1"


async def update_pairing_approved(conn: Connection, *, code: str, screen_id: int, expires_at: datetime) -> None:
    """Say which screen it is that waits there."""
    await conn.execute(UPDATE_PAIRING_APPROVED, code, screen_id, expires_at)


DELETE_PAIRING = "DELETE FROM screen_pairings WHERE code = $1"


async def delete_pairing(conn: Connection, code: str) -> None:
    """The pairing is over."""
    await conn.execute(DELETE_PAIRING, code)


DELETE_PAIRING_OF = "DELETE FROM screen_pairings WHERE screen_id = $1"


async def delete_pairing_of(conn: Connection, screen_id: int) -> None:
    """A screen that has not collected its token shall not any more."""
    await conn.execute(DELETE_PAIRING_OF, screen_id)


DELETE_OLD_PAIRINGS = """
DELETE FROM screen_pairings WHERE code IN (SELECT code FROM screen_pairings WHERE expires_at < $1 LIMIT $2)
"""


async def delete_old_pairings(conn: Connection, expired_before: datetime, limit: int) -> int:
    """Delete up to `limit` pairings that expired before then; how many."""
    return int((await conn.execute(DELETE_OLD_PAIRINGS, expired_before, limit)).split()[-1])


# -- screens ------------------------------------------------------------------------------------------------

INSERT_SCREEN = """
INSERT INTO screens (club_id, name, court_ids, created_by, approved_at) VALUES ($1, $2, $3, $4, $5) RETURNING id
"""


async def insert_screen(
    conn: Connection, *, club_id: int, name: str, court_ids: Sequence[int] | None, created_by: int, now: datetime
) -> int:
    """The new screen's id. It has no token yet."""
    screen_id: int = await conn.fetchval(INSERT_SCREEN, club_id, name, court_ids, created_by, now)
    return screen_id


LIST_SCREENS = """
SELECT id, club_id, version, name, court_ids, token_hash IS NOT NULL AS paired, created_by, approved_at, last_seen_at,
       revoked_at
FROM screens WHERE club_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""


async def list_screens(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The club's screens in order of id, the revoked ones too, beginning after `after`."""
    return await conn.fetch(LIST_SCREENS, club_id, after, limit)


FETCH_SCREEN = """
SELECT id, club_id, version, name, court_ids, token_hash IS NOT NULL AS paired, created_by, approved_at, last_seen_at,
       revoked_at
FROM screens WHERE id = $1
"""


async def fetch_screen(conn: Connection, screen_id: int) -> asyncpg.Record | None:
    """A screen of whatever club, also a revoked one."""
    return await conn.fetchrow(FETCH_SCREEN, screen_id)


LOCK_SCREEN = "SELECT FROM screens WHERE id = $1 FOR UPDATE"


async def lock_screen(conn: Connection, screen_id: int) -> None:
    """Keep a screen as it is until the transaction ends."""
    await conn.execute(LOCK_SCREEN, screen_id)


UPDATE_SCREEN = "UPDATE screens SET name = $2, court_ids = $3, version = version + 1 WHERE id = $1"


async def update_screen(conn: Connection, screen_id: int, *, name: str, court_ids: Sequence[int] | None) -> None:
    """Write its name and what it shows."""
    await conn.execute(UPDATE_SCREEN, screen_id, name, court_ids)


UPDATE_SCREEN_TOKEN = "UPDATE screens SET token_hash = $2 WHERE id = $1"  # noqa: S105 - a statement


async def update_screen_token(conn: Connection, screen_id: int, token_hash: bytes) -> None:
    """Note which token opens what the screen may see."""
    await conn.execute(UPDATE_SCREEN_TOKEN, screen_id, token_hash)


UPDATE_SCREEN_REVOKED = "UPDATE screens SET revoked_at = $2, version = version + 1 WHERE id = $1"


async def update_screen_revoked(conn: Connection, screen_id: int, now: datetime) -> None:
    """Shut the screen out."""
    await conn.execute(UPDATE_SCREEN_REVOKED, screen_id, now)


# -- what is known of the tokens ----------------------------------------------------------------------------

LIST_SCREENS_BEHIND = """
SELECT token_hash, id, club_id, name, court_ids, last_seen_at
FROM screens WHERE token_hash = ANY ($1::bytea[]) AND revoked_at IS NULL
"""


async def list_screens_behind(conn: Connection, token_hashes: Sequence[bytes]) -> list[asyncpg.Record]:
    """The screens that these tokens were given to, but for those that were shut out."""
    return await conn.fetch(LIST_SCREENS_BEHIND, token_hashes)


UPDATE_SCREENS_SEEN = """
UPDATE screens SET last_seen_at = $2
WHERE id = ANY ($1::bigint[]) AND (last_seen_at IS NULL OR last_seen_at <= $3)
"""


async def update_screens_seen(
    conn: Connection, screen_ids: Sequence[int], now: datetime, seen_before: datetime
) -> None:
    """Note when screens were seen, unless another process has just done so."""
    await conn.execute(UPDATE_SCREENS_SEEN, screen_ids, now, seen_before)
