"""Courts and the units that they occupy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.domain.configuration import CourtPart
from server.sql.connection import Connection

# Units are told as ids of the courts whose own resource they are; a plain court has only its own, told as none.
FETCH_COURT = """
SELECT c.id, c.club_id, c.version, c.resource_id, c.name, c.kind, c.indoor, c.surface, c.base_rate, c.min_duration,
       c.max_duration, c.start_alignment, c.position,
       ARRAY(SELECT p.id FROM court_units u JOIN courts p ON p.resource_id = u.unit_id
             WHERE u.court_id = c.id AND p.id <> c.id ORDER BY p.id) AS units
FROM courts c
WHERE c.id = $1 AND c.retired_at IS NULL
"""


async def fetch_court(conn: Connection, court_id: int) -> asyncpg.Record | None:
    """A court that is not retired; `units` are ids of the plain courts that it is made of."""
    return await conn.fetchrow(FETCH_COURT, court_id)


LIST_COURTS = """
SELECT c.id, c.club_id, c.version, c.resource_id, c.name, c.kind, c.indoor, c.surface, c.base_rate, c.min_duration,
       c.max_duration, c.start_alignment, c.position,
       ARRAY(SELECT p.id FROM court_units u JOIN courts p ON p.resource_id = u.unit_id
             WHERE u.court_id = c.id AND p.id <> c.id ORDER BY p.id) AS units
FROM courts c
WHERE c.club_id = $1 AND c.id > $2 AND c.retired_at IS NULL
ORDER BY c.id
LIMIT $3
"""


async def list_courts(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The club's courts that are not retired, in order of id, beginning after `after`."""
    return await conn.fetch(LIST_COURTS, club_id, after, limit)


LIST_PLAIN_COURTS = """
SELECT c.id, c.resource_id
FROM courts c
WHERE c.club_id = $1 AND c.retired_at IS NULL
  AND EXISTS (SELECT FROM court_units u WHERE u.court_id = c.id AND u.unit_id = c.resource_id)
"""


async def list_plain_courts(conn: Connection, club_id: int) -> dict[int, int]:
    """Court id → resource id of the courts that occupy their own unit."""
    return {row["id"]: row["resource_id"] for row in await conn.fetch(LIST_PLAIN_COURTS, club_id)}


LIST_COMPOSED_OF = """
SELECT c.name
FROM court_units u JOIN courts c ON c.id = u.court_id
WHERE u.unit_id = $1 AND c.resource_id <> u.unit_id AND c.retired_at IS NULL
ORDER BY c.id
"""


async def list_composed_of(conn: Connection, resource_id: int) -> list[str]:
    """Names of the courts that are made of the court with that resource, among others."""
    return [row["name"] for row in await conn.fetch(LIST_COMPOSED_OF, resource_id)]


INSERT_COURT = """
WITH resource AS (INSERT INTO resources (club_id, kind, exclusive) VALUES ($1, 'court', true) RETURNING id)
INSERT INTO courts (club_id, resource_id, name, kind, indoor, surface, base_rate, min_duration, max_duration,
                    start_alignment, position)
SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM resource
RETURNING id, resource_id
"""


async def insert_court(conn: Connection, club_id: int, court: CourtPart) -> tuple[int, int]:
    """The new court's id and resource id; its units are not written yet."""
    (row,) = await conn.fetch(INSERT_COURT, club_id, *_columns(court))
    return row["id"], row["resource_id"]


UPDATE_COURT = """
UPDATE courts SET name = $2, kind = $3, indoor = $4, surface = $5, base_rate = $6, min_duration = $7,
       max_duration = $8, start_alignment = $9, position = $10, version = version + 1
WHERE id = $1
"""


async def update_court(conn: Connection, court_id: int, court: CourtPart) -> None:
    """Write the whole of it but its units."""
    await conn.execute(UPDATE_COURT, court_id, *_columns(court))


DELETE_COURT_UNITS = "DELETE FROM court_units WHERE court_id = $1"


