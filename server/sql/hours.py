"""A club's opening hours by weekday, and the dates on which they differ. The club's row carries their version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg

from server.domain.catalogue import Window
from server.sql.connection import Connection

LIST_OPENING_HOURS = """
SELECT weekday, opens, closes FROM opening_hours WHERE club_id = $1 ORDER BY weekday, opens
"""


async def list_opening_hours(conn: Connection, club_id: int) -> list[asyncpg.Record]:
    """The week."""
    return await conn.fetch(LIST_OPENING_HOURS, club_id)


DELETE_OPENING_HOURS = "DELETE FROM opening_hours WHERE club_id = $1"


async def delete_opening_hours(conn: Connection, club_id: int) -> None:
    """Forget the week; another follows in the same transaction."""
    await conn.execute(DELETE_OPENING_HOURS, club_id)


INSERT_OPENING_HOURS = """
INSERT INTO opening_hours (club_id, weekday, opens, closes)
SELECT $1, * FROM unnest($2::smallint[], $3::integer[], $4::integer[])
"""


async def insert_opening_hours(conn: Connection, club_id: int, week: Mapping[int, Sequence[Window]]) -> None:
    """Write the week: weekday → windows."""
    rows = [(weekday, window) for weekday, windows in week.items() for window in windows]
    await conn.execute(
        INSERT_OPENING_HOURS,
        club_id,
        [weekday for weekday, _ in rows],
        [window.opens for _, window in rows],
        [window.closes for _, window in rows],
    )


LIST_OPENING_EXCEPTIONS = """
SELECT day, reason, opens, closes FROM opening_exceptions
WHERE club_id = $1 AND day IN (
    SELECT DISTINCT day FROM opening_exceptions WHERE club_id = $1 AND day > $2 ORDER BY day LIMIT $3
)
ORDER BY day, opens
"""


async def list_opening_exceptions(conn: Connection, club_id: int, after: date, limit: int) -> list[asyncpg.Record]:
    """The rows of the first `limit` dates after `after`; a row without times is a day without windows."""
    return await conn.fetch(LIST_OPENING_EXCEPTIONS, club_id, after, limit)


FETCH_OPENING_EXCEPTION = """
SELECT day, reason, opens, closes FROM opening_exceptions WHERE club_id = $1 AND day = $2 ORDER BY opens
"""


async def fetch_opening_exception(conn: Connection, club_id: int, day: date) -> list[asyncpg.Record]:
    """The rows of one date; none if the weekday's hours hold."""
    return await conn.fetch(FETCH_OPENING_EXCEPTION, club_id, day)


FETCH_OPENING_EXCEPTION_COUNT = "SELECT count(DISTINCT day) FROM opening_exceptions WHERE club_id = $1"


async def fetch_opening_exception_count(conn: Connection, club_id: int) -> int:
    """How many dates have hours of their own."""
    count: int = await conn.fetchval(FETCH_OPENING_EXCEPTION_COUNT, club_id)
    return count


INSERT_OPENING_EXCEPTION = """
INSERT INTO opening_exceptions (club_id, day, reason, opens, closes)
SELECT $1, $2, $3, * FROM unnest($4::integer[], $5::integer[])
"""


async def insert_opening_exception(
    conn: Connection, club_id: int, day: date, reason: str, windows: Sequence[Window]
) -> None:
    """Write one date's hours; no windows is a closed day."""
    await conn.execute(
        INSERT_OPENING_EXCEPTION,
        club_id,
        day,
        reason,
        [window.opens for window in windows] or [None],
        [window.closes for window in windows] or [None],
    )


DELETE_OPENING_EXCEPTION = "DELETE FROM opening_exceptions WHERE club_id = $1 AND day = $2"


async def delete_opening_exception(conn: Connection, club_id: int, day: date) -> None:
    """Let the weekday's hours hold on that date again."""
    await conn.execute(DELETE_OPENING_EXCEPTION, club_id, day)
