"""Courts: create, read, change, retire. A court of several units shares them with the courts that it names."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from server.domain.catalogue import Policy
from server.domain.configuration import CourtPart, changed_fields, check_court
from server.domain.errors import CapacityInUse, Conflict, InvalidRequest, NotFound
from server.sql import courts as sql
from server.sql.clubs import fetch_club
from server.sql.connection import acquire
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Change, Stored, changing, check_version


async def read_court(catalogues: Catalogues, court_id: int) -> Stored:
    """A court of whatever club. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn:
        return _stored(await sql.fetch_court(conn, court_id))


async def list_courts(catalogues: Catalogues, club_id: int, after: int, limit: int) -> list[Stored]:
    """The club's courts in order of id, beginning after `after`."""
    async with acquire(catalogues.context.pool) as conn:
        return [_stored(row) for row in await sql.list_courts(conn, club_id, after, limit)]


async def create_court(catalogues: Catalogues, actor_id: int, club_id: int, court: CourtPart) -> Stored:
    """Add a court. Raises `InvalidRequest` with the field, `NotFound` for the club."""
    async with changing(catalogues, club_id, actor_id) as change:
        check_court(court, await _policy(change))
        unit_ids = await _unit_ids(change, court)
        court_id, resource_id = await sql.insert_court(change.conn, club_id, court)
        await sql.insert_court_units(change.conn, court_id, unit_ids or [resource_id])
        if unit_ids:
            await sql.update_court_days(change.conn, court_id, unit_ids, change.now)
        stored = _stored(await sql.fetch_court(change.conn, court_id))
        change.record("catalogue.court_created", court_id=court_id, values=msgspec.to_builtins(stored.part))
    return stored


async def change_court(
    catalogues: Catalogues, actor_id: int, court_id: int, version: int, fields: dict[str, Any]
) -> Stored:
    """Change some fields of a court that is at `version`.

    Raises `NotFound`, `PreconditionFailed`, `InvalidRequest`, `CapacityInUse` (other units while bookings or
    closures of it have not ended) or `Conflict` (a court that others are made of must stay whole).
    """
    before = await read_court(catalogues, court_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        before = _stored(await sql.fetch_court(change.conn, court_id))
        check_version(before.version, version)
        court: CourtPart = msgspec.structs.replace(before.part, **fields)
        court = msgspec.structs.replace(court, units=tuple(sorted(court.units)))
        changed = changed_fields(before.part, court)
        if not changed:
            return before
        check_court(court, await _policy(change))
        if "units" in changed:
            await _change_units(change, court_id, court)
        await sql.update_court(change.conn, court_id, court)
        change.record("catalogue.court_changed", court_id=court_id, changed=changed)
        return _stored(await sql.fetch_court(change.conn, court_id))


async def retire_court(catalogues: Catalogues, actor_id: int, court_id: int, version: int) -> None:
    """Take a court that is at `version` out of service.

    Raises `NotFound`, `PreconditionFailed`, `CapacityInUse` (bookings have not ended, or closures that lie on other
    courts too) or `Conflict` (others are made of it).
    """
    before = await read_court(catalogues, court_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        row = await sql.fetch_court(change.conn, court_id)
        before = _stored(row)
        check_version(before.version, version)
        await _refuse_if_composed_of(change, row)
        # Who lifts a closure of a court that is gone would not know whose rows of the grid change with it.
        shared = bool(before.part.units)
        if await sql.fetch_court_needed(change.conn, court_id, change.now, by_closures=shared):
            raise CapacityInUse
        await sql.update_court_retired(change.conn, court_id, change.now)
        change.record("catalogue.court_retired", court_id=court_id)


async def _policy(change: Change) -> Policy:
    row = await fetch_club(change.conn, change.club_id)
    assert row is not None  # noqa: S101 - `changing` has looked, under the lock
    return msgspec.convert(row["policy"], Policy)


async def _unit_ids(change: Change, court: CourtPart) -> list[int]:
    """The resources of the plain courts that the court is made of."""
    plain = await sql.list_plain_courts(change.conn, change.club_id)
    for index, unit in enumerate(court.units):
        if unit not in plain:
            raise InvalidRequest("There is no such court of one unit at this club.", field=f"units[{index}]")
    return [plain[unit] for unit in court.units]


async def _change_units(change: Change, court_id: int, court: CourtPart) -> None:
    row = await sql.fetch_court(change.conn, court_id)
    assert row is not None  # noqa: S101 - read a moment ago, under the lock
    if court_id in court.units:
        raise InvalidRequest("A court is not made of itself.", field="units")
    unit_ids = await _unit_ids(change, court)
    if unit_ids:
        await _refuse_if_composed_of(change, row)
    if await sql.fetch_court_needed(change.conn, court_id, change.now, by_closures=True):
        raise CapacityInUse(field="units")
    units_before = await sql.list_court_units(change.conn, court_id)
    units_after = unit_ids or [row["resource_id"]]
    await sql.delete_court_units(change.conn, court_id)
    await sql.insert_court_units(change.conn, court_id, units_after)
    await sql.update_court_days(change.conn, court_id, [*units_before, *units_after], change.now)


async def _refuse_if_composed_of(change: Change, row: asyncpg.Record | None) -> None:
    composed = await sql.list_composed_of(change.conn, row["resource_id"]) if row else []
    if composed:
        raise Conflict(f"{composed[0]} is made of it. Change or retire that one first.")


def _stored(row: asyncpg.Record | None) -> Stored:
    if row is None:
        raise NotFound("There is no such court.")
    part = CourtPart(
        name=row["name"],
        kind=row["kind"],
        indoor=row["indoor"],
        surface=row["surface"],
        base_rate=row["base_rate"],
        min_duration=row["min_duration"],
        max_duration=row["max_duration"],
        start_alignment=row["start_alignment"],
        position=row["position"],
        units=tuple(row["units"]),
    )
    return Stored(id=row["id"], club_id=row["club_id"], version=row["version"], part=part)
