"""The write of a booking that was decided on what the process knew: lock, compare, write and commit in one statement.

Nothing in it waits for a lock of the desk: what is not to be had at once, or is not as it was known, writes nothing.
A row that is locked in a statement is looked at as it is then, not as it was when the statement began (PostgreSQL's
documentation, 13.2.1), so what is compared here is what is committed, and stays so until the end.
"""

from __future__ import annotations

from datetime import datetime

from server.domain.effects import StoredAnswer, Writes
from server.domain.footprint import ResourceDay
from server.sql.connection import Connection
from server.sql.desk import INSERTS, columns_of

INSERT_CONFIRMED = f"""
WITH club AS MATERIALIZED (
    SELECT c.id FROM clubs c
    WHERE c.id = $1 AND pg_try_advisory_xact_lock_shared(1, $1::int)
      AND ($49::bigint IS NULL OR pg_try_advisory_xact_lock($49))
      AND c.config_version = $47 AND grid_epoch() = $48
    FOR SHARE OF c SKIP LOCKED
), same AS MATERIALIZED (
    SELECT d.resource_id
    FROM unnest($44::bigint[], $45::date[], $46::bigint[]) AS known(resource_id, day, version)
    JOIN resource_days d USING (resource_id, day)
    WHERE d.version = known.version AND EXISTS (SELECT FROM club)
    FOR NO KEY UPDATE OF d SKIP LOCKED
), answered AS (
    INSERT INTO idempotency_keys (user_id, route, key, request_hash, status, body, created_at)
    SELECT $49, $50, $51, $52, $53, $54, $2
    WHERE $49 IS NOT NULL AND (SELECT count(*) FROM same) = cardinality($44)
    ON CONFLICT DO NOTHING
    RETURNING user_id
), confirmed AS MATERIALIZED (
    SELECT 1 WHERE (SELECT count(*) FROM same) = cardinality($44) AND ($49 IS NULL OR EXISTS (SELECT FROM answered))
), {INSERTS % {"only_if": "WHERE EXISTS (SELECT FROM confirmed)"}}
UPDATE resource_days d SET version = d.version + 1
FROM unnest($39::bigint[], $40::date[]) AS t(resource_id, day)
WHERE d.resource_id = t.resource_id AND d.day = t.day AND EXISTS (SELECT FROM confirmed)
RETURNING d.resource_id, d.day, d.version
"""


async def insert_confirmed(
    conn: Connection,
    club_id: int,
    writes: Writes,
    now: datetime,
    *,
    mark: tuple[str, int],
    known: dict[ResourceDay, int],
) -> dict[ResourceDay, int]:
    """Write one booking and its answer if epoch and config_version are `mark` and every resource-day that it may
    touch has its `known` version. Returns the new versions; none if nothing was written.

    Commits by itself: not to be called in a transaction.
    """
    answer: StoredAnswer | None = writes.answers[0] if writes.answers else None
    key: tuple[object, ...] = (None, None, None, None, None, None)
    if answer is not None:
        kept = answer.answer
        key = (answer.user_id, answer.route, answer.key, kept.request_hash, kept.status, kept.body)
    changed = await conn.fetch(
        INSERT_CONFIRMED,
        *columns_of(club_id, writes, now),
        [resource for resource, _ in known],
        [day for _, day in known],
        list(known.values()),
        mark[1],
        mark[0],
        *key,
    )
    return {(row[0], row[1]): row[2] for row in changed}
