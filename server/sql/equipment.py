"""Pools of equipment; the quantity stands with the resource."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from server.domain.configuration import EquipmentPart
from server.sql.connection import Connection

FETCH_EQUIPMENT = """
SELECT e.id, e.club_id, e.version, e.resource_id, e.name, r.quantity, e.price, e.per
FROM equipment e JOIN resources r ON r.id = e.resource_id
WHERE e.id = $1 AND e.retired_at IS NULL
"""


async def fetch_equipment(conn: Connection, equipment_id: int) -> asyncpg.Record | None:
    """A pool that is not retired."""
    return await conn.fetchrow(FETCH_EQUIPMENT, equipment_id)


LIST_EQUIPMENT = """
SELECT e.id, e.club_id, e.version, e.resource_id, e.name, r.quantity, e.price, e.per
FROM equipment e JOIN resources r ON r.id = e.resource_id
WHERE e.club_id = $1 AND e.id > $2 AND e.retired_at IS NULL
ORDER BY e.id
LIMIT $3
"""


async def list_equipment(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The club's pools that are not retired, in order of id, beginning after `after`."""
    return await conn.fetch(LIST_EQUIPMENT, club_id, after, limit)


INSERT_EQUIPMENT = """
WITH resource AS (
    INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, 'equipment', false, $2) RETURNING id
)
INSERT INTO equipment (club_id, resource_id, name, price, per) SELECT $1, id, $3, $4, $5 FROM resource
RETURNING id
"""


async def insert_equipment(conn: Connection, club_id: int, pool: EquipmentPart) -> int:
    """The new pool's id."""
    equipment_id: int = await conn.fetchval(INSERT_EQUIPMENT, club_id, pool.quantity, pool.name, pool.price, pool.per)
    return equipment_id


UPDATE_EQUIPMENT = """
WITH pool AS (
    UPDATE equipment SET name = $2, price = $3, per = $4, version = version + 1 WHERE id = $1 RETURNING resource_id
)
UPDATE resources SET quantity = $5 FROM pool WHERE resources.id = pool.resource_id
"""


async def update_equipment(conn: Connection, equipment_id: int, pool: EquipmentPart) -> None:
    """Write the whole of it. Violates `POOL_NOT_OVERSOLD` if bookings that have not ended need more."""
    await conn.execute(UPDATE_EQUIPMENT, equipment_id, pool.name, pool.price, pool.per, pool.quantity)


UPDATE_EQUIPMENT_RETIRED = "UPDATE equipment SET retired_at = $2, version = version + 1 WHERE id = $1"


async def update_equipment_retired(conn: Connection, equipment_id: int, now: datetime) -> None:
    """Take the pool out of service."""
    await conn.execute(UPDATE_EQUIPMENT_RETIRED, equipment_id, now)


FETCH_POOL_PEAK = "SELECT pool_peak($1, tstzrange($2, 'infinity', '[)'))"


async def fetch_pool_peak(conn: Connection, resource_id: int, now: datetime) -> int:
    """How many of the pool are booked at most at a time, from now on."""
    peak: int = await conn.fetchval(FETCH_POOL_PEAK, resource_id, now)
    return peak


FETCH_RESOURCE_NEEDED = """
SELECT EXISTS (
    SELECT FROM allocations a
    WHERE int8range(a.resource_id, a.resource_id, '[]') && int8range($1, $1, '[]')
      AND a.active AND a.exclusive = $2 AND a.during && tstzrange($3, 'infinity', '[)')
)
"""


async def fetch_resource_needed(conn: Connection, resource_id: int, now: datetime, *, exclusive: bool) -> bool:
    """Whether anything that has not ended occupies the resource; `exclusive` picks the index that knows."""
    needed: bool = await conn.fetchval(FETCH_RESOURCE_NEEDED, resource_id, exclusive, now)
    return needed


FETCH_CLUB_NEEDED = """
SELECT EXISTS (
    SELECT FROM resources r
    JOIN allocations a ON int8range(a.resource_id, a.resource_id, '[]') && int8range(r.id, r.id, '[]')
    WHERE r.club_id = $1 AND a.active AND a.exclusive AND a.during && tstzrange($2, 'infinity', '[)')
)
"""


async def fetch_club_needed(conn: Connection, club_id: int, now: datetime) -> bool:
    """Whether any booking or closure in the club has not ended yet; every one of them occupies a court."""
    needed: bool = await conn.fetchval(FETCH_CLUB_NEEDED, club_id, now)
    return needed
