"""Pools of equipment: create, read, change, retire. A pool never shrinks below what is booked at a time."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from server.domain.configuration import EquipmentPart, changed_fields, check_equipment
from server.domain.errors import CapacityInUse, NotFound
from server.sql import equipment as sql
from server.sql.connection import acquire
from server.sql.schema import POOL_NOT_OVERSOLD
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Stored, changing, check_version


async def read_equipment(catalogues: Catalogues, equipment_id: int) -> Stored:
    """A pool of whatever club. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn:
        return _stored(await sql.fetch_equipment(conn, equipment_id))


async def list_equipment(catalogues: Catalogues, club_id: int, after: int, limit: int) -> list[Stored]:
    """The club's pools in order of id, beginning after `after`."""
    async with acquire(catalogues.context.pool) as conn:
        return [_stored(row) for row in await sql.list_equipment(conn, club_id, after, limit)]


async def create_equipment(catalogues: Catalogues, actor_id: int, club_id: int, pool: EquipmentPart) -> Stored:
    """Add a pool. Raises `InvalidRequest` with the field, `NotFound` for the club."""
    check_equipment(pool)
    async with changing(catalogues, club_id, actor_id) as change:
        equipment_id = await sql.insert_equipment(change.conn, club_id, pool)
        change.record("catalogue.equipment_created", equipment_id=equipment_id, values=msgspec.to_builtins(pool))
        return _stored(await sql.fetch_equipment(change.conn, equipment_id))


async def change_equipment(
    catalogues: Catalogues, actor_id: int, equipment_id: int, version: int, fields: dict[str, Any]
) -> Stored:
    """Change some fields of a pool that is at `version`.

    Raises `NotFound`, `PreconditionFailed`, `InvalidRequest` or `CapacityInUse` with `peak`, the number that is
    booked at a time from now on.
    """
    before = await read_equipment(catalogues, equipment_id)
    try:
        async with changing(catalogues, before.club_id, actor_id) as change:
            row = await sql.fetch_equipment(change.conn, equipment_id)
            before = _stored(row)
            check_version(before.version, version)
            pool: EquipmentPart = msgspec.structs.replace(before.part, **fields)
            changed = changed_fields(before.part, pool)
            if row is None or not changed:
                return before
            check_equipment(pool)
            if "quantity" in changed:
                peak = await sql.fetch_pool_peak(change.conn, row["resource_id"], change.now)
                if pool.quantity < peak:
                    raise CapacityInUse(
                        f"Bookings that are already made need {peak} at a time.", field="quantity", peak=peak
                    )
            await sql.update_equipment(change.conn, equipment_id, pool)
            change.record("catalogue.equipment_changed", equipment_id=equipment_id, changed=changed)
            return _stored(await sql.fetch_equipment(change.conn, equipment_id))
    except asyncpg.ExclusionViolationError as error:
        if error.constraint_name != POOL_NOT_OVERSOLD:
            raise
        raise CapacityInUse(field="quantity") from None


async def retire_equipment(catalogues: Catalogues, actor_id: int, equipment_id: int, version: int) -> None:
    """Take a pool that is at `version` out of service.

    Raises `NotFound`, `PreconditionFailed` or `CapacityInUse` (bookings that need it have not ended).
    """
    before = await read_equipment(catalogues, equipment_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        row = await sql.fetch_equipment(change.conn, equipment_id)
        check_version(_stored(row).version, version)
        if row and await sql.fetch_resource_needed(change.conn, row["resource_id"], change.now, exclusive=False):
            raise CapacityInUse
        await sql.update_equipment_retired(change.conn, equipment_id, change.now)
        change.record("catalogue.equipment_retired", equipment_id=equipment_id)


def _stored(row: asyncpg.Record | None) -> Stored:
    if row is None:
        raise NotFound("There is no such equipment.")
    part = EquipmentPart(name=row["name"], quantity=row["quantity"], price=row["price"], per=row["per"])
    return Stored(id=row["id"], club_id=row["club_id"], version=row["version"], part=part)
