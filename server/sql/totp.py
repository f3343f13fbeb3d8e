"""Second factors: one secret for a user, and the codes for when it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

LOCK_TOTP = """
SELECT secret, sealed_by, confirmed_at, last_step, failures, failing_since FROM totp WHERE user_id = $1 FOR UPDATE
"""


async def lock_totp(conn: Connection, user_id: int) -> asyncpg.Record | None:
    """A user's second factor, begun or confirmed, which nobody else uses until the transaction ends."""
    return await conn.fetchrow(LOCK_TOTP, user_id)


INSERT_TOTP = """
INSERT INTO totp (user_id, secret, sealed_by, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, sealed_by = excluded.sealed_by,
    created_at = excluded.created_at, last_step = 0, failures = 0, failing_since = NULL
WHERE totp.confirmed_at IS NULL
"""


async def insert_totp(conn: Connection, *, user_id: int, secret: str, sealed_by: str, now: datetime) -> bool:
    """Begin an enrolment, in place of one that was begun before; False if one is confirmed already."""
    return bool(await conn.execute(INSERT_TOTP, user_id, secret, sealed_by, now) == "INSERT 0 1")


LOCK_SEALED_OTHERWISE = """
SELECT user_id, secret, sealed_by FROM totp
WHERE sealed_by IS NULL OR (sealed_by <> $1 AND sealed_by = ANY ($2::text[]))
LIMIT $3 FOR UPDATE SKIP LOCKED
"""


async def lock_sealed_otherwise(
    conn: Connection, key: str, others: Sequence[str], limit: int
) -> Sequence[asyncpg.Record]:
    """Up to `limit` second factors that are not sealed, or with one of the other keys."""
    return await conn.fetch(LOCK_SEALED_OTHERWISE, key, others, limit)


UPDATE_SEALED = "UPDATE totp SET secret = $2, sealed_by = $3 WHERE user_id = $1"


async def update_sealed(conn: Connection, user_id: int, secret: str, sealed_by: str) -> None:
    """Keep the same secret, sealed with a key."""
    await conn.execute(UPDATE_SEALED, user_id, secret, sealed_by)


COUNT_SEALED = "SELECT coalesce(sealed_by, '') AS key, count(*) AS factors FROM totp GROUP BY sealed_by"


async def count_sealed(conn: Connection) -> dict[str, int]:
    """Name of a key → how many second factors it sealed; those under the empty name are not sealed."""
    return {row["key"]: row["factors"] for row in await conn.fetch(COUNT_SEALED)}


UPDATE_CONFIRMED = "UPDATE totp SET confirmed_at = $2, last_step = $3, failures = 0 WHERE user_id = $1"


async def update_confirmed(conn: Connection, user_id: int, now: datetime, step: int) -> None:
    """From now on it is asked for; the code of `step` is used up."""
    await conn.execute(UPDATE_CONFIRMED, user_id, now, step)


UPDATE_TAKEN = "UPDATE totp SET last_step = greatest(last_step, $2), failures = 0 WHERE user_id = $1"


async def update_taken(conn: Connection, user_id: int, step: int) -> None:
    """A code was right: those up to `step` are used up, and failures are forgotten."""
    await conn.execute(UPDATE_TAKEN, user_id, step)


UPDATE_FAILED = """
UPDATE totp SET
    failures = CASE WHEN failures = 0 OR failing_since <= $3 THEN 1 ELSE failures + 1 END,
    failing_since = CASE WHEN failures = 0 OR failing_since <= $3 THEN $2 ELSE failing_since END
WHERE user_id = $1
"""


async def update_failed(conn: Connection, user_id: int, now: datetime, forgotten_before: datetime) -> None:
    """A code was wrong; failures that began before then count no more."""
    await conn.execute(UPDATE_FAILED, user_id, now, forgotten_before)


DELETE_TOTP = """
WITH codes AS (DELETE FROM recovery_codes WHERE user_id = $1)
DELETE FROM totp WHERE user_id = $1
"""


async def delete_totp(conn: Connection, user_id: int) -> bool:
    """Forget a second factor and its recovery codes; False if there was none."""
    return bool(await conn.execute(DELETE_TOTP, user_id) == "DELETE 1")


INSERT_RECOVERY_CODES = "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])"


async def insert_recovery_codes(conn: Connection, user_id: int, code_hashes: Sequence[bytes]) -> None:
    """Remember what lets a user in without the factor."""
    await conn.execute(INSERT_RECOVERY_CODES, user_id, code_hashes)


UPDATE_RECOVERY_CODE_USED = """
UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
"""


async def update_recovery_code_used(conn: Connection, user_id: int, code_hash: bytes, now: datetime) -> bool:
    """Use a recovery code up; False if it is none, or used."""
    return bool(await conn.execute(UPDATE_RECOVERY_CODE_USED, user_id, code_hash, now) == "UPDATE 1")


FETCH_STATUS = """
SELECT EXISTS (SELECT FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS enabled,
       (SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS codes_left
"""


async def fetch_status(conn: Connection, user_id: int) -> asyncpg.Record:
    """Whether a user's second factor is asked for, and how many recovery codes are left."""
    row = await conn.fetchrow(FETCH_STATUS, user_id)
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row
