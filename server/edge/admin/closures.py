"""/api/admin/closures: closing courts, seeing beforehand whom it meets, and opening them again."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.bookings import Accepted, Closure
from server.domain.catalogue import Catalogue
from server.domain.slots import isoformat
from server.edge.admin.bookings import DeskBooking, desk_views
from server.edge.admin.wire import ClubQuery, club_of, created, if_match, tagged
from server.edge.cursors import cursor_of, place_of_cursor
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.outcomes import BookingView, view_of
from server.edge.requests import Id, Moment, documented, query_of
from server.usecases.closures import Closures, WantedClosure, name_of

Reason = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
CourtIds = Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=500)]
PreviewName = Annotated[
    str,
    msgspec.Meta(
        max_length=64, description="The `preview` that was looked at: other bookings in the way refuse it with 409."
    ),
]
CLOSURE_REFUSALS = (
    errors.UnknownCourt,
    errors.BadTime,
    errors.BadDuration,
    errors.CapacityInUse,
    errors.Forbidden,
    errors.NotFound,
)


class ClosureDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Courts to close."""

    court_ids: CourtIds
    start_ts: Moment
    end_ts: Moment
    reason: Reason = ""
    cancel_bookings: bool = False
    """Cancel, refund and notify the bookings in the way; otherwise they refuse the closure."""
    preview: PreviewName | None = None


class ClosureChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a closure; what is left out stays as it is."""

    court_ids: CourtIds | UnsetType = UNSET
    start_ts: Moment | UnsetType = UNSET
    end_ts: Moment | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    cancel_bookings: bool = False
    preview: PreviewName | None = None


class ClosureView(msgspec.Struct, frozen=True, kw_only=True):
    """A closure. `cancelled` are the bookings that it has just cancelled."""

    id: UUID
    version: int
    court_ids: tuple[int, ...]
    start_ts: str
    end_ts: str
    reason: str
    cancelled: list[BookingView] = []


class AffectedBookings(msgspec.Struct, frozen=True):
    """The bookings that a closure would cancel, with whose they are."""

    items: list[DeskBooking]
    preview: str
    """Their name: a closure that is sent with it is refused if others are in the way by then."""
    next: None = None


class ClosurePage(msgspec.Struct, frozen=True):
    """Closures in the order of their start."""

    items: list[ClosureView]
    next: str | None


class ClosureQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which closures to list."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


@post(
    "/api/admin/closures/preview",
    status_code=200,
    responses=problems(*CLOSURE_REFUSALS),
    opt=documented(query=ClubQuery),
    tags=["admin"],
    summary="Whom a closure would meet",
)
async def preview_closure(request: Request[Any, Any, Any], data: JSONBody[ClosureDraft]) -> AffectedBookings:
    """The bookings that the closure would cancel; changes nothing. For staff."""
    club = await club_of(request)
    require_staff(request, club.club_id)
    affected = await _closures(request).preview(club.club_id, _wanted(data))
    return AffectedBookings(await desk_views(request, affected, club), name_of(affected))


@post(
    "/api/admin/closures",
    responses=problems(*CLOSURE_REFUSALS),
    opt=documented(query=ClubQuery),
    tags=["admin"],
    summary="Close courts",
)
async def create_closure(request: Request[Any, Any, Any], data: JSONBody[ClosureDraft]) -> Response[ClosureView]:
    """Close courts; with `cancel_bookings` the bookings in the way go with it, all or nothing. For staff."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    accepted = await _closures(request).close(actor, club.club_id, _wanted(data))
    closure = _closure_of(accepted)
    view = _view(closure, club, [view_of(booking, club) for booking in accepted.cancelled])
    return created(view, closure.version, f"/api/admin/closures/{closure.id}?club={club.slug}")


