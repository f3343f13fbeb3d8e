"""What is measured of the work that waits in the database."""

from __future__ import annotations

import asyncpg

from server.sql.connection import Connection

# Two questions, since each has an index of its own: as one it read every row that is done (30 ms for 300,000, now 0.1).
LIST_WORK = """
SELECT kind LIKE 'job.%' AS is_job, count(run_at) AS due, extract(epoch FROM now() - min(run_at))::float8 AS age,
       count(*) FILTER (WHERE run_at IS NULL) AS parked
FROM (
    SELECT kind, run_at FROM outbox WHERE done_at IS NULL AND parked_at IS NULL AND run_at <= now()
    UNION ALL
    SELECT kind, NULL FROM outbox WHERE done_at IS NULL AND parked_at IS NOT NULL
) work
GROUP BY 1
"""


async def list_work(conn: Connection) -> list[asyncpg.Record]:
    """Jobs and mails of the outbox: how many are due, the age of the oldest of them in seconds, and how many were set
    aside. No row: none of that sort."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_WORK)
    return rows


FETCH_WAITING = """
SELECT count(*) FILTER (WHERE held_ref IS NULL) AS waiting,
       count(*) FILTER (WHERE held_ref IS NOT NULL AND held_until IS NULL) AS held,
       count(*) FILTER (WHERE held_until IS NOT NULL) AS offered,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age
FROM waitlist_entries
"""


async def fetch_waiting(conn: Connection) -> asyncpg.Record:
    """The waitlist: entries by state, and the age of the oldest in seconds."""
    row = await conn.fetchrow(FETCH_WAITING)
    assert row is not None  # noqa: S101 - an aggregate without GROUP BY always gives a row
    return row


LIST_LONGEST_LINES = """
SELECT count(*) AS entries FROM waitlist_entries GROUP BY slot_hash ORDER BY 1 DESC LIMIT $1
"""


async def list_longest_lines(conn: Connection, limit: int) -> list[int]:
    """How many wait for the slots that most wait for, the longest line first."""
    return [row["entries"] for row in await conn.fetch(LIST_LONGEST_LINES, limit)]
