"""/api/admin/hours and the dates with hours of their own. Their ETag is the version of the club."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.configuration import DayException
from server.edge.admin.wire import (
    MAX_PAGE,
    AnyRequest,
    ClubQuery,
    DayWindowWire,
    Week,
    Windows,
    WindowWire,
    catalogues_of,
    club_of,
    created,
    given,
    if_match,
    tagged,
    week_of,
    week_wire,
    windows_of,
    windows_wire,
)
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import documented, query_of
from server.usecases import hours as usecases

Reason = Annotated[str, msgspec.Meta(max_length=200)]


class OpeningHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The club's week. A day without a window is closed; a window may run past midnight."""

    hours: Week


class AdminHours(msgspec.Struct, frozen=True):
    """The club's week as staff see it."""

    club: str
    version: int
    hours: list[DayWindowWire]


class ExceptionDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Opening hours of one date in place of its weekday's; no windows: closed all day."""

    day: date
    windows: Windows = []
    reason: Reason = ""


class ExceptionChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change."""

    windows: Windows | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET


class AdminException(msgspec.Struct, frozen=True, kw_only=True):
    """A date with hours of its own."""

    day: date
    windows: list[WindowWire]
    reason: str


class AdminExceptions(msgspec.Struct, frozen=True):
    """A page of dates."""

    items: list[AdminException]
    next: str | None


class ExceptionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    club: str | None = None
    cursor: Annotated[date | None, msgspec.Meta(description="The `next` of the page before.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 100


@get(
    "/api/admin/hours",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def read_hours(request: AnyRequest) -> Response[AdminHours]:
    """The club's week."""
    club = await club_of(request)
    require_staff(request, club.club_id)
    version, week = await usecases.read_week(catalogues_of(request), club.club_id)
    return tagged(AdminHours(club.slug, version, week_wire(week)), version)


@put(
    "/api/admin/hours",
    tags=["admin"],
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.NotFound, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def change_hours(request: AnyRequest, data: JSONBody[OpeningHours]) -> Response[AdminHours]:
    """Replace the club's week. What is booked stays booked."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    version, week = await usecases.change_week(
        catalogues_of(request), actor.user_id, club.club_id, if_match(request), week_of(data.hours, "hours")
    )
    return tagged(AdminHours(club.slug, version, week_wire(week)), version)


@get(
    "/api/admin/hours/exceptions",
    tags=["admin"],
    opt=documented(query=ExceptionQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_exceptions(request: AnyRequest) -> AdminExceptions:
    """The dates with hours of their own, in order."""
    query = query_of(request, ExceptionQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    found = await usecases.list_exceptions(catalogues_of(request), club.club_id, query.cursor or date.min, query.limit)
    items = [_wire(day, exception) for day, exception in found.items()]
    return AdminExceptions(items, items[-1].day.isoformat() if len(items) == query.limit else None)


@post(
    "/api/admin/hours/exceptions",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound, errors.Conflict),
)
async def create_exception(request: AnyRequest, data: JSONBody[ExceptionDraft]) -> Response[AdminException]:
    """Give a date hours of its own."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    exception = DayException(windows=windows_of(data.windows, "windows"), reason=data.reason)
    version, stored = await usecases.create_exception(
        catalogues_of(request), actor.user_id, club.club_id, data.day, exception
    )
    return created(_wire(data.day, stored), version, f"/api/admin/hours/exceptions/{data.day}?club={club.slug}")


@get(
    "/api/admin/hours/exceptions/{day:date}",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden),
)
async def read_exception(request: AnyRequest, day: FromPath[date]) -> Response[AdminException]:
    """One date's own hours."""
    club = await club_of(request)
    require_staff(request, club.club_id)
    version, exception = await usecases.read_exception(catalogues_of(request), club.club_id, day)
    return tagged(_wire(day, exception), version)


@patch(
    "/api/admin/hours/exceptions/{day:date}",
    tags=["admin"],
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def change_exception(
    request: AnyRequest, day: FromPath[date], data: JSONBody[ExceptionChange]
) -> Response[AdminException]:
    """Change a date's own hours. What is booked stays booked."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    _, before = await usecases.read_exception(catalogues_of(request), club.club_id, day)
    fields = given(data)
    if "windows" in fields:
        fields["windows"] = windows_of(fields["windows"], "windows")
    version, stored = await usecases.change_exception(
        catalogues_of(request),
        actor.user_id,
        club.club_id,
        if_match(request),
        day,
        exception=msgspec.structs.replace(before, **fields),
    )
    return tagged(_wire(day, stored), version)


@delete(
    "/api/admin/hours/exceptions/{day:date}",
    tags=["admin"],
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def remove_exception(request: AnyRequest, day: FromPath[date]) -> None:
    """Let the weekday's hours hold on that date again."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    await usecases.remove_exception(catalogues_of(request), actor.user_id, club.club_id, if_match(request), day)


def _wire(day: date, exception: DayException) -> AdminException:
    return AdminException(day=day, windows=windows_wire(exception.windows), reason=exception.reason)


handlers = [
    read_hours,
    change_hours,
    list_exceptions,
    create_exception,
    read_exception,
    change_exception,
    remove_exception,
]