@get(
    "/api/admin/closures",
    responses=problems(errors.Forbidden, errors.NotFound),
    opt=documented(query=ClosureQuery),
    tags=["admin"],
    summary="List closures",
)
async def list_closures(request: Request[Any, Any, Any]) -> ClosurePage:
    """The club's closures that have not ended, in the order of their start. For staff."""
    query = query_of(request, ClosureQuery)
    club = await request.app.state.catalogues.by_slug(query.club)
    require_staff(request, club.club_id)
    after = place_of_cursor(query.cursor) if query.cursor is not None else None
    found = await _closures(request).list_current(club.club_id, after=after, limit=query.limit + 1)
    page = found[: query.limit]
    more = len(found) > query.limit
    return ClosurePage(
        [_view(closure, club) for closure in page], cursor_of(page[-1].interval.start, page[-1].id) if more else None
    )


@get(
    "/api/admin/closures/{closure_id:uuid}",
    responses=problems(errors.Forbidden, errors.NotFound),
    opt=documented(query=ClubQuery),
    tags=["admin"],
    summary="A closure",
)
async def read_closure(request: Request[Any, Any, Any], closure_id: FromPath[UUID]) -> Response[ClosureView]:
    """A closure that is in force. For staff."""
    club = await club_of(request)
    require_staff(request, club.club_id)
    closure = await _closures(request).fetch(club.club_id, closure_id)
    return tagged(_view(closure, club), closure.version)


@patch(
    "/api/admin/closures/{closure_id:uuid}",
    responses=problems(*CLOSURE_REFUSALS, errors.PreconditionFailed, errors.PreconditionRequired),
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    tags=["admin"],
    summary="Change a closure",
)
async def change_closure(
    request: Request[Any, Any, Any], closure_id: FromPath[UUID], data: JSONBody[ClosureChange]
) -> Response[ClosureView]:
    """Exchange a closure's courts, times or reason. For staff."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    version = if_match(request)
    current = await _closures(request).fetch(club.club_id, closure_id)
    wanted = WantedClosure(
        court_ids=current.court_ids if isinstance(data.court_ids, UnsetType) else data.court_ids,
        start_ts=current.interval.start.isoformat() if isinstance(data.start_ts, UnsetType) else data.start_ts,
        end_ts=current.interval.end.isoformat() if isinstance(data.end_ts, UnsetType) else data.end_ts,
        reason=current.reason if isinstance(data.reason, UnsetType) else data.reason,
        cancel_bookings=data.cancel_bookings,
        preview=data.preview,
    )
    accepted = await _closures(request).change(actor, club.club_id, closure_id, wanted, version)
    closure = _closure_of(accepted)
    return tagged(_view(closure, club, [view_of(booking, club) for booking in accepted.cancelled]), closure.version)


@delete(
    "/api/admin/closures/{closure_id:uuid}",
    responses=problems(errors.Forbidden, errors.NotFound, errors.PreconditionFailed, errors.PreconditionRequired),
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    tags=["admin"],
    summary="Lift a closure",
)
async def lift_closure(request: Request[Any, Any, Any], closure_id: FromPath[UUID]) -> None:
    """Open the courts again. For staff."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    await _closures(request).reopen(actor, club.club_id, closure_id, if_match(request))


handlers = [preview_closure, create_closure, list_closures, read_closure, change_closure, lift_closure]


def _closures(request: Request[Any, Any, Any]) -> Closures:
    closures: Closures = request.app.state.closures
    return closures


def _closure_of(accepted: Accepted) -> Closure:
    if accepted.closure is None:
        raise AssertionError("unreachable: closing and changing are accepted with a closure")
    return accepted.closure


def _wanted(data: ClosureDraft) -> WantedClosure:
    return WantedClosure(
        court_ids=data.court_ids,
        start_ts=data.start_ts,
        end_ts=data.end_ts,
        reason=data.reason,
        cancel_bookings=data.cancel_bookings,
        preview=data.preview,
    )


def _view(closure: Closure, club: Catalogue, cancelled: list[BookingView] | None = None) -> ClosureView:
    return ClosureView(
        id=closure.id,
        version=closure.version,
        court_ids=closure.court_ids,
        start_ts=isoformat(closure.interval.start, club.tz),
        end_ts=isoformat(closure.interval.end, club.tz),
        reason=closure.reason,
        cancelled=cancelled or [],
    )
