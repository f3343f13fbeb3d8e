"""/api/bookings and /api/quotes: the desk over HTTP."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from server.domain import errors
from server.domain.bookings import Booking
from server.domain.catalogue import Catalogue
from server.domain.errors import BadTime, NotFound, UnknownCourt
from server.domain.pricing import EquipmentItem, Price
from server.domain.slots import ALWAYS, Interval, day_interval, parse_instant
from server.edge.answers import encoded
from server.edge.cursors import cursor_of, place_of_cursor
from server.edge.entries import Waitlisted
from server.edge.errors import problems
from server.edge.identity import identity_of, may_see, require_staff
from server.edge.outcomes import BookingView, answer_booking, idempotency_of, view_of
from server.edge.requests import Amount, Id, Moment, documented, query_of, within_years
from server.usecases.bookings import Bookings
from server.usecases.catalogue import Catalogues
from server.usecases.wishes import Change, Wanted, distinct

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

BOOKING_REFUSALS = (
    errors.UnknownCourt,
    errors.UnknownCoach,
    errors.UnknownEquipment,
    errors.UnknownUser,
    errors.BadTime,
    errors.BadDuration,
    errors.OutsideHours,
    errors.OutsideHorizon,
    errors.ClosedCourt,
    errors.LeavesGap,
    errors.SlotTaken,
    errors.CoachUnavailable,
    errors.EquipmentUnavailable,
    errors.PriceChanged,
    errors.QuotaExceeded,
    errors.EmailUnverified,
    errors.Suspended,
    errors.IdempotencyKeyReused,
    errors.Forbidden,
    errors.NotFound,
)


# -- wire ---------------------------------------------------------------------------------------------------


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some of a piece of equipment."""

    equipment_id: Id
    quantity: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class NewBooking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A court for a time, with coach and equipment: all of it or nothing."""

    court_id: Id
    start_ts: Moment
    end_ts: Moment
    coach_id: Id | None = None
    equipment: Annotated[tuple[Item, ...], msgspec.Meta(max_length=50)] = ()
    user_email: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    """Whom it is for; somebody else only by the club's staff."""
    waitlist: bool = False
    """If it is taken, wait for it: it is booked as soon as it is free, at `expected_total` at most where that is sent."""
    expected_total: Amount | None = None
    """The total that was quoted, in minor units; another price refuses the booking."""


class BookingChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a booking goes; what is left out stays as it is."""

    court_id: Id | msgspec.UnsetType = msgspec.UNSET
    start_ts: Moment | msgspec.UnsetType = msgspec.UNSET
    end_ts: Moment | msgspec.UnsetType = msgspec.UNSET
    coach_id: Id | msgspec.UnsetType | None = msgspec.UNSET
    equipment: Annotated[tuple[Item, ...], msgspec.Meta(max_length=50)] | msgspec.UnsetType = msgspec.UNSET
    expected_total: Amount | None = None


class BookingPage(msgspec.Struct, frozen=True):
    """Bookings in the order of their start; send `next` as `cursor` for those that follow."""

    items: list[BookingView]
    next: str | None


class BookingQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which bookings to list."""

    status: Literal["confirmed", "cancelled"] | None = None
    since: Moment | None = msgspec.field(name="from", default=None)
    until: Moment | None = msgspec.field(name="to", default=None)
    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    everyone: bool = False
    """All bookings of the club, for its staff; otherwise one's own."""
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


# -- handlers -----------------------------------------------------------------------------------------------


@post(
    "/api/quotes",
    status_code=HTTP_200_OK,
    responses=problems(*BOOKING_REFUSALS),
    tags=["bookings"],
    summary="What a booking would cost",
)
async def quote(request: Request[Any, Any, Any], data: JSONBody[NewBooking]) -> Price:
    """The price with its lines, for the body of a booking. Books nothing, reserves nothing."""
    bookings: Bookings = request.app.state.bookings
    return await bookings.quote(identity_of(request), wanted_of(data), lambda club: _may_book(request, club))


@post(
    "/api/bookings",
    responses=problems(*BOOKING_REFUSALS, errors.AlreadyWaiting, errors.WaitsTooOften, errors.TooLate)
    | {202: ResponseSpec(Waitlisted, description="It is taken, and waits.", generate_examples=False)},
    opt=documented(headers=("Idempotency-Key",)),
    tags=["bookings"],
    summary="Book a court",
)
async def book(request: Request[Any, Any, Any], data: JSONBody[NewBooking]) -> Response[BookingView]:
    """Book a court with coach and equipment, or nothing of it. With `waitlist` what is taken is waited for.

    With an Idempotency-Key a repeated request gets the first answer and books once.
    """
    bookings: Bookings = request.app.state.bookings
    identity = identity_of(request)
    key = idempotency_of(request, identity, "POST /api/bookings", data, 201)
    outcome = await bookings.book(identity, wanted_of(data), lambda club: _may_book(request, club), key)
    return await answer_booking(request, outcome, 201)


