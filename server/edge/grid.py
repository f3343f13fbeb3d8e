"""/api/grid, /api/days, /api/prices and /api/availability: what is taken, what is free, and what it costs."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get

from server.context import Context
from server.domain import errors
from server.domain.availability import Availability, available
from server.domain.catalogue import Catalogue, Court
from server.domain.errors import BadDuration, BadTime
from server.domain.grid import DayState, Row, etag_of, fullness, open_of, row_of, taken_of
from server.domain.people import Identity
from server.domain.pricing import Price, court_prices
from server.domain.slots import FIRST_YEAR, LAST_YEAR, Interval, days_of, isoformat, local_day, parse_instant
from server.edge.answers import Encoded, revalidated
from server.edge.bookings import Moment
from server.edge.errors import problems
from server.edge.identity import identity_of, may_see
from server.edge.requests import documented, query_of
from server.usecases.catalogue import Catalogues
from server.usecases.occupancy import Occupancy

LONGEST_AVAILABILITY = timedelta(days=2)
MOST_DAYS = 62
KEPT_BODIES = 4096
KEPT_DAYS = 512

RowMark = tuple[str, int, int]
"""Epoch, config_version and version: what makes a court's row the one it is."""

Slug = Annotated[str, msgspec.Meta(max_length=100, description="The club; the first one if left out.")]
Day = Annotated[date, msgspec.Meta(description="A local day of the club.")]


# -- wire ---------------------------------------------------------------------------------------------------


class GridView(msgspec.Struct, frozen=True):
    """A club-day: its opening hours and a row for every court. Rows are as in the live protocol."""

    club: str
    date: date
    epoch: str
    config: int
    open: list[tuple[str, str]]
    rows: list[Row]


class _GridBody(msgspec.Struct, frozen=True):
    """A `GridView` whose rows are encoded already."""

    club: str
    date: date
    epoch: str
    config: int
    open: list[tuple[str, str]]
    rows: list[msgspec.Raw]


class DayView(msgspec.Struct, frozen=True):
    """A local day: when the club is open, and which share of its court time is taken (0 to 1)."""

    date: date
    open: list[tuple[str, str]]
    full: float
    config_version: int


class DaysView(msgspec.Struct, frozen=True):
    """Days in order."""

    items: list[DayView]
    next: None = None


class StartPrice(msgspec.Struct, frozen=True):
    """What the court's shortest booking costs from this start, in minor units."""

    start_ts: str
    total: int


class CourtPrices(msgspec.Struct, frozen=True):
    """The prices of one court for its shortest booking, by start."""

    court_id: int
    minutes: int
    starts: list[StartPrice]


class PricesView(msgspec.Struct, frozen=True):
    """The prices of a local day."""

    club: str
    date: date
    currency: str
    config_version: int
    items: list[CourtPrices]
    next: None = None


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


class GridQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which club-day; today if left out."""

    club: Slug | None = None
    date: Day | None = None


class DaysQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First and last local day, both included; two weeks from today if left out."""

    club: Slug | None = None
    first: Day | None = msgspec.field(name="from", default=None)
    last: Day | None = msgspec.field(name="to", default=None)


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which interval."""

    start_ts: Moment
    end_ts: Moment
    club: Slug | None = None


# -- handlers -----------------------------------------------------------------------------------------------


@get(
    "/api/grid",
    responses=problems(errors.NotFound, errors.BadTime),
    opt=documented(query=GridQuery, headers=("If-None-Match",)),
    tags=["grid"],
    summary="The grid of a day",
)
async def grid(request: Request[Any, Any, Any]) -> Response[GridView]:
    """Every court's day as it is committed at the moment of asking; 304 if it is what If-None-Match names."""
    query = query_of(request, GridQuery)
    catalogue, state = await _day_of(request, query.club, query.date)
    may_see(request, catalogue)
    bodies: Bodies = request.app.state.bodies
    body, etag = bodies.of(("grid", state.club_id, state.day), state, lambda: _grid_body(bodies, catalogue, state))
    return revalidated(request, body, etag, private=_is_private(catalogue))


