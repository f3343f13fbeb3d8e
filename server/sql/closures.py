"""Closures. Their allocations are written with all others, by the desk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from server.domain.bookings import Closure
from server.domain.slots import Interval
from server.sql.connection import Connection

CLOSURE_COLUMNS = "id, club_id, court_ids, start_ts, end_ts, reason, created_by, version, created_at, lifted_at"

LIST_CLOSURES_BY_ID = f"SELECT {CLOSURE_COLUMNS} FROM closures WHERE id = ANY($1::uuid[])"


async def list_closures_by_id(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Closure]:
    """The closures of these ids; unknown ids are left out."""
    rows = await conn.fetch(LIST_CLOSURES_BY_ID, list(ids))
    return {closure.id: closure for closure in map(closure_of, rows)}


LIST_CLOSURES = f"""
SELECT {CLOSURE_COLUMNS} FROM closures
WHERE club_id = $1 AND lifted_at IS NULL AND end_ts > $2 AND (start_ts, id) > ($3, $4)
ORDER BY start_ts, id LIMIT $5
"""


async def list_closures(
    conn: Connection, club_id: int, since: datetime, after: tuple[datetime, UUID], limit: int
) -> list[Closure]:
    """The club's closures that end after `since`, in the order of their start, from `after` on."""
    return [closure_of(row) for row in await conn.fetch(LIST_CLOSURES, club_id, since, *after, limit)]


INSERT_CLOSURES = """
INSERT INTO closures (id, club_id, start_ts, end_ts, court_ids, reason, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_closures(conn: Connection, closures: Sequence[Closure]) -> None:
    """Insert new closures; their allocations come with `insert_settled`."""
    await conn.executemany(
        INSERT_CLOSURES,
        [
            (
                row.id,
                row.club_id,
                row.interval.start,
                row.interval.end,
                row.court_ids,
                row.reason,
                row.created_by,
                row.created_at,
            )
            for row in closures
        ],
    )


def closure_of(row: asyncpg.Record) -> Closure:
    """A closure from a row of `CLOSURE_COLUMNS`."""
    return Closure(
        id=row["id"],
        club_id=row["club_id"],
        court_ids=tuple(row["court_ids"]),
        interval=Interval(row["start_ts"], row["end_ts"]),
        reason=row["reason"],
        created_by=row["created_by"],
        version=row["version"],
        created_at=row["created_at"],
        lifted_at=row["lifted_at"],
    )
