"""/api/admin/reports: how a stretch of days was used."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import msgspec
from litestar import get

from server.domain import errors
from server.domain.errors import BadDuration, BadTime
from server.domain.slots import local_day
from server.edge.admin.wire import AnyRequest
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import LocalDay, documented, query_of, within_years
from server.usecases.reports import Use, report

MOST_DAYS = 366


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First and last local day, both included; the last 28 days if left out."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    first: LocalDay | None = msgspec.field(name="from", default=None)
    last: LocalDay | None = msgspec.field(name="to", default=None)


class CourtUse(msgspec.Struct, frozen=True, kw_only=True):
    """Confirmed bookings of a court. `total` is what they cost, coach and equipment included, in minor units."""

    court_id: int
    name: str | None
    """Null where the court was retired since."""
    bookings: int
    minutes: int
    share: float | None
    """Of the open time, from 0 to 1; null where the club was closed."""
    total: int


class CoachUse(msgspec.Struct, frozen=True, kw_only=True):
    """Confirmed bookings with a coach."""

    coach_id: int
    name: str | None
    bookings: int
    minutes: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts that were noted in these days, in minor units."""

    due: int = 0
    paid: int = 0
    refund: int = 0
    fee: int = 0


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """How often something happened in these days."""

    confirmed: int
    cancelled: int
    moved: int
    waitlisted: int
    offered: int
    promoted: int
    expired: int
    left: int


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """How a stretch of days was used. Bookings count on the day they start."""

    club: str
    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    currency: str
    open_minutes: int
    """Of each court, by the opening hours as they are now."""
    courts: list[CourtUse]
    coaches: list[CoachUse]
    events: Events
    ledger: Ledger


@get(
    "/api/admin/reports/usage",
    responses=problems(errors.Forbidden, errors.NotFound, errors.BadTime, errors.BadDuration),
    opt=documented(query=ReportQuery),
    tags=["admin"],
    summary="How courts and coaches were used",
)
async def usage(request: AnyRequest) -> ReportView:
    """Bookings, hours, money and the waitlist over some days. For staff."""
    query = query_of(request, ReportQuery)
    club = await request.app.state.catalogues.by_slug(query.club)
    require_staff(request, club.club_id)
    last = within_years(query.last or local_day(request.app.state.context.clock(), club.tz), "to")
    first = within_years(query.first or last - timedelta(days=27), "from")
    if last < first:
        raise BadTime("The last day must not be before the first.", field="to")
    if (last - first).days >= MOST_DAYS:
        raise BadDuration(f"Ask for at most {MOST_DAYS} days at a time.", field="to")
    found = await report(request.app.state.context, club, first, last)
    courts = {court.id: court.name for court in club.courts}
    coaches = {coach.id: coach.name for coach in club.coaches}
    return ReportView(
        club=club.slug,
        first=first,
        last=last,
        currency=club.currency,
        open_minutes=found.open_minutes,
        courts=[
            CourtUse(
                court_id=court,
                name=courts.get(court),
                bookings=use.bookings,
                minutes=use.minutes,
                share=round(use.minutes / found.open_minutes, 4) if found.open_minutes else None,
                total=use.total,
            )
            for court, use in _all(courts, found.courts)
        ],
        coaches=[
            CoachUse(coach_id=coach, name=coaches.get(coach), bookings=use.bookings, minutes=use.minutes)
            for coach, use in _all(coaches, found.coaches)
        ],
        events=Events(**found.events),
        ledger=Ledger(**found.ledger),
    )


handlers = [usage]


def _all(names: dict[int, str], used: dict[int, Use]) -> list[tuple[int, Use]]:
    """Those that are there now, in their order, unused ones too; then those that were retired since."""
    return [(each, used.get(each, Use())) for each in [*names, *sorted(used.keys() - names.keys())]]
