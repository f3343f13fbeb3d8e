"""Coaches with weekly hours and dated exceptions: create, read, change, retire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec

from server.domain.configuration import CoachPart, changed_fields, check_coach
from server.domain.errors import CapacityInUse, NotFound
from server.sql import coaches as sql
from server.sql.catalogue import windows_by_day
from server.sql.connection import acquire
from server.sql.equipment import fetch_resource_needed
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Change, Stored, changing, check_version


async def read_coach(catalogues: Catalogues, coach_id: int) -> Stored:
    """A coach of whatever club. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn:
        return _stored(await sql.fetch_coach(conn, coach_id))


async def list_coaches(catalogues: Catalogues, club_id: int, after: int, limit: int) -> list[Stored]:
    """The club's coaches in order of id, beginning after `after`."""
    async with acquire(catalogues.context.pool) as conn:
        return [_stored(row) for row in await sql.list_coaches(conn, club_id, after, limit)]


async def create_coach(catalogues: Catalogues, actor_id: int, club_id: int, coach: CoachPart) -> Stored:
    """Add a coach. Raises `InvalidRequest` with the field, `NotFound` for the club."""
    check_coach(coach)
    async with changing(catalogues, club_id, actor_id) as change:
        coach_id = await sql.insert_coach(change.conn, club_id, coach.name, coach.rate)
        await sql.insert_coach_hours(change.conn, coach_id, coach.hours)
        await sql.insert_coach_exceptions(change.conn, coach_id, coach.exceptions)
        change.record("catalogue.coach_created", coach_id=coach_id, values=msgspec.to_builtins(coach, str_keys=True))
        return _stored(await sql.fetch_coach(change.conn, coach_id))


async def change_coach(
    catalogues: Catalogues, actor_id: int, coach_id: int, version: int, fields: dict[str, Any]
) -> Stored:
    """Change some fields of a coach that is at `version`; hours that are given replace those that were.

    Lessons that are booked already stay, whatever the hours. Raises `NotFound`, `PreconditionFailed` or
    `InvalidRequest`.
    """
    before = await read_coach(catalogues, coach_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        before = _stored(await sql.fetch_coach(change.conn, coach_id))
        check_version(before.version, version)
        coach: CoachPart = msgspec.structs.replace(before.part, **fields)
        changed = changed_fields(before.part, coach)
        if not changed:
            return before
        check_coach(coach)
        await sql.update_coach(change.conn, coach_id, coach.name, coach.rate)
        if "hours" in changed:
            await sql.delete_coach_hours(change.conn, coach_id)
            await sql.insert_coach_hours(change.conn, coach_id, coach.hours)
        if "exceptions" in changed:
            await sql.delete_coach_exceptions(change.conn, coach_id)
            await sql.insert_coach_exceptions(change.conn, coach_id, coach.exceptions)
        change.record("catalogue.coach_changed", coach_id=coach_id, changed=changed)
        return _stored(await sql.fetch_coach(change.conn, coach_id))


async def retire_coach(catalogues: Catalogues, actor_id: int, coach_id: int, version: int) -> None:
    """Take a coach who is at `version` out of service.

    Raises `NotFound`, `PreconditionFailed` or `CapacityInUse` (lessons have not ended).
    """
    before = await read_coach(catalogues, coach_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        row = await sql.fetch_coach(change.conn, coach_id)
        check_version(_stored(row).version, version)
        await _refuse_if_needed(change, row)
        await sql.update_coach_retired(change.conn, coach_id, change.now)
        change.record("catalogue.coach_retired", coach_id=coach_id)


async def _refuse_if_needed(change: Change, row: asyncpg.Record | None) -> None:
    if row and await fetch_resource_needed(change.conn, row["resource_id"], change.now, exclusive=True):
        raise CapacityInUse


def _stored(row: asyncpg.Record | None) -> Stored:
    if row is None:
        raise NotFound("There is no such coach.")
    part = CoachPart(
        name=row["name"],
        rate=row["rate"],
        hours=windows_by_day(_triples(row["hours"])),
        exceptions=windows_by_day(_triples(row["exceptions"])),
    )
    return Stored(id=row["id"], club_id=row["club_id"], version=row["version"], part=part)


def _triples(rows: Iterable[Any]) -> list[tuple[Any, int | None, int | None]]:
    return [(day, opens, closes) for day, opens, closes in rows]