@get(
    "/api/bookings",
    responses=problems(errors.BadTime, errors.Forbidden, errors.TotpEnrolmentRequired, errors.NotFound),
    opt=documented(query=BookingQuery),
    tags=["bookings"],
    summary="List bookings",
)
async def list_bookings(request: Request[Any, Any, Any]) -> Response[BookingPage]:
    """One's own bookings that overlap [from, to), in the order of their start; with `everyone`, the club's.

    With `club` only those of that club.
    """
    identity = identity_of(request)
    query = query_of(request, BookingQuery)
    catalogues: Catalogues = request.app.state.catalogues
    club = await catalogues.by_slug(query.club)
    if query.club is not None:
        may_see(request, club)
    bookings: Bookings = request.app.state.bookings
    status, after, limit = query.status, _cursor(query.cursor), query.limit + 1
    during = during_of(query.since, query.until, club)
    if query.everyone:
        require_staff(request, club.club_id)
        found = await bookings.list_of_club(club.club_id, status=status, during=during, after=after, limit=limit)
    else:
        only = club.club_id if query.club is not None else None
        found = await bookings.list_own(identity, club_id=only, status=status, during=during, after=after, limit=limit)
    page = found[: query.limit]
    clubs = {club_id: await catalogues.even_retired(club_id) for club_id in {booking.club_id for booking in page}}
    views = [view_of(booking, clubs[booking.club_id]) for booking in page]
    last = page[-1] if len(found) > query.limit else None
    return encoded(BookingPage(views, cursor_after(last) if last is not None else None), 200)


@get("/api/bookings/{booking_id:uuid}", responses=problems(errors.NotFound), tags=["bookings"], summary="A booking")
async def show(request: Request[Any, Any, Any], booking_id: FromPath[UUID]) -> Response[BookingView]:
    """A booking of one's own, or of the club for its staff."""
    bookings: Bookings = request.app.state.bookings
    booking, catalogue = await bookings.fetch(identity_of(request), booking_id)
    return encoded(view_of(booking, catalogue), 200)


@post(
    "/api/bookings/{booking_id:uuid}/cancel",
    status_code=HTTP_200_OK,
    responses=problems(errors.NotFound, errors.NotCancellable, errors.IdempotencyKeyReused),
    opt=documented(headers=("Idempotency-Key",)),
    tags=["bookings"],
    summary="Cancel a booking",
)
async def cancel(request: Request[Any, Any, Any], booking_id: FromPath[UUID]) -> Response[BookingView]:
    """Give a booking up. Once it is cancelled, cancelling it again changes nothing."""
    bookings: Bookings = request.app.state.bookings
    identity = identity_of(request)
    key = idempotency_of(request, identity, "POST /api/bookings/{id}/cancel", str(booking_id), 200)
    return await answer_booking(request, await bookings.cancel(identity, booking_id, key), 200)


@patch(
    "/api/bookings/{booking_id:uuid}",
    responses=problems(*BOOKING_REFUSALS, errors.NotMovable),
    opt=documented(headers=("Idempotency-Key",)),
    tags=["bookings"],
    summary="Move a booking",
)
async def move(
    request: Request[Any, Any, Any], booking_id: FromPath[UUID], data: JSONBody[BookingChange]
) -> Response[BookingView]:
    """Exchange a booking's court, time, coach or equipment at the price of now; refused, it stays as it was."""
    bookings: Bookings = request.app.state.bookings
    identity = identity_of(request)
    key = idempotency_of(request, identity, "PATCH /api/bookings/{id}", (str(booking_id), data), 200)
    change = Change(
        court_id=data.court_id,
        start_ts=data.start_ts,
        end_ts=data.end_ts,
        coach_id=data.coach_id,
        equipment=data.equipment if isinstance(data.equipment, msgspec.UnsetType) else items_of(data.equipment),
        expected_total=data.expected_total,
    )
    return await answer_booking(request, await bookings.move(identity, booking_id, change, key), 200)


handlers = [quote, book, list_bookings, show, cancel, move]


# -- in and out ---------------------------------------------------------------------------------------------


def items_of(items: tuple[Item, ...]) -> tuple[EquipmentItem, ...]:
    """Wire items as the domain knows them. Raises `InvalidRequest` for equipment that is named twice."""
    return distinct([EquipmentItem(item.equipment_id, item.quantity) for item in items])


def _may_book(request: Request[Any, Any, Any], catalogue: Catalogue) -> None:
    """As `may_see`; a court of a club that shows itself to its members alone is as unknown as one that is not there."""
    try:
        may_see(request, catalogue)
    except NotFound:
        raise UnknownCourt(field="court_id") from None


def wanted_of(data: NewBooking) -> Wanted:
    """What a body asks for."""
    return Wanted(
        court_id=data.court_id,
        start_ts=data.start_ts,
        end_ts=data.end_ts,
        coach_id=data.coach_id,
        equipment=items_of(data.equipment) if data.equipment else (),
        user_email=data.user_email,
        expected_total=data.expected_total,
        waitlist=data.waitlist,
    )


def during_of(since: str | None, until: str | None, catalogue: Catalogue) -> Interval:
    """From `from` to `to`, local days or instants; what is left out is always. Raises `BadTime`."""
    during = Interval(_moment(since, catalogue, "from") or ALWAYS.start, _moment(until, catalogue, "to") or ALWAYS.end)
    if during.end < during.start:
        raise BadTime("The end must not be before the start.", field="to")
    return during


def _moment(text: str | None, catalogue: Catalogue, field: str) -> datetime | None:
    if text is None:
        return None
    if _DATE.fullmatch(text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise BadTime("There is no such date in the calendar.", field=field) from None
        return day_interval(within_years(day, field), catalogue.tz).start
    return parse_instant(text, catalogue.tz, field=field)


def cursor_after(booking: Booking) -> str:
    """The `next` of a page that ends with this booking."""
    return cursor_of(booking.interval.start, booking.id)


def _cursor(text: str | None) -> tuple[datetime, UUID] | None:
    if text is None:
        return None
    return place_of_cursor(text)