async def delete_court_units(conn: Connection, court_id: int) -> None:
    """Forget what the court is made of; new units follow in the same transaction."""
    await conn.execute(DELETE_COURT_UNITS, court_id)


INSERT_COURT_UNITS = "INSERT INTO court_units (court_id, unit_id) SELECT $1, unnest($2::bigint[])"


async def insert_court_units(conn: Connection, court_id: int, unit_ids: Sequence[int]) -> None:
    """Say which resources a booking of the court occupies."""
    await conn.execute(INSERT_COURT_UNITS, court_id, unit_ids)


UPDATE_COURT_RETIRED = "UPDATE courts SET retired_at = $2, version = version + 1 WHERE id = $1"


async def update_court_retired(conn: Connection, court_id: int, now: datetime) -> None:
    """Take the court out of service; its bookings of the past stay."""
    await conn.execute(UPDATE_COURT_RETIRED, court_id, now)


# By the exclusion constraint's own index; what a court is made of is at most a few dozen units.
FETCH_COURT_NEEDED = """
SELECT EXISTS (
    SELECT
    FROM court_units u
    JOIN allocations a ON int8range(a.resource_id, a.resource_id, '[]') && int8range(u.unit_id, u.unit_id, '[]')
    LEFT JOIN bookings b ON b.id = a.booking_id
    LEFT JOIN closures x ON x.id = a.closure_id
    WHERE u.court_id = $1 AND a.active AND a.exclusive AND a.during && tstzrange($2, 'infinity', '[)')
      AND (b.court_id = $1 OR ($3 AND $1 = ANY (x.court_ids)))
)
"""


async def fetch_court_needed(conn: Connection, court_id: int, now: datetime, *, by_closures: bool) -> bool:
    """Whether bookings of this court (and, if asked for, closures of it) have not ended yet."""
    needed: bool = await conn.fetchval(FETCH_COURT_NEEDED, court_id, now, by_closures)
    return needed


# The court's row on the grid shows what is on its units, so another set of units is another row: without a new
# version a watcher would keep the old one. Two days back covers what the grid still shows in any zone.
UPDATE_COURT_DAYS = """
INSERT INTO resource_days AS d (resource_id, day, version)
SELECT c.resource_id, days.day, 1
FROM courts c
JOIN clubs k ON k.id = c.club_id
CROSS JOIN LATERAL (
    SELECT DISTINCT first + step AS day
    FROM unnest($2::bigint[]) AS unit (id)
    JOIN allocations a ON int8range(a.resource_id, a.resource_id, '[]') && int8range(unit.id, unit.id, '[]')
    CROSS JOIN LATERAL (
        SELECT (lower(a.during) AT TIME ZONE k.zone)::date AS first,
               ((upper(a.during) - interval '1 microsecond') AT TIME ZONE k.zone)::date AS last
    ) AS span
    CROSS JOIN LATERAL generate_series(0, last - first) AS step
    WHERE a.active AND a.exclusive AND a.during && tstzrange($3::timestamptz - interval '2 days', 'infinity', '[)')
) AS days
WHERE c.id = $1
ORDER BY days.day
ON CONFLICT (resource_id, day) DO UPDATE SET version = d.version + 1
"""


async def update_court_days(conn: Connection, court_id: int, unit_ids: Sequence[int], now: datetime) -> None:
    """Renew the court's rows of the grid on every day on which something is on one of the units."""
    await conn.execute(UPDATE_COURT_DAYS, court_id, unit_ids, now)


LIST_COURT_UNITS = "SELECT unit_id FROM court_units WHERE court_id = $1 ORDER BY unit_id"


async def list_court_units(conn: Connection, court_id: int) -> list[int]:
    """The resources that a booking of the court occupies."""
    return [row["unit_id"] for row in await conn.fetch(LIST_COURT_UNITS, court_id)]


def _columns(court: CourtPart) -> tuple[object, ...]:
    return (
        court.name,
        court.kind,
        court.indoor,
        court.surface,
        court.base_rate,
        court.min_duration,
        court.max_duration,
        court.start_alignment,
        court.position,
    )
