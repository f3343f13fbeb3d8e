"""/api/grid, /api/days and /api/prices: what is taken, how full the days are, and what they cost."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get

from server.context import Context
from server.domain import errors
from server.domain.catalogue import MINUTES_PER_DAY, Catalogue
from server.domain.errors import BadDuration, BadTime
from server.domain.grid import DayState, Row, etag_of, fullness, open_of
from server.domain.pricing import court_prices
from server.domain.slots import isoformat, local_day
from server.edge.answers import Encoded, kept, revalidated
from server.edge.bodies import Bodies
from server.edge.errors import problems
from server.edge.identity import may_see
from server.edge.requests import LocalDay, documented, query_of, within_years
from server.usecases.catalogue import Catalogues
from server.usecases.occupancy import Occupancy

MOST_DAYS = 62

Slug = Annotated[str, msgspec.Meta(max_length=100, description="The club; the first one if left out.")]


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
    """What a booking of the court costs from this start, in minor units."""

    start_ts: str
    total: int


class CourtPrices(msgspec.Struct, frozen=True):
    """The prices of one court for bookings of so many minutes, by start."""

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


class GridQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which club-day; today if left out."""

    club: Slug | None = None
    date: LocalDay | None = None


class PricesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which club-day, today if left out; and how long the bookings are, each court's shortest if left out."""

    club: Slug | None = None
    date: LocalDay | None = None
    minutes: Annotated[int, msgspec.Meta(ge=1, le=MINUTES_PER_DAY)] | None = None


class DaysQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First and last local day, both included; two weeks from today if left out."""

    club: Slug | None = None
    first: LocalDay | None = msgspec.field(name="from", default=None)
    last: LocalDay | None = msgspec.field(name="to", default=None)


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
    answer = bodies.of(("grid", state.club_id, state.day), (state,), lambda: _grid_answer(bodies, catalogue, state))
    return revalidated(request, answer)


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
    first = within_years(query.first or _today(request, catalogue), "from")
    last = within_years(query.last or first + timedelta(days=13), "to")
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
    return revalidated(request, kept(body, etag, private=_is_private(catalogue)))


@get(
    "/api/prices",
    responses=problems(errors.NotFound, errors.BadTime),
    opt=documented(query=PricesQuery, headers=("If-None-Match",)),
    tags=["grid"],
    summary="The prices of a day",
)
async def prices(request: Request[Any, Any, Any]) -> Response[PricesView]:
    """What bookings of one length cost on each court, start by start, for whoever asks.

    Only starts are listed at which the court can be booked for so long, whoever has it already.
    """
    query = query_of(request, PricesQuery)
    catalogues: Catalogues = request.app.state.catalogues
    catalogue = await catalogues.current((await _club_of(request, query.club)).club_id)
    identity = may_see(request, catalogue)
    day = asked_day(request, catalogue, query.date)
    tier = identity.tier_in(catalogue.club_id) if identity is not None else None
    context: Context = request.app.state.context
    now = context.clock()
    items = [
        CourtPrices(
            court.id,
            query.minutes or court.min_duration or catalogue.policy.min_duration,
            [
                StartPrice(isoformat(start, catalogue.tz), total)
                for start, total in court_prices(catalogue, court, day, now, tier, minutes=query.minutes)
            ],
        )
        for court in catalogue.courts
    ]
    body = _encoder.encode(PricesView(catalogue.slug, day, catalogue.currency, catalogue.config_version, items))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return revalidated(request, kept(body, etag, private=tier is not None or _is_private(catalogue)))


handlers = [grid, days, prices]


# -- bodies -------------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()


def _grid_answer(bodies: Bodies, catalogue: Catalogue, state: DayState) -> Encoded:
    view = _GridBody(
        catalogue.slug,
        state.day,
        state.epoch,
        catalogue.config_version,
        open_of(catalogue, state.day),
        [bodies.row_of(catalogue, court, state) for court in sorted(catalogue.courts, key=lambda court: court.id)],
    )
    return kept(_encoder.encode(view), etag_of(catalogue, [state]), private=_is_private(catalogue))


# -- in and out ---------------------------------------------------------------------------------------------


async def _club_of(request: Request[Any, Any, Any], slug: str | None) -> Catalogue:
    catalogues: Catalogues = request.app.state.catalogues
    return await catalogues.by_slug(slug)


async def _day_of(request: Request[Any, Any, Any], slug: str | None, day: date | None) -> tuple[Catalogue, DayState]:
    catalogue = await _club_of(request, slug)
    occupancy: Occupancy = request.app.state.occupancy
    return await occupancy.day(catalogue.club_id, asked_day(request, catalogue, day))


def asked_day(request: Request[Any, Any, Any], catalogue: Catalogue, day: date | None) -> date:
    """The local day that a query's `date` names; today if none. Raises `BadTime`."""
    return within_years(day or _today(request, catalogue), "date")


def _today(request: Request[Any, Any, Any], catalogue: Catalogue) -> date:
    context: Context = request.app.state.context
    return local_day(context.clock().astimezone(UTC), catalogue.tz)


def _is_private(catalogue: Catalogue) -> bool:
    """Whether the answer is not for caches that serve several people."""
    return catalogue.grid_visibility != "public"
