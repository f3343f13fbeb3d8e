"""/api/availability: what is free for an interval, and what it costs. /api/coaches/free: when coaches are."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get

from server.context import Context
from server.domain import errors
from server.domain.availability import Availability, FreeCourt, free_times, left_of, offered
from server.domain.errors import BadDuration, BadTime
from server.domain.grid import DayState, same_during, taken_of
from server.domain.pricing import Price
from server.domain.slots import DAY, Interval, days_of, isoformat, parse_instant
from server.edge.answers import Encoded
from server.edge.bodies import Bodies
from server.edge.errors import problems
from server.edge.grid import GridQuery, Slug, asked_day
from server.edge.identity import identity_of, may_see
from server.edge.requests import Moment, documented, query_of
from server.usecases.catalogue import Catalogues
from server.usecases.occupancy import Occupancy

LONGEST = timedelta(days=2)

_encoder = msgspec.json.Encoder()


# -- wire ---------------------------------------------------------------------------------------------------


class CourtView(msgspec.Struct, frozen=True):
    """A court that is free for all of the interval. `refusal` is the code that a booking of just this interval
    would meet (its length, start, the horizon or a gap), or null where it can be booked."""

    id: int
    name: str
    indoor: bool
    kind: str
    surface: str
    price: Price
    bookable: bool
    refusal: str | None


class CoachView(msgspec.Struct, frozen=True):
    """A coach who is free for all of the interval; the price is in minor units."""

    id: int
    name: str
    price: int


class EquipmentView(msgspec.Struct, frozen=True):
    """How many of a pool are left at every moment of the interval; the price of one is in minor units."""

    id: int
    name: str
    quantity: int
    remaining: int
    price: int


class AvailabilityView(msgspec.Struct, frozen=True):
    """What is free for the interval."""

    club: str
    start_ts: str
    end_ts: str
    currency: str
    courts: list[CourtView]
    coaches: list[CoachView]
    equipment: list[EquipmentView]


class _AvailabilityBody(msgspec.Struct, frozen=True):
    """An `AvailabilityView` whose courts are encoded already."""

    club: str
    start_ts: str
    end_ts: str
    currency: str
    courts: list[msgspec.Raw]
    coaches: list[CoachView]
    equipment: list[EquipmentView]


class CoachTimes(msgspec.Struct, frozen=True):
    """When a coach works and is free: intervals in order, RFC 3339."""

    id: int
    name: str
    free: list[tuple[str, str]]


class CoachesTimes(msgspec.Struct, frozen=True):
    """When the club's coaches are free on a local day."""

    items: list[CoachTimes]
    next: None = None


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which interval."""

    start_ts: Moment
    end_ts: Moment
    club: Slug | None = None


# -- handler ------------------------------------------------------------------------------------------------


@get(
    "/api/availability",
    responses=problems(errors.NotFound, errors.BadTime, errors.BadDuration),
    opt=documented(query=AvailabilityQuery),
    tags=["grid"],
    summary="What is free",
)
async def availability(request: Request[Any, Any, Any]) -> Response[AvailabilityView]:
    """Courts, coaches and equipment that are free for all of the interval, with their prices."""
    query = query_of(request, AvailabilityQuery)
    catalogues: Catalogues = request.app.state.catalogues
    identity = identity_of(request)
    catalogue = await catalogues.by_slug(query.club)
    interval, days = _asked(query, catalogue.tz)
    occupancy: Occupancy = request.app.state.occupancy
    catalogue, states = await occupancy.days(catalogue.club_id, days)
    may_see(request, catalogue)
    context: Context = request.app.state.context
    now = context.clock()
    bodies: Bodies = request.app.state.bodies
    tier, staff = identity.tier_in(catalogue.club_id), identity.is_staff_of(catalogue.club_id)
    # Rules look at whole minutes, so within one minute the answer changes with the states alone. Times that are
    # written alike are the same times for the same catalogue.
    asked = (catalogue.club_id, query.start_ts, query.end_ts, int(now.timestamp()) // 60, tier, staff)

    def answer() -> Encoded:
        offer = bodies.of(
            ("offer", *asked),
            (catalogue,),
            lambda: _Offer(offered(catalogue, interval, now=now, tier=tier, staff=staff)),
        )
        taken = bodies.of(("taken", catalogue.club_id, states[0].day), tuple(states), lambda: taken_of(states))
        left = left_of(offer.parts, catalogue, taken, interval, now=now, staff=staff)
        body = _encoder.encode(
            _AvailabilityBody(
                catalogue.slug,
                isoformat(interval.start, catalogue.tz),
                isoformat(interval.end, catalogue.tz),
                catalogue.currency,
                [offer.encoded(free) for free in left.courts],
                [CoachView(free.coach.id, free.coach.name, free.price) for free in left.coaches],
                [
                    EquipmentView(part.id, part.name, part.quantity, free.remaining, free.price)
                    for free in left.equipment
                    for part in (free.equipment,)
                ],
            )
        )
        return Encoded(body, headers={"Cache-Control": "no-store"})

    def same(old: object, new: object) -> bool:
        if old is new:
            return True
        # Whether a booking would leave a gap depends on what is taken before and after.
        if catalogue.policy.refuse_gaps or not isinstance(old, DayState) or not isinstance(new, DayState):
            return False
        return same_during(old, new, interval)

    return bodies.of(("availability", *asked), (catalogue, *states), answer, same=same)


@lru_cache(maxsize=4096)
def _asked(query: AvailabilityQuery, tz: ZoneInfo) -> tuple[Interval, tuple[date, ...]]:
    """The interval that a query names, and the local days that it touches."""
    interval = Interval(
        parse_instant(query.start_ts, tz, field="start_ts"), parse_instant(query.end_ts, tz, field="end_ts")
    )
    if interval.end <= interval.start:
        raise BadTime("The end must be after the start.", field="end_ts")
    if interval.end - interval.start > LONGEST:
        raise BadDuration("Ask for at most two days at a time.", field="end_ts")
    return interval, tuple(days_of(interval, tz))


@get(
    "/api/coaches/free",
    responses=problems(errors.NotFound, errors.BadTime),
    opt=documented(query=GridQuery),
    tags=["grid"],
    summary="When coaches are free",
)
async def coaches_free(request: Request[Any, Any, Any]) -> Response[CoachesTimes]:
    """When each of the club's coaches works and is not taken on a local day, or in the night that follows it."""
    identity_of(request)
    query = query_of(request, GridQuery)
    catalogues: Catalogues = request.app.state.catalogues
    catalogue = await catalogues.by_slug(query.club)
    may_see(request, catalogue)
    day = asked_day(request, catalogue, query.date)
    occupancy: Occupancy = request.app.state.occupancy
    catalogue, states = await occupancy.days(catalogue.club_id, [day, day + DAY])
    tz = catalogue.tz
    items = [
        CoachTimes(coach.id, coach.name, [(isoformat(part.start, tz), isoformat(part.end, tz)) for part in free])
        for coach, free in free_times(catalogue, taken_of(states), day)
    ]
    return Encoded(_encoder.encode(CoachesTimes(items)), headers={"Cache-Control": "no-store"})


class _Offer:
    """What a club has to give for an interval, its courts encoded: each booking takes some away and prices none anew."""

    def __init__(self, parts: Availability) -> None:
        self.parts = parts
        self._courts = {id(free): _court(free) for free in parts.courts}

    def encoded(self, free: FreeCourt) -> msgspec.Raw:
        """A court as it is told."""
        return self._courts.get(id(free)) or _court(free)


def _court(free: FreeCourt) -> msgspec.Raw:
    court, refusal = free.court, free.refusal
    code = refusal.code if refusal is not None else None
    view = CourtView(
        court.id,
        court.name,
        court.indoor,
        court.kind,
        court.surface,
        free.price,
        bookable=refusal is None,
        refusal=code,
    )
    return msgspec.Raw(_encoder.encode(view))


handlers = [availability, coaches_free]
