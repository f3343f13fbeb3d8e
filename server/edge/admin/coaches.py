"""/api/admin/coaches."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.configuration import CoachPart
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    Dated,
    DatedWire,
    DayWindowWire,
    Name,
    PageQuery,
    Week,
    catalogues_of,
    club_of,
    created,
    dated_of,
    dated_wire,
    given,
    if_match,
    next_of,
    tagged,
    week_of,
    week_wire,
)
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import Count, PathId, documented, query_of
from server.usecases import coaches as usecases
from server.usecases.configuration import Stored


class CoachDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A coach to be. `rate` is minor units an hour; `exceptions` are dates with other hours, or none."""

    name: Name
    rate: Count
    hours: Week = []
    exceptions: Dated = []


class CoachChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; `hours` and `exceptions` replace all that there were."""

    name: Name | UnsetType = UNSET
    rate: Count | UnsetType = UNSET
    hours: Week | UnsetType = UNSET
    exceptions: Dated | UnsetType = UNSET


class AdminCoach(msgspec.Struct, frozen=True, kw_only=True):
    """A coach as staff see it."""

    id: int
    club_id: int
    version: int
    name: str
    rate: int
    hours: list[DayWindowWire]
    exceptions: list[DatedWire]


class AdminCoaches(msgspec.Struct, frozen=True):
    """A page of coaches."""

    items: list[AdminCoach]
    next: str | None


@get(
    "/api/admin/coaches",
    tags=["admin"],
    opt=documented(query=PageQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_coaches(request: AnyRequest) -> AdminCoaches:
    """The club's coaches."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    items = await usecases.list_coaches(catalogues_of(request), club.club_id, query.cursor or 0, query.limit)
    return AdminCoaches([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post(
    "/api/admin/coaches",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def create_coach(request: AnyRequest, data: JSONBody[CoachDraft]) -> Response[AdminCoach]:
    """Add a coach to the club."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    coach = await usecases.create_coach(catalogues_of(request), actor.user_id, club.club_id, CoachPart(**_fields(data)))
    return created(_wire(coach), coach.version, f"/api/admin/coaches/{coach.id}")


@get("/api/admin/coaches/{coach_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_coach(request: AnyRequest, coach_id: PathId) -> Response[AdminCoach]:
    """One coach. Its ETag is what a change or retirement sends as If-Match."""
    coach = await usecases.read_coach(catalogues_of(request), coach_id)
    require_staff(request, coach.club_id)
    return tagged(_wire(coach), coach.version)


@patch(
    "/api/admin/coaches/{coach_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def change_coach(request: AnyRequest, coach_id: PathId, data: JSONBody[CoachChange]) -> Response[AdminCoach]:
    """Change a coach. Lessons that are booked stay booked, whatever the hours."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_coach(catalogues, coach_id)).club_id)
    coach = await usecases.change_coach(catalogues, actor.user_id, coach_id, if_match(request), _fields(data))
    return tagged(_wire(coach), coach.version)


@delete(
    "/api/admin/coaches/{coach_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed, errors.CapacityInUse),
)
async def retire_coach(request: AnyRequest, coach_id: PathId) -> None:
    """Take a coach out of service. Refused while lessons are to come."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_coach(catalogues, coach_id)).club_id)
    await usecases.retire_coach(catalogues, actor.user_id, coach_id, if_match(request))


def _fields(data: CoachDraft | CoachChange) -> dict[str, Any]:
    fields = given(data)
    if "hours" in fields:
        fields["hours"] = week_of(fields["hours"], "hours")
    if "exceptions" in fields:
        fields["exceptions"] = dated_of(fields["exceptions"], "exceptions")
    return fields


def _wire(coach: Stored) -> AdminCoach:
    part: CoachPart = coach.part
    return AdminCoach(
        id=coach.id,
        club_id=coach.club_id,
        version=coach.version,
        name=part.name,
        rate=part.rate,
        hours=week_wire(part.hours),
        exceptions=dated_wire(part.exceptions),
    )


handlers = [list_coaches, create_coach, read_coach, change_coach, retire_coach]
