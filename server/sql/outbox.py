"""The outbox: work caused by a transaction, remembered in it.

Leases are reckoned by the clock of Postgres, because workers on several machines must agree on them. A row is worked on under a lease; every statement that settles it asks for that lease, so a worker that
was overtaken changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from server.sql.connection import Connection
from server.tracing import with_trace

INSERT_OUTBOX = """
INSERT INTO outbox (id, kind, payload, club_id) VALUES ($1, $2, $3, $4)
"""


async def insert_outbox(
    conn: Connection,
    *,
    id: UUID,  # noqa: A002 - named as the column
    kind: str,
    payload: dict[str, Any],
    club_id: int | None = None,
) -> None:
    """Remember a piece of work, due at once. `payload` holds ids, never an address; `token` is scrubbed when settled."""
    await conn.execute(INSERT_OUTBOX, id, kind, with_trace(payload), club_id)


# Who repairs a row by hand may write -infinity, which Python has no moment for.
LOCK_DUE = """
WITH due AS (
    SELECT id FROM outbox
    WHERE done_at IS NULL AND parked_at IS NULL AND run_at <= greatest(now(), $5) - $6::interval
      AND (leased_until IS NULL OR leased_until <= now()) AND kind = ANY($1)
    ORDER BY run_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET lease = $3, leased_until = now() + $4
FROM due WHERE outbox.id = due.id
RETURNING outbox.id, outbox.kind, outbox.payload, outbox.attempts, outbox.unknown,
          greatest(outbox.run_at, 'epoch') AS run_at
"""


async def lock_due(
    conn: Connection,
    *,
    kinds: Sequence[str],
    limit: int,
    lease: UUID,
    duration: timedelta,
    now: datetime,
    overdue: timedelta,
) -> list[asyncpg.Record]:
    """Lease up to `limit` rows of these kinds that are due for so long, oldest first: id, kind, payload, attempts,
    unknown, run_at.

    Two clocks write `run_at`, the server's and Postgres'; a row is due as soon as one of them says so.
    """
    rows = await conn.fetch(LOCK_DUE, kinds, limit, lease, duration, now, overdue)
    return sorted(rows, key=lambda row: row["id"])  # UPDATE … RETURNING keeps no order


LOCK_MAILS = """
WITH due AS (
    SELECT id, attempts, unknown FROM outbox
    WHERE done_at IS NULL AND parked_at IS NULL AND run_at <= greatest(now(), $5)
      AND (leased_until IS NULL OR leased_until <= now()) AND kind = ANY($1)
    ORDER BY run_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET lease = $3, leased_until = now() + $4,
       attempts = due.attempts + CASE WHEN due.unknown = 0 THEN 1 ELSE 0 END,
       unknown = greatest(due.unknown, 1)
FROM due WHERE outbox.id = due.id
RETURNING outbox.id, outbox.kind, outbox.payload, due.attempts, due.unknown
"""


async def lock_mails(
    conn: Connection, *, kinds: Sequence[str], limit: int, lease: UUID, duration: timedelta, now: datetime
) -> list[asyncpg.Record]:
    """As `lock_due`, and count an attempt of each that has none of unknown outcome: the columns are as they were before.

    Of the others each attempt is counted by `update_begun`.
    """
    rows = await conn.fetch(LOCK_MAILS, kinds, limit, lease, duration, now)
    return sorted(rows, key=lambda row: row["id"])


UPDATE_BEGUN = """
UPDATE outbox SET attempts = attempts + 1, unknown = unknown + 1, leased_until = now() + $3
WHERE id = $1 AND lease = $2
"""


async def update_begun(conn: Connection, *, row_id: UUID, lease: UUID, duration: timedelta) -> bool:
    """Count an attempt before it is made, and renew the lease. False: another worker has taken the row."""
    return bool(await conn.execute(UPDATE_BEGUN, row_id, lease, duration) == "UPDATE 1")


UPDATE_SENT = """
UPDATE outbox SET done_at = now(), lease = NULL, leased_until = NULL, last_error = NULL, payload = payload - 'token'
WHERE id = ANY($1::uuid[]) AND lease = $2
"""


async def update_sent(conn: Connection, row_ids: Sequence[UUID], *, lease: UUID) -> None:
    """Settle mails that were sent, those that are still leased. Their secrets are scrubbed."""
    await conn.execute(UPDATE_SENT, row_ids, lease)


UPDATE_DONE = """
UPDATE outbox SET done_at = now(), lease = NULL, leased_until = NULL, last_error = NULL WHERE id = $1 AND lease = $2
"""


async def update_done(conn: Connection, *, row_id: UUID, lease: UUID) -> bool:
    """Settle a job. False: another worker has taken the row."""
    return bool(await conn.execute(UPDATE_DONE, row_id, lease) == "UPDATE 1")


LIST_LEASED = """
SELECT id FROM outbox
JOIN unnest($1::uuid[], $2::uuid[]) AS asked(row_id, asked_lease) ON id = row_id AND lease = asked_lease
WHERE done_at IS NULL AND parked_at IS NULL
FOR UPDATE OF outbox
"""


async def list_leased(conn: Connection, leased: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Which of these (row, lease) are still so; they stay so until the transaction ends."""
    rows = await conn.fetch(LIST_LEASED, [row_id for row_id, _ in leased], [lease for _, lease in leased])
    return {row["id"] for row in rows}


UPDATE_ALL_DONE = """
UPDATE outbox SET done_at = now(), lease = NULL, leased_until = NULL, last_error = NULL WHERE id = ANY($1::uuid[])
"""


async def update_all_done(conn: Connection, row_ids: Sequence[UUID]) -> None:
    """Settle rows that `list_leased` has locked, in the transaction that does what they ask for."""
    await conn.execute(UPDATE_ALL_DONE, row_ids)


UPDATE_PARKED = """
UPDATE outbox SET parked_at = now(), lease = NULL, leased_until = NULL, last_error = $3, payload = payload - 'token'
WHERE id = $1 AND lease = $2
"""


async def update_parked(conn: Connection, *, row_id: UUID, lease: UUID, error: str) -> bool:
    """Set a row aside for a human. Its secret is scrubbed: whoever waits for it can ask for a new one."""
    return bool(await conn.execute(UPDATE_PARKED, row_id, lease, error) == "UPDATE 1")


UPDATE_DEFERRED = """
UPDATE outbox SET run_at = greatest(now(), $6) + $3, lease = NULL, leased_until = NULL, last_error = $4,
       unknown = unknown - CASE WHEN $5 THEN 0 ELSE 1 END
WHERE id = $1 AND lease = $2
"""


async def update_deferred(
    conn: Connection, *, row_id: UUID, lease: UUID, wait: timedelta, error: str, unknown: bool, now: datetime
) -> bool:
    """Give a row whose attempt failed back, due after `wait`. `unknown`: the attempt may have succeeded."""
    return bool(await conn.execute(UPDATE_DEFERRED, row_id, lease, wait, error, unknown, now) == "UPDATE 1")


UPDATE_RELEASED = """
UPDATE outbox SET lease = NULL, leased_until = NULL,
       attempts = attempts - CASE WHEN id = ANY($3::uuid[]) THEN 1 ELSE 0 END,
       unknown = unknown - CASE WHEN id = ANY($3::uuid[]) THEN 1 ELSE 0 END
WHERE id = ANY($1::uuid[]) AND lease = $2
"""


async def update_released(conn: Connection, row_ids: Sequence[UUID], *, counted: Sequence[UUID], lease: UUID) -> None:
    """Give rows back that were not tried; of those that are `counted` the attempt is taken back."""
    await conn.execute(UPDATE_RELEASED, row_ids, lease, counted)


# What is about an account belongs to no club; the clubs in which its owner is a member look after it.
OF_CLUB = """
(club_id = $1 OR (club_id IS NULL AND EXISTS (
    SELECT FROM memberships m WHERE m.club_id = $1 AND m.user_id::text = payload->>'user_id'
)))
"""
ROWS = """
SELECT id, kind, payload->>'booking_id' AS booking_id, payload->>'entry_id' AS entry_id,
       CASE WHEN jsonb_typeof(payload->'user_id') = 'number' THEN (payload->>'user_id')::bigint END AS user_id,
       attempts, last_error, created_at, run_at, parked_at
FROM outbox
"""
PAGE = f"{OF_CLUB} AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4"
LIST_PARKED = f"{ROWS} WHERE done_at IS NULL AND parked_at IS NOT NULL AND {PAGE}"


async def list_parked(
    conn: Connection, club_id: int, *, after: tuple[datetime, UUID], limit: int
) -> list[asyncpg.Record]:
    """A club's rows that were set aside, oldest first, from `after` on; without secrets."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_PARKED, club_id, *after, limit)
    return rows


LIST_PENDING = f"{ROWS} WHERE done_at IS NULL AND parked_at IS NULL AND {PAGE}"


async def list_pending(
    conn: Connection, club_id: int, *, after: tuple[datetime, UUID], limit: int
) -> list[asyncpg.Record]:
    """A club's rows that are to be done, as `list_parked`."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_PENDING, club_id, *after, limit)
    return rows


UPDATE_RETRIED = f"""
UPDATE outbox SET parked_at = NULL, run_at = $3, attempts = 0, unknown = 0, last_error = NULL
WHERE {OF_CLUB} AND id = $2 AND parked_at IS NOT NULL
RETURNING kind, payload
"""


async def update_retried(conn: Connection, *, row_id: UUID, club_id: int, now: datetime) -> asyncpg.Record | None:
    """Have a row that was set aside tried again from the beginning: its kind and payload. None: it was not."""
    return await conn.fetchrow(UPDATE_RETRIED, club_id, row_id, now)


UPDATE_RENEWED = "UPDATE outbox SET payload = payload || jsonb_build_object('token', $2::text) WHERE id = $1"


async def update_renewed(conn: Connection, row_id: UUID, token: str) -> None:
    """Give a row a secret again."""
    await conn.execute(UPDATE_RENEWED, row_id, token)


DELETE_SETTLED = """
DELETE FROM outbox WHERE done_at < $1 OR parked_at < $2
"""


async def delete_settled(conn: Connection, *, done_before: datetime, parked_before: datetime) -> None:
    """Forget rows that were settled or set aside long ago."""
    await conn.execute(DELETE_SETTLED, done_before, parked_before)


DELETE_IDEMPOTENCY_KEYS = """
DELETE FROM idempotency_keys WHERE created_at < $1
"""


async def delete_idempotency_keys(conn: Connection, *, created_before: datetime) -> None:
    """Forget answers that are no longer repeated (DESIGN 3: kept for 24 h)."""
    await conn.execute(DELETE_IDEMPOTENCY_KEYS, created_before)