@get(
    "/api/days",
    responses=problems(errors.NotFound, errors.BadTime, errors.BadDuration),
    opt=documented(query=DaysQuery, headers=("If-None-Match",)),
    tags=["grid"],
    summary="How full the days are",
)
async def days(request: Request[Any, Any, Any]) -> Response[DaysView]:
    """Opening hours and how full each day is, from one day to another."""
    query = query_of(request, DaysQuery)
    catalogue = await _club_of(request, query.club)
    first = _within_years(query.first or _today(request, catalogue), "from")
    last = _within_years(query.last or first + timedelta(days=13), "to")
    if last < first:
        raise BadTime("The last day must not be before the first.", field="to")
    if (last - first).days >= MOST_DAYS:
        raise BadDuration(f"Ask for at most {MOST_DAYS} days at a time.", field="to")
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    occupancy: Occupancy = request.app.state.occupancy
    catalogue, states = await occupancy.days(catalogue.club_id, span)
    may_see(request, catalogue)
    views = [
        DayView(state.day, open_of(catalogue, state.day), fullness(catalogue, state), catalogue.config_version)
        for state in states
    ]
    body, etag = _encoder.encode(DaysView(views)), etag_of(catalogue, states)
    return revalidated(request, body, etag, private=_is_private(catalogue))


@get(
    "/api/prices",
    responses=problems(errors.NotFound, errors.BadTime),
    opt=documented(query=GridQuery, headers=("If-None-Match",)),
    tags=["grid"],
    summary="The prices of a day",
)
async def prices(request: Request[Any, Any, Any]) -> Response[PricesView]:
    """What each court's shortest booking costs, start by start, for whoever asks."""
    query = query_of(request, GridQuery)
    catalogues: Catalogues = request.app.state.catalogues
    catalogue = await catalogues.current((await _club_of(request, query.club)).club_id)
    identity = may_see(request, catalogue)
    day = _within_years(query.date or _today(request, catalogue), "date")
    tier = identity.tier_in(catalogue.club_id) if identity is not None else None
    context: Context = request.app.state.context
    now = context.clock()
    items = [
        CourtPrices(
            court.id,
            court.min_duration or catalogue.policy.min_duration,
            [
                StartPrice(isoformat(start, catalogue.tz), total)
                for start, total in court_prices(catalogue, court, day, now, tier)
            ],
        )
        for court in catalogue.courts
    ]
    body = _encoder.encode(PricesView(catalogue.slug, day, catalogue.currency, catalogue.config_version, items))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return revalidated(request, body, etag, private=tier is not None or _is_private(catalogue))


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
    identity = identity_of(request)
    catalogue = await _club_of(request, query.club)
    interval = Interval(
        parse_instant(query.start_ts, catalogue.tz, field="start_ts"),
        parse_instant(query.end_ts, catalogue.tz, field="end_ts"),
    )
    if interval.end <= interval.start:
        raise BadTime("The end must be after the start.", field="end_ts")
    if interval.end - interval.start > LONGEST_AVAILABILITY:
        raise BadDuration("Ask for at most two days at a time.", field="end_ts")
    occupancy: Occupancy = request.app.state.occupancy
    catalogue, states = await occupancy.days(catalogue.club_id, days_of(interval, catalogue.tz))
    may_see(request, catalogue)
    context: Context = request.app.state.context
    now = context.clock()
    # Rules look at whole minutes, so within one minute the answer changes with the states alone.
    minute = int(now.timestamp()) // 60
    key = ("availability", catalogue.club_id, interval, minute, *_standing(identity, catalogue))
    bodies: Bodies = request.app.state.bodies
    body, _ = bodies.of(key, tuple(states), lambda: _availability_body(catalogue, states, interval, now, identity))
    return Encoded(body, headers={"Cache-Control": "no-store"})


handlers = [grid, days, prices, availability]


# -- bodies -------------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()


