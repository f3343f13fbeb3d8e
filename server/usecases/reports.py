"""What staff read about a club: how a stretch of days was used."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from server.context import Context
from server.domain import policy
from server.domain.catalogue import Catalogue
from server.domain.slots import Interval, day_interval
from server.sql import reports as sql
from server.sql.connection import acquire

COUNTED = ("confirmed", "cancelled", "moved", "waitlisted", "offered", "promoted", "expired", "left")


class Use(msgspec.Struct, frozen=True):
    """How much of a court or a coach was booked; `total` is what these bookings cost, in minor units."""

    bookings: int = 0
    minutes: int = 0
    total: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of days. Bookings belong to the day that they start on, events and money to when they were noted."""

    open_minutes: int
    """By the opening hours as they are now; for each court."""
    courts: dict[int, Use]
    coaches: dict[int, Use]
    events: dict[str, int]
    """How often what was done, by the audit trail."""
    ledger: dict[str, int]
    """Minor units that became due, were paid or refunded, by kind."""


async def report(context: Context, catalogue: Catalogue, first: date, last: date) -> Report:
    """How the days from `first` to `last`, both included, were used. One state of the database throughout."""
    interval = Interval(day_interval(first, catalogue.tz).start, day_interval(last, catalogue.tz).end)
    club = catalogue.club_id
    async with acquire(context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        courts = await sql.sum_by_court(conn, club, interval)
        coaches = await sql.sum_by_coach(conn, club, interval)
        events = await sql.count_events(conn, club, interval, list(COUNTED))
        ledger = await sql.sum_ledger(conn, club, interval)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return Report(
        open_minutes=sum(part.minutes for day in days for part in policy.open_intervals(catalogue, day)),
        courts={row["court_id"]: Use(row["bookings"], row["minutes"], row["total"]) for row in courts},
        coaches={row["coach_id"]: Use(row["bookings"], row["minutes"]) for row in coaches},
        events=dict.fromkeys(COUNTED, 0) | {row["event_type"]: row["events"] for row in events},
        ledger={row["kind"]: row["amount"] for row in ledger},
    )
