"""Clubs, courts and instants for the tests of the domain."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from server.domain.catalogue import Catalogue, Coach, Court, Equipment, Policy, PricingRule, Window
from server.domain.slots import MINUTE, Interval, parse_instant

LONDON = ZoneInfo("Europe/London")

# Days on which clocks change, per zone: an hour, half an hour (Lord Howe), at midnight (Sao Paulo, Havana), one
# minute after it (St John's until 2011), a day that does not exist (Apia), and a zone with a quarter-hour offset.
ODD_DAYS = {
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "America/St_Johns": (date(2010, 3, 14), date(2010, 11, 7), date(2026, 3, 8), date(2026, 11, 1)),
    "Asia/Kathmandu": (date(2026, 7, 1),),
    "America/Sao_Paulo": (date(2017, 10, 15), date(2018, 2, 18)),
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),
    "Pacific/Apia": (date(2011, 12, 30),),
}
ODD = [(ZoneInfo(name), day) for name, days in ODD_DAYS.items() for day in days]

EVERY_DAY: dict[int, tuple[Window, ...]] = {day: (Window(7 * 60, 23 * 60),) for day in range(7)}
ALWAYS: dict[int, tuple[Window, ...]] = {day: (Window(0, 24 * 60),) for day in range(7)}

PEAK = PricingRule(id=1, name="Peak", weekdays=(0, 1, 2, 3, 4), from_minute=18 * 60, to_minute=21 * 60, value=2000)
WEEKEND = PricingRule(id=2, name="Weekend", weekdays=(5, 6), value=1500)
INDOOR = PricingRule(id=3, name="Indoor", indoor=True, value=2500)


def court(number: int = 1, **changes: Any) -> Court:
    """An indoor court at 24.00 an hour."""
    values: dict[str, Any] = {
        "id": number,
        "resource_id": number,
        "units": (number,),
        "name": f"Court {number}",
        "kind": "tennis",
        "indoor": True,
        "surface": "hard",
        "base_rate": 2400,
    }
    return Court(**{**values, **changes})


ANNA = Coach(id=1, resource_id=11, name="Anna", rate=3000, hours={1: (Window(9 * 60, 17 * 60),)})
RACKETS = Equipment(id=1, resource_id=21, name="Rackets", quantity=10, price=300)
BALLS = Equipment(id=2, resource_id=22, name="Ball machine", quantity=1, price=1001, per="hour")


def club(**changes: Any) -> Catalogue:
    """A club like the demo: London, open 07:00 to 23:00, half hours, 60 days ahead; no price rules."""
    values: dict[str, Any] = {
        "club_id": 1,
        "slug": "riverside",
        "name": "Riverside",
        "zone": "Europe/London",
        "currency": "GBP",
        "grid_visibility": "public",
        "epoch": "e",
        "config_version": 1,
        "policy": Policy(),
        "stacking": "additive",
        "courts": (court(1), court(2, indoor=False)),
        "coaches": (ANNA,),
        "equipment": (RACKETS, BALLS),
        "hours": EVERY_DAY,
        "exceptions": {},
        "rules": (),
    }
    return Catalogue(**{**values, **changes})


def at(text: str, tz: ZoneInfo = LONDON) -> datetime:
    """An instant, written as local time."""
    return parse_instant(text, tz)


def slot(text: str, until: str, tz: ZoneInfo = LONDON) -> Interval:
    """`slot("2026-12-01T10:00", "11:30")`, or with a whole second date and time."""
    return Interval(at(text, tz), at(until if "T" in until else f"{text[:10]}T{until}", tz))


def utc(text: str) -> datetime:
    """An instant, written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def odd_slots(draw: st.DrawFn, longest: int = 26 * 60, step: int = 1) -> tuple[ZoneInfo, Interval]:
    """A zone and an interval of whole minutes around one of its odd days."""
    tz, day = draw(st.sampled_from(ODD))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    start = noon + draw(st.integers(-48 * 60 // step, 48 * 60 // step)) * step * MINUTE
    return tz, Interval(start, start + draw(st.integers(1, longest // step)) * step * MINUTE)


def minutes_of(interval: Interval) -> list[datetime]:
    """The instant at which each minute of the interval begins."""
    return [interval.start + n * MINUTE for n in range(interval.minutes)]