class Bodies:
    """Encoded answers, kept as long as the states that they were made of are the newest ones.

    States are compared by identity: `Occupancy` gives the same object until something is committed.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[object, tuple[object, tuple[bytes, str]]] = OrderedDict()
        self._rows: OrderedDict[tuple[int, date], dict[int, tuple[RowMark, msgspec.Raw]]] = OrderedDict()

    def row_of(self, catalogue: Catalogue, court: Court, state: DayState) -> msgspec.Raw:
        """The encoded row of a court's day; a booking on one court leaves the other rows as they are."""
        day = (state.club_id, state.day)
        rows = self._rows.get(day)
        if rows is None:
            rows = self._rows[day] = {}
            while len(self._rows) > KEPT_DAYS:
                self._rows.popitem(last=False)
        mark = (state.epoch, catalogue.config_version, state.versions.get(court.resource_id, 0))
        kept = rows.get(court.id)
        if kept is None or kept[0] != mark:
            kept = rows[court.id] = (mark, msgspec.Raw(_encoder.encode(row_of(catalogue, court, state))))
        return kept[1]

    def of(self, key: object, made_of: object, make: Callable[[], tuple[bytes, str]]) -> tuple[bytes, str]:
        """The body and ETag under `key` if they were made of this, else what `make` makes."""
        kept = self._kept.get(key)
        if kept is not None and _same(kept[0], made_of):
            return kept[1]
        made = make()
        self._kept[key] = (made_of, made)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_BODIES:
            self._kept.popitem(last=False)
        return made


def _same(old: object, new: object) -> bool:
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))
    return old is new


def _grid_body(bodies: Bodies, catalogue: Catalogue, state: DayState) -> tuple[bytes, str]:
    view = _GridBody(
        catalogue.slug,
        state.day,
        state.epoch,
        catalogue.config_version,
        open_of(catalogue, state.day),
        [bodies.row_of(catalogue, court, state) for court in sorted(catalogue.courts, key=lambda court: court.id)],
    )
    return _encoder.encode(view), etag_of(catalogue, [state])


def _availability_body(
    catalogue: Catalogue, states: list[DayState], interval: Interval, now: datetime, identity: Identity
) -> tuple[bytes, str]:
    tier, staff = _standing(identity, catalogue)
    found = available(catalogue, taken_of(states), interval, now=now, tier=tier, staff=staff)
    return _encoder.encode(_availability_view(catalogue, interval, found)), ""


def _availability_view(catalogue: Catalogue, interval: Interval, found: Availability) -> AvailabilityView:
    return AvailabilityView(
        catalogue.slug,
        isoformat(interval.start, catalogue.tz),
        isoformat(interval.end, catalogue.tz),
        catalogue.currency,
        [
            CourtView(
                free.court.id,
                free.court.name,
                free.court.indoor,
                free.court.kind,
                free.court.surface,
                free.price,
                free.refusal is None,
                free.refusal.code if free.refusal is not None else None,
            )
            for free in found.courts
        ],
        [CoachView(free.coach.id, free.coach.name, free.price) for free in found.coaches],
        [
            EquipmentView(free.equipment.id, free.equipment.name, free.equipment.quantity, free.remaining, free.price)
            for free in found.equipment
        ],
    )


# -- in and out ---------------------------------------------------------------------------------------------


def _standing(identity: Identity, catalogue: Catalogue) -> tuple[str | None, bool]:
    return identity.tier_in(catalogue.club_id), identity.is_staff_of(catalogue.club_id)


async def _club_of(request: Request[Any, Any, Any], slug: str | None) -> Catalogue:
    catalogues: Catalogues = request.app.state.catalogues
    return await catalogues.by_slug(slug)


async def _day_of(request: Request[Any, Any, Any], slug: str | None, day: date | None) -> tuple[Catalogue, DayState]:
    catalogue = await _club_of(request, slug)
    occupancy: Occupancy = request.app.state.occupancy
    return await occupancy.day(catalogue.club_id, _within_years(day or _today(request, catalogue), "date"))


def _today(request: Request[Any, Any, Any], catalogue: Catalogue) -> date:
    context: Context = request.app.state.context
    return local_day(context.clock().astimezone(UTC), catalogue.tz)


def _within_years(day: date, field: str) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadTime(f"Write a day in the years {FIRST_YEAR} to {LAST_YEAR}.", field=field)
    return day


def _is_private(catalogue: Catalogue) -> bool:
    """Whether the answer is not for caches that serve several people."""
    return catalogue.grid_visibility != "public"
