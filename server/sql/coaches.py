"""Coaches, their weekly hours and the dates on which these differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import asyncpg

from server.domain.catalogue import Window
from server.sql.connection import Connection

FETCH_COACH = """
SELECT c.id, c.club_id, c.version, c.resource_id, c.name, c.rate,
       ARRAY(SELECT (w.weekday, w.opens, w.closes) FROM coach_hours w WHERE w.coach_id = c.id
             ORDER BY w.weekday, w.opens) AS hours,
       ARRAY(SELECT (x.day, x.opens, x.closes) FROM coach_exceptions x WHERE x.coach_id = c.id
             ORDER BY x.day, x.opens) AS exceptions
FROM coaches c
WHERE c.id = $1 AND c.retired_at IS NULL
"""


async def fetch_coach(conn: Connection, coach_id: int) -> asyncpg.Record | None:
    """A coach who is not retired; `hours` are (weekday, opens, closes), `exceptions` (day, opens, closes)."""
    return await conn.fetchrow(FETCH_COACH, coach_id)


LIST_COACHES = """
SELECT c.id, c.club_id, c.version, c.resource_id, c.name, c.rate,
       ARRAY(SELECT (w.weekday, w.opens, w.closes) FROM coach_hours w WHERE w.coach_id = c.id
             ORDER BY w.weekday, w.opens) AS hours,
       ARRAY(SELECT (x.day, x.opens, x.closes) FROM coach_exceptions x WHERE x.coach_id = c.id
             ORDER BY x.day, x.opens) AS exceptions
FROM coaches c
WHERE c.club_id = $1 AND c.id > $2 AND c.retired_at IS NULL
ORDER BY c.id
LIMIT $3
"""


async def list_coaches(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The club's coaches who are not retired, in order of id, beginning after `after`."""
    return await conn.fetch(LIST_COACHES, club_id, after, limit)


INSERT_COACH = """
WITH resource AS (INSERT INTO resources (club_id, kind, exclusive) VALUES ($1, 'coach', true) RETURNING id)
INSERT INTO coaches (club_id, resource_id, name, rate) SELECT $1, id, $2, $3 FROM resource
RETURNING id
"""


async def insert_coach(conn: Connection, club_id: int, name: str, rate: int) -> int:
    """The new coach's id; hours follow."""
    coach_id: int = await conn.fetchval(INSERT_COACH, club_id, name, rate)
    return coach_id


UPDATE_COACH = "UPDATE coaches SET name = $2, rate = $3, version = version + 1 WHERE id = $1"


async def update_coach(conn: Connection, coach_id: int, name: str, rate: int) -> None:
    """Write all but the hours, and count the change."""
    await conn.execute(UPDATE_COACH, coach_id, name, rate)


UPDATE_COACH_RETIRED = "UPDATE coaches SET retired_at = $2, version = version + 1 WHERE id = $1"


async def update_coach_retired(conn: Connection, coach_id: int, now: datetime) -> None:
    """Take the coach out of service."""
    await conn.execute(UPDATE_COACH_RETIRED, coach_id, now)


DELETE_COACH_HOURS = "DELETE FROM coach_hours WHERE coach_id = $1"


async def delete_coach_hours(conn: Connection, coach_id: int) -> None:
    """Forget the week; another follows in the same transaction."""
    await conn.execute(DELETE_COACH_HOURS, coach_id)


INSERT_COACH_HOURS = """
INSERT INTO coach_hours (coach_id, weekday, opens, closes)
SELECT $1, * FROM unnest($2::smallint[], $3::integer[], $4::integer[])
"""


async def insert_coach_hours(conn: Connection, coach_id: int, hours: Mapping[int, Sequence[Window]]) -> None:
    """Write the week: weekday → windows."""
    rows = [(weekday, window.opens, window.closes) for weekday, windows in hours.items() for window in windows]
    await conn.execute(INSERT_COACH_HOURS, coach_id, *_transposed(rows))


DELETE_COACH_EXCEPTIONS = "DELETE FROM coach_exceptions WHERE coach_id = $1"


async def delete_coach_exceptions(conn: Connection, coach_id: int) -> None:
    """Forget the dated hours; others follow in the same transaction."""
    await conn.execute(DELETE_COACH_EXCEPTIONS, coach_id)


INSERT_COACH_EXCEPTIONS = """
INSERT INTO coach_exceptions (coach_id, day, opens, closes)
SELECT $1, * FROM unnest($2::date[], $3::integer[], $4::integer[])
"""


async def insert_coach_exceptions(conn: Connection, coach_id: int, exceptions: Mapping[date, Sequence[Window]]) -> None:
    """Write the dated hours: date → windows, none for a day off."""
    rows: list[tuple[object, ...]] = []
    for day, windows in exceptions.items():
        rows.extend([(day, window.opens, window.closes) for window in windows] or [(day, None, None)])
    await conn.execute(INSERT_COACH_EXCEPTIONS, coach_id, *_transposed(rows))


def _transposed(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    columns: list[list[object]] = [[], [], []]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
