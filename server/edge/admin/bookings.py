"""/api/admin/bookings: what is booked in the club, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get

from server.domain import errors
from server.domain.bookings import Booking
from server.domain.catalogue import Catalogue
from server.edge.admin.wire import catalogues_of
from server.edge.bookings import cursor_after, during_of
from server.edge.cursors import place_of_cursor
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.outcomes import BookingView, view_of
from server.edge.requests import Moment, documented, query_of
from server.usecases.bookings import Bookings
from server.usecases.users import Named, names_of


class DeskBooking(BookingView, frozen=True, kw_only=True):
    """A booking as the club's staff see it."""

    booker: Named
    """Whose it is."""


class DeskPage(msgspec.Struct, frozen=True):
    """Bookings in the order of their start; send `next` as `cursor` for those that follow."""

    items: list[DeskBooking]
    next: str | None


class DeskQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which bookings: those that overlap [from, to). `search` is part of a name or of an address."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    status: Literal["confirmed", "cancelled"] | None = None
    since: Moment | None = msgspec.field(name="from", default=None)
    until: Moment | None = msgspec.field(name="to", default=None)
    search: Annotated[str | None, msgspec.Meta(description="Part of a name or of an address.")] = None
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


@get(
    "/api/admin/bookings",
    responses=problems(errors.BadTime, errors.Forbidden, errors.NotFound),
    opt=documented(query=DeskQuery),
    tags=["admin"],
    summary="The club's bookings",
)
async def list_desk(request: Request[Any, Any, Any]) -> Response[DeskPage]:
    """The club's bookings with whose they are, in the order of their start. For staff."""
    query = query_of(request, DeskQuery)
    club = await catalogues_of(request).by_slug(query.club)
    require_staff(request, club.club_id)
    bookings: Bookings = request.app.state.bookings
    found = await bookings.list_of_club(
        club.club_id,
        status=query.status,
        during=during_of(query.since, query.until, club),
        search=query.search or None,
        after=place_of_cursor(query.cursor) if query.cursor is not None else None,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    items = await desk_views(request, page, club)
    return Response(
        DeskPage(items, cursor_after(page[-1]) if len(found) > query.limit else None),
        headers={"Cache-Control": "no-store"},
    )


async def desk_views(
    request: Request[Any, Any, Any], bookings: Sequence[Booking], club: Catalogue
) -> list[DeskBooking]:
    """Bookings with whose they are."""
    names = await names_of(request.app.state.context, {booking.user_id for booking in bookings})
    return [
        DeskBooking(**msgspec.structs.asdict(view_of(booking, club)), booker=names[booking.user_id])
        for booking in bookings
    ]


handlers = [list_desk]
