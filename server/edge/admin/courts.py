"""/api/admin/courts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.configuration import CourtPart
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    Name,
    PageQuery,
    Word,
    catalogues_of,
    club_of,
    created,
    given,
    if_match,
    next_of,
    tagged,
)
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import Count, Id, Int32, PathId, documented, query_of
from server.usecases import courts as usecases
from server.usecases.configuration import Stored

Minutes = Annotated[int, msgspec.Meta(ge=5, le=1440)]
Units = Annotated[list[Id], msgspec.Meta(max_length=50, description="The plain courts that a full court is made of.")]
Surface = Annotated[str, msgspec.Meta(max_length=200)]


class CourtDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A court to be. `base_rate` is minor units an hour; durations and alignment override the club's."""

    name: Name
    kind: Word
    indoor: bool
    base_rate: Count
    surface: Surface = ""
    min_duration: Minutes | None = None
    max_duration: Minutes | None = None
    start_alignment: Minutes | None = None
    position: Int32 = 0
    units: Units = []


class CourtChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change. Other `units` need that no booking or closure of the court is to come."""

    name: Name | UnsetType = UNSET
    kind: Word | UnsetType = UNSET
    indoor: bool | UnsetType = UNSET
    base_rate: Count | UnsetType = UNSET
    surface: Surface | UnsetType = UNSET
    min_duration: Minutes | UnsetType | None = UNSET
    max_duration: Minutes | UnsetType | None = UNSET
    start_alignment: Minutes | UnsetType | None = UNSET
    position: Int32 | UnsetType = UNSET
    units: Units | UnsetType = UNSET


class AdminCourt(msgspec.Struct, frozen=True, kw_only=True):
    """A court as staff see it."""

    id: int
    club_id: int
    version: int
    name: str
    kind: str
    indoor: bool
    surface: str
    base_rate: int
    min_duration: int | None
    max_duration: int | None
    start_alignment: int | None
    position: int
    units: list[int]


class AdminCourts(msgspec.Struct, frozen=True):
    """A page of courts."""

    items: list[AdminCourt]
    next: str | None


@get(
    "/api/admin/courts",
    tags=["admin"],
    opt=documented(query=PageQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_courts(request: AnyRequest) -> AdminCourts:
    """The club's courts."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    items = await usecases.list_courts(catalogues_of(request), club.club_id, query.cursor or 0, query.limit)
    return AdminCourts([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post(
    "/api/admin/courts",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def create_court(request: AnyRequest, data: JSONBody[CourtDraft]) -> Response[AdminCourt]:
    """Add a court to the club."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    part = CourtPart(**given(data) | {"units": tuple(sorted(data.units))})
    court = await usecases.create_court(catalogues_of(request), actor.user_id, club.club_id, part)
    return created(_wire(court), court.version, f"/api/admin/courts/{court.id}")


@get("/api/admin/courts/{court_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_court(request: AnyRequest, court_id: PathId) -> Response[AdminCourt]:
    """One court. Its ETag is what a change or retirement sends as If-Match."""
    court = await usecases.read_court(catalogues_of(request), court_id)
    require_staff(request, court.club_id)
    return tagged(_wire(court), court.version)


@patch(
    "/api/admin/courts/{court_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(
        errors.Forbidden,
        errors.PreconditionRequired,
        errors.PreconditionFailed,
        errors.CapacityInUse,
        errors.Conflict,
    ),
)
async def change_court(request: AnyRequest, court_id: PathId, data: JSONBody[CourtChange]) -> Response[AdminCourt]:
    """Change a court."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_court(catalogues, court_id)).club_id)
    fields = given(data)
    if "units" in fields:
        fields["units"] = tuple(fields["units"])
    court = await usecases.change_court(catalogues, actor.user_id, court_id, if_match(request), fields)
    return tagged(_wire(court), court.version)


@delete(
    "/api/admin/courts/{court_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(
        errors.Forbidden,
        errors.PreconditionRequired,
        errors.PreconditionFailed,
        errors.CapacityInUse,
        errors.Conflict,
    ),
)
async def retire_court(request: AnyRequest, court_id: PathId) -> None:
    """Take a court out of service. Refused while bookings of it are to come."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_court(catalogues, court_id)).club_id)
    await usecases.retire_court(catalogues, actor.user_id, court_id, if_match(request))


def _wire(court: Stored) -> AdminCourt:
    part: CourtPart = court.part
    return AdminCourt(
        id=court.id,
        club_id=court.club_id,
        version=court.version,
        **{name: getattr(part, name) for name in part.__struct_fields__ if name != "units"},
        units=list(part.units),
    )


handlers = [list_courts, create_court, read_court, change_court, retire_court]
