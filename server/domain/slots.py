"""Time: half-open intervals of instants, and the club's local days and wall clock (DOMAIN 1, 2).

Instants are aware datetimes in UTC. A local day is a date of the club's zone; days divide time without holes or
overlaps, and each begins at the first instant that the wall clock shows its midnight (or, where midnight is
skipped, at the first instant after it). A minute of a local day is what the wall clock shows, so that opening
hours and price windows follow it through DST.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from server.domain.catalogue import MINUTES_PER_DAY, Window
from server.domain.errors import BadTime, InvalidRequest

FIRST_YEAR = 2000
LAST_YEAR = 2200
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Extended ISO 8601 / RFC 3339 with or without offset. A blank before the offset is a '+' that a query string
# turned into one. Python's own parser takes more (dates alone, week dates, any separator), hence the check.
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?P<hour>\d\d):\d\d(?::\d\d(?:[.,]\d{1,6}(?P<finer>\d{1,3})?)?)?"
    r"(?P<offset>[Zz]|[-+ ]\d\d(?::?\d\d)?)?",
    re.ASCII,
)


class Interval(msgspec.Struct, frozen=True, order=True):
    """The instants from `start` up to and without `end`: back-to-back intervals do not overlap (DOMAIN 1)."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share an instant."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Interval) -> bool:
        """Whether all of `other` lies in this."""
        return self.start <= other.start and other.end <= self.end

    @property
    def minutes(self) -> int:
        """Elapsed whole minutes."""
        elapsed = self.end - self.start
        return elapsed.days * MINUTES_PER_DAY + elapsed.seconds // 60


ALWAYS = Interval(datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
"""All time that can be written, with a day to spare at each end."""


def parse_instant(text: str, tz: ZoneInfo, *, field: str | None = None) -> datetime:
    """The instant, in UTC, that a date and time in ISO 8601 (RFC 3339) form means.

    Without an offset it is the wall clock of `tz`; a local time that occurs twice is the first of the two.
    Raises `InvalidRequest` for what is no date and time, `BadTime` for one that cannot be: not in the calendar,
    skipped by the clock change, outside the years 2000 to 2200, or finer than microseconds, which nothing here keeps.
    """
    match = _DATETIME.fullmatch(text) if len(text) <= 40 else None
    if match is None:
        raise InvalidRequest("Write a date and time such as 2026-12-01T10:00:00+00:00.", field=field)
    # Python would cut them off. Clients whose clocks have nine digits write zeros.
    if (match["finer"] or "").strip("0"):
        raise BadTime("Write fractions of a second with six digits at most.", field=field)
    offset = match["offset"]
    if offset is not None and offset[0] in " z":
        body = text[: match.start("offset")]
        text = body + ("Z" if offset == "z" else "+" + offset[1:])
    try:
        written = datetime.fromisoformat(text.upper())
    except ValueError:
        raise BadTime("There is no such date and time in the calendar.", field=field) from None
    # Newer Pythons read 24:00 as the next midnight; one answer everywhere.
    if match["hour"] == "24":
        raise BadTime("There is no such date and time in the calendar.", field=field)
    if not FIRST_YEAR <= written.year <= LAST_YEAR:
        raise BadTime(f"Write a time in the years {FIRST_YEAR} to {LAST_YEAR}.", field=field)
    if written.tzinfo is not None:
        instant = written.astimezone(UTC)
    else:
        instant = written.replace(tzinfo=tz).astimezone(UTC)
        if instant.astimezone(tz).replace(tzinfo=None, fold=0) != written:
            raise BadTime("The clocks go forward over that local time: it does not exist on that day.", field=field)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise BadTime(f"Write a time in the years {FIRST_YEAR} to {LAST_YEAR}.", field=field)
    return instant


def isoformat(instant: datetime, tz: ZoneInfo) -> str:
    """The instant as ISO 8601 on the wall clock of `tz`, with its offset."""
    return instant.astimezone(tz).isoformat()


def local_day(instant: datetime, tz: ZoneInfo) -> date:
    """The local day that the instant belongs to: `day_interval` of it holds the instant."""
    local = instant.astimezone(tz)
    day = local.date()
    # A clock set back over midnight shows the old date again (St John's until 2011); the day has begun all the same.
    if local.fold and instant >= at_minute(day + DAY, 0, tz):
        return day + DAY
    return day


def local_minute(instant: datetime, tz: ZoneInfo) -> int:
    """What the wall clock shows at the instant, in minutes from midnight."""
    local = instant.astimezone(tz)
    return local.hour * 60 + local.minute


@lru_cache(maxsize=16384)
def at_minute(day: date, minute: int, tz: ZoneInfo) -> datetime:
    """The instant at which the wall clock shows that minute of the local day; above 1440 it is of a later day.

    A minute that the clocks skip is as much later as the clocks jump; one that occurs twice is the first.
    """
    wall = datetime.combine(day, time.min) + timedelta(minutes=minute)
    return wall.replace(tzinfo=tz).astimezone(UTC)


@lru_cache(maxsize=16384)
def day_interval(day: date, tz: ZoneInfo) -> Interval:
    """The local day, midnight to midnight: mostly 24 hours, empty where a zone skipped the day."""
    return Interval(at_minute(day, 0, tz), at_minute(day, MINUTES_PER_DAY, tz))


def days_of(interval: Interval, tz: ZoneInfo) -> list[date]:
    """The local days that the interval touches, in order; none if it is empty."""
    if interval.end <= interval.start:
        return []
    day = local_day(interval.start, tz)
    if interval.end <= day_interval(day, tz).end:
        return [day]
    days = []
    while day_interval(day, tz).start < interval.end:
        if day_interval(day, tz).minutes:
            days.append(day)
        day += DAY
    return days


def window_interval(day: date, window: Window, tz: ZoneInfo) -> Interval | None:
    """The window of that local day as instants; None where the clock change leaves nothing of it."""
    start, end = at_minute(day, window.opens, tz), at_minute(day, window.closes, tz)
    return Interval(start, end) if start < end else None


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as disjoint intervals in order, overlapping and touching ones joined."""
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if interval.end <= interval.start:
            continue
        if joined and interval.start <= joined[-1].end:
            if interval.end > joined[-1].end:
                joined[-1] = Interval(joined[-1].start, interval.end)
        else:
            joined.append(interval)
    return joined


def without(intervals: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """What is left of disjoint intervals in order where others are taken."""
    left = list(intervals)
    for gone in taken:
        cut = []
        for part in left:
            cut += [Interval(part.start, min(part.end, gone.start)), Interval(max(part.start, gone.end), part.end)]
        left = [part for part in cut if part.start < part.end]
    return left


def stretches(interval: Interval, tz: ZoneInfo) -> list[tuple[datetime, int]]:
    """The interval, in whole minutes, cut where the clocks change: (naive wall clock at its start, elapsed minutes).

    Within a stretch the wall clock runs evenly.
    """
    cut: list[tuple[datetime, int]] = []
    start = interval.start
    while start < interval.end:
        local = start.astimezone(tz)
        # No zone changes its clocks twice within a day, so equal offsets at both ends mean none in between.
        low, high = 0, min(Interval(start, interval.end).minutes, MINUTES_PER_DAY)
        if high == 0:
            break
        if (start + high * MINUTE).astimezone(tz).utcoffset() != local.utcoffset():
            while high - low > 1:
                middle = (low + high) // 2
                if (start + middle * MINUTE).astimezone(tz).utcoffset() == local.utcoffset():
                    low = middle
                else:
                    high = middle
        cut.append((local.replace(tzinfo=None, fold=0), high))
        start += high * MINUTE
    return cut
