"""GET /api/bookings/{id}/calendar: a booking for the calendar of whoever booked it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.params import FromPath

from server.context import Context
from server.domain import errors
from server.edge.answers import Encoded
from server.edge.errors import problems
from server.edge.identity import identity_of
from server.usecases.bookings import Bookings
from server.usecases.calendars import publish_booking

CALENDAR = "text/calendar"


@get(
    "/api/bookings/{booking_id:uuid}/calendar",
    media_type=CALENDAR,
    responses=problems(errors.NotFound),
    tags=["bookings"],
    summary="A booking for the calendar",
)
async def calendar(request: Request[Any, Any, Any], booking_id: FromPath[UUID]) -> Response[str]:
    """A booking of one's own, or of the club for its staff, as an iCalendar file (RFC 5545). Its UID is that of the
    mails about it, so adding it twice changes nothing."""
    bookings: Bookings = request.app.state.bookings
    context: Context = request.app.state.context
    booking, _ = await bookings.fetch(identity_of(request), booking_id)
    headers = {
        "Content-Disposition": 'attachment; filename="court.ics"',
        "Cache-Control": "private, no-cache",
    }
    return Encoded(
        await publish_booking(context, booking.id), 200, headers, f"{CALENDAR}; charset=utf-8; method=PUBLISH"
    )


handlers = [calendar]
