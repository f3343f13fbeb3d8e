"""/api/waitlist: waiting for what is taken, and claiming what is offered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from server.context import Context
from server.domain import errors
from server.domain.bookings import Accepted, Replay
from server.domain.catalogue import Catalogue
from server.domain.errors import InvalidRequest
from server.edge.answers import encoded
from server.edge.bookings import BOOKING_REFUSALS, Item, items_of
from server.edge.entries import EntryView, entry_view
from server.edge.errors import problems
from server.edge.grid import Slug
from server.edge.identity import identity_of, may_see
from server.edge.outcomes import BookingView, answer_booking, idempotency_of, replayed
from server.edge.requests import Amount, Id, Moment, documented, query_of
from server.usecases.waitlist import Waitlist, Wish

PLACE_REFUSALS = (
    errors.UnknownCourt,
    errors.BadTime,
    errors.BadDuration,
    errors.OutsideHours,
    errors.OutsideHorizon,
    errors.TooLate,
    errors.NotFound,
)


class NewEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for: a court by `court_id`, or any court of a `kind` in a club."""

    court_id: Id | None = None
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    """Where a `kind` is waited for; the first club if left out."""
    start_ts: Moment
    end_ts: Moment
    coach_id: Id | None = None
    equipment: Annotated[tuple[Item, ...], msgspec.Meta(max_length=50)] = ()
    auto_book: bool = False
    """Book it at once when it is free; otherwise it is offered, to be claimed before a deadline."""
    max_price: Amount | None = None
    """With `auto_book`: the total in minor units above which it is not booked."""
    not_after: Moment | None = None
    """From then on it is not wanted any more."""
    user_email: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    """Who waits; somebody else only by the club's staff."""


class PlaceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one might wait for: a court by `court_id`, or any court of a `kind` in a club."""

    start_ts: Moment
    end_ts: Moment
    court_id: Id | None = None
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    club: Slug | None = None


class Place(msgspec.Struct, frozen=True):
    """Where one would stand."""

    position: int
    """The place in the line that one would have, from 1."""


class NewClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was offered."""

    expected_total: Amount | None = None
    """The total that was offered, in minor units; another price refuses the claim."""


class Entries(msgspec.Struct, frozen=True):
    """All that one waits for, in the order of its start."""

    items: list[EntryView]
    now: datetime
    """The server's time, which deadlines are measured by."""
    next: None = None


@post(
    "/api/waitlist",
    responses=problems(*BOOKING_REFUSALS, errors.SlotFree, errors.AlreadyWaiting, errors.WaitsTooOften, errors.TooLate),
    opt=documented(headers=("Idempotency-Key",)),
    tags=["waitlist"],
    summary="Wait for a slot",
)
async def join(request: Request[Any, Any, Any], data: JSONBody[NewEntry]) -> Response[EntryView]:
    """Stand in the line for what is taken, closed or not open for booking yet. What is free is refused as such."""
    _check_named(data)
    if data.max_price is not None and not data.auto_book:
        raise InvalidRequest("A price cap is for what is booked at once: send auto_book too.", field="max_price")
    identity = identity_of(request)
    key = idempotency_of(request, identity, "POST /api/waitlist", data, 201, granted=_joined)
    wish = Wish(
        club=data.club,
        court_id=data.court_id,
        kind=data.kind,
        start_ts=data.start_ts,
        end_ts=data.end_ts,
        coach_id=data.coach_id,
        equipment=items_of(data.equipment),
        auto_book=data.auto_book,
        max_price=data.max_price,
        not_after=data.not_after,
        user_email=data.user_email,
    )
    outcome = await _waitlist(request).join(identity, wish, lambda club: may_see(request, club), key)
    if isinstance(outcome, Replay):
        return replayed(outcome)
    if outcome.entry is None:
        raise AssertionError("unreachable: joining is accepted with an entry")
    catalogue = await request.app.state.catalogues.even_retired(outcome.entry.club_id)
    return encoded(*_joined(outcome, catalogue, 201))


@get("/api/waitlist", tags=["waitlist"], summary="What one waits for")
async def list_entries(request: Request[Any, Any, Any]) -> Response[Entries]:
    """One's own entries with the place in the line, and what is offered."""
    found = await _waitlist(request).list_own(identity_of(request))
    context: Context = request.app.state.context
    items = [entry_view(each.entry, each.position, each.catalogue) for each in found]
    return encoded(Entries(items, context.clock()), 200)


@get(
    "/api/waitlist/position",
    responses=problems(*PLACE_REFUSALS),
    opt=documented(query=PlaceQuery),
    tags=["waitlist"],
    summary="Which place one would have",
)
async def look_ahead(request: Request[Any, Any, Any]) -> Response[Place]:
    """The place in the line that one would have if one joined now. Nothing is kept, and nobody is asked to wait."""
    identity = identity_of(request)
    query = query_of(request, PlaceQuery)
    _check_named(query)
    wish = Wish(club=query.club, court_id=query.court_id, kind=query.kind, start_ts=query.start_ts, end_ts=query.end_ts)
    place = await _waitlist(request).look_ahead(identity, wish, lambda club: may_see(request, club))
    return encoded(Place(place), 200)


@delete(
    "/api/waitlist/{entry_id:uuid}",
    responses=problems(errors.NotFound),
    tags=["waitlist"],
    summary="Wait no more",
)
async def leave(request: Request[Any, Any, Any], entry_id: FromPath[UUID]) -> None:
    """Leave the line, or decline what is offered. A second time changes nothing."""
    await _waitlist(request).leave(identity_of(request), entry_id)


@post(
    "/api/waitlist/{entry_id:uuid}/claim",
    responses=problems(*BOOKING_REFUSALS, errors.NotOffered, errors.OfferExpired, errors.OwnClash),
    opt=documented(headers=("Idempotency-Key",)),
    tags=["waitlist"],
    summary="Claim an offer",
)
async def claim(
    request: Request[Any, Any, Any], entry_id: FromPath[UUID], data: JSONBody[NewClaim | None] = None
) -> Response[BookingView]:
    """Book what is offered, before its deadline. Refused, the offer stays as it is."""
    identity = identity_of(request)
    wanted = data or NewClaim()
    key = idempotency_of(request, identity, "POST /api/waitlist/{id}/claim", (str(entry_id), wanted), 201)
    outcome = await _waitlist(request).claim(identity, entry_id, wanted.expected_total, key)
    return await answer_booking(request, outcome, 201)


handlers = [join, list_entries, look_ahead, leave, claim]


def _check_named(wish: NewEntry | PlaceQuery) -> None:
    if (wish.court_id is None) == (wish.kind is None):
        raise InvalidRequest("Name a court or a kind, one of the two.", field="court_id")
    if wish.court_id is not None and wish.club is not None:
        raise InvalidRequest("A court needs no club: it has one.", field="club")


def _waitlist(request: Request[Any, Any, Any]) -> Waitlist:
    waitlist: Waitlist = request.app.state.waitlist
    return waitlist


def _joined(accepted: Accepted, catalogue: Catalogue, status: int) -> tuple[EntryView, int]:
    if accepted.entry is None or accepted.position is None:
        raise AssertionError("unreachable: joining is accepted with an entry and its place")
    return entry_view(accepted.entry, accepted.position, catalogue), status
