"""Clubs and their policies: found, read, change, retire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from server.domain.catalogue import Policy
from server.domain.configuration import ClubPart, changed_fields, check_club
from server.domain.errors import CapacityInUse, Conflict, InvalidRequest, NotFound
from server.sql import clubs as sql
from server.sql.accounts import insert_membership
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.sql.courts import list_courts
from server.sql.equipment import fetch_club_needed
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Change, Stored, changing, check_version
from server.usecases.ids import uuid7
from server.usecases.rules import MAX_COURTS

RELEASED_BY = frozenset({"zone", "horizon_days", "horizon_release", "tier_horizon_days"})
"""What says when a day is released."""


async def read_club(catalogues: Catalogues, club_id: int) -> Stored:
    """A club. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn:
        return _stored(await sql.fetch_club(conn, club_id))


async def list_clubs(catalogues: Catalogues, club_ids: Sequence[int], after: int, limit: int) -> list[Stored]:
    """Those of the clubs that are not retired, in order of id, beginning after `after`."""
    async with acquire(catalogues.context.pool) as conn:
        return [_stored(row) for row in await sql.list_clubs(conn, club_ids, after, limit)]


async def found_club(catalogues: Catalogues, actor_id: int, club: ClubPart) -> Stored:
    """Add a club; the actor becomes its admin. Raises `InvalidRequest` with the field, `Conflict` for a taken slug."""
    check_club(club)
    context = catalogues.context
    try:
        async with acquire(context.pool) as conn:
            await _check_zone(conn, club.zone)
            async with conn.transaction():
                club_id = await sql.insert_club(conn, club)
                await insert_membership(conn, user_id=actor_id, club_id=club_id, role="admin")
                await insert_audit(
                    conn,
                    id=uuid7(context.clock()),
                    club_id=club_id,
                    event_type="catalogue.club_created",
                    actor_id=actor_id,
                    payload={"club_id": club_id, "values": msgspec.to_builtins(club, str_keys=True)},
                )
                return _stored(await sql.fetch_club(conn, club_id))
    except asyncpg.UniqueViolationError as error:
        raise _slug_taken(error) from None


async def change_club(
    catalogues: Catalogues,
    actor_id: int,
    club_id: int,
    version: int,
    *,
    fields: dict[str, Any],
    policy: dict[str, Any],
) -> Stored:
    """Change some fields, and some of the policy, of a club that is at `version`.

    Zone and currency can change until the first booking or closure: days and prices that are stored mean them.
    Raises `NotFound`, `PreconditionFailed`, `InvalidRequest`, `Conflict` (slug taken) or `CapacityInUse`.
    """
    try:
        if "zone" in fields:
            async with acquire(catalogues.context.pool) as conn:
                await _check_zone(conn, fields["zone"])
        async with changing(catalogues, club_id, actor_id) as change:
            before = _stored(await sql.fetch_club(change.conn, club_id))
            check_version(before.version, version)
            club: ClubPart = msgspec.structs.replace(before.part, **fields)
            club = msgspec.structs.replace(club, policy=msgspec.structs.replace(club.policy, **policy))
            changed = changed_fields(before.part, club)
            if not changed:
                return before
            check_club(club, before.part)
            for name in ("zone", "currency"):
                if name in changed and await sql.fetch_club_was_used(change.conn, club_id):
                    raise CapacityInUse("This is fixed by what was booked already.", field=name)
            if club.policy.granularity != before.part.policy.granularity:
                await _check_courts(change, club.policy)
            await sql.update_club(change.conn, club_id, club)
            await sql.update_club_version(change.conn, club_id)
            if "policy" in changed:
                changed["policy"] = changed_fields(before.part.policy, club.policy)
            change.releases_moved = not RELEASED_BY.isdisjoint({*changed, *changed.get("policy", ())})
            change.record("catalogue.club_changed", club_id=club_id, changed=changed)
            return _stored(await sql.fetch_club(change.conn, club_id))
    except asyncpg.UniqueViolationError as error:
        raise _slug_taken(error) from None


async def retire_club(catalogues: Catalogues, actor_id: int, club_id: int, version: int) -> None:
    """Take a club that is at `version` out of service.

    Raises `NotFound`, `PreconditionFailed` or `CapacityInUse` (bookings or closures have not ended).
    """
    async with changing(catalogues, club_id, actor_id) as change:
        check_version(_stored(await sql.fetch_club(change.conn, club_id)).version, version)
        if await fetch_club_needed(change.conn, club_id, change.now):
            raise CapacityInUse
        await sql.update_club_retired(change.conn, club_id, change.now)
        change.record("catalogue.club_retired", club_id=club_id)


async def _check_zone(conn: Connection, zone: str) -> None:
    if not await sql.fetch_zone_known(conn, zone):
        raise InvalidRequest("The database does not know this time zone.", field="zone")


async def _check_courts(change: Change, policy: Policy) -> None:
    for row in await list_courts(change.conn, change.club_id, 0, MAX_COURTS):
        for minutes in (row["min_duration"], row["max_duration"]):
            if minutes is not None and minutes % policy.granularity:
                raise InvalidRequest(
                    f"Court {row['id']} has a duration of {minutes} minutes, which is no multiple of this.",
                    field="policy.granularity",
                )


def _slug_taken(error: asyncpg.UniqueViolationError) -> Exception:
    if error.constraint_name == sql.SLUG_TAKEN:
        return Conflict("There is a club of that name already.", field="slug")
    return error


def _stored(row: asyncpg.Record | None) -> Stored:
    if row is None:
        raise NotFound("There is no such club.")
    part = ClubPart(
        slug=row["slug"],
        name=row["name"],
        zone=row["zone"],
        currency=row["currency"],
        grid_visibility=row["grid_visibility"],
        stacking=row["stacking"],
        policy=msgspec.convert(row["policy"], Policy, strict=False),
    )
    return Stored(id=row["id"], club_id=row["id"], version=row["version"], part=part)
