"""The club's booking rules: opening hours, alignment, duration, horizon, gaps, duty and prime time (DOMAIN 3-5, 9, 12).

Each check raises the refusal that names the situation, or returns nothing. What follows from the catalogue alone
is computed once per catalogue and remembered on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from server.domain.catalogue import MINUTES_PER_DAY, Catalogue, Coach, Court, Window
from server.domain.errors import BadDuration, BadTime, LeavesGap, OutsideHorizon, OutsideHours
from server.domain.slots import (
    DAY,
    MINUTE,
    Interval,
    at_minute,
    day_interval,
    days_of,
    local_day,
    local_minute,
    merged,
    stretches,
    window_interval,
)

STAFF_HORIZON_DAYS = 731
"""Staff book ahead of the players' horizon, for two years: what lies beyond is a slip of the pen."""
LONGEST_HORIZON_DAYS = 3660
REMEMBERED = 4096
"""Entries remembered per catalogue and question; a club's year of days and courts, bounded against odd dates."""

K = TypeVar("K")
V = TypeVar("V")


class _Memory:
    """What was computed for one catalogue."""

    __slots__ = ("around", "duty", "open", "starts")

    def __init__(self) -> None:
        self.open: dict[date, tuple[Interval, ...]] = {}
        self.around: dict[date, tuple[Interval, ...]] = {}
        self.starts: dict[tuple[date, int, int], tuple[datetime, ...]] = {}
        self.duty: dict[tuple[int, date], tuple[Coach, tuple[Interval, ...]]] = {}


def _memory(catalogue: Catalogue) -> _Memory:
    try:
        memory: _Memory = catalogue.__dict__["_policy"]
    except KeyError:
        memory = catalogue.__dict__["_policy"] = _Memory()
    return memory


def _remember(store: dict[K, V], key: K, value: V) -> V:
    if len(store) >= REMEMBERED:
        store.clear()
    store[key] = value
    return value


# -- opening hours ------------------------------------------------------------------------------------------


def open_intervals(catalogue: Catalogue, day: date) -> tuple[Interval, ...]:
    """The opening of that local day, merged and in order; the last may run past midnight."""
    store = _memory(catalogue).open
    known = store.get(day)
    return known if known is not None else _remember(store, day, _windows(catalogue, day, catalogue.windows_on(day)))


def bookable_starts(catalogue: Catalogue, court: Court, day: date, minutes: int | None = None) -> list[datetime]:
    """The starts on that local day at which a booking of so many minutes fits in the opening hours, in order; the
    court's shortest booking if none are given, and no starts at all where the court is not booked for so long.
    """
    shortest, longest = durations(catalogue, court)
    if minutes is None:
        minutes = shortest
    elif not shortest <= minutes <= longest or minutes % catalogue.policy.granularity:
        return []
    step = alignment(catalogue, court)
    store = _memory(catalogue).starts
    key = (day, step, minutes)
    known = store.get(key)
    if known is None:
        opening = _open_around(catalogue, day)
        length = minutes * MINUTE
        known = _remember(
            store,
            key,
            tuple(
                start
                for start in _aligned(day_interval(day, catalogue.tz), step, catalogue)
                if any(part.start <= start and start + length <= part.end for part in opening)
            ),
        )
    return list(known)


def durations(catalogue: Catalogue, court: Court) -> tuple[int, int]:
    """The shortest and the longest booking of the court, in elapsed minutes."""
    shortest = catalogue.policy.min_duration if court.min_duration is None else court.min_duration
    longest = catalogue.policy.max_duration if court.max_duration is None else court.max_duration
    return shortest, longest


def alignment(catalogue: Catalogue, court: Court) -> int:
    """Starts on the court are multiples of this many minutes from local midnight, on the wall clock."""
    return court.start_alignment or catalogue.policy.granularity


# -- one slot -----------------------------------------------------------------------------------------------


def check_slot(
    catalogue: Catalogue,
    court: Court,
    interval: Interval,
    *,
    now: datetime,
    tier: str | None,
    staff: bool,
    keeps_start: bool = False,
) -> None:
    """Whether the interval may be booked on the court at all, whoever else has it (DOMAIN 3, 4).

    Staff are bound by everything but the horizon, which for them is two years. With `keeps_start` it is the place of
    a booking that is changed and begins when it did: that may be long past, as long as the end is still to come.
    Raises `BadTime` (not whole minutes, out of order, past, unaligned), `BadDuration`, `OutsideHours` or
    `OutsideHorizon`, in this order.
    """
    start, end = interval.start, interval.end
    if start.second or start.microsecond or end.second or end.microsecond:
        field = "start_ts" if start.second or start.microsecond else "end_ts"
        raise BadTime("Bookings start and end on whole minutes.", field=field)
    if end <= start:
        raise BadTime("The end must be after the start.", field="end_ts")
    granularity = catalogue.policy.granularity
    shortest, longest = durations(catalogue, court)
    minutes = interval.minutes
    if minutes % granularity or not shortest <= minutes <= longest:
        raise BadDuration(
            f"This court is booked for {shortest} to {longest} minutes, in steps of {granularity}.", field="end_ts"
        )
    if keeps_start:
        if end <= now:
            raise BadTime("That end is past. A booking that has begun ends later than now.", field="end_ts")
    # The running slot can still be booked for the rest of it.
    elif start + granularity * MINUTE <= now:
        raise BadTime("That time is past.", field="start_ts")
    tz = catalogue.tz
    step = alignment(catalogue, court)
    if local_minute(start, tz) % step:
        raise BadTime(f"Bookings of this court start every {step} minutes, counted from midnight.", field="start_ts")
    if not is_open(catalogue, interval):
        raise OutsideHours(field="start_ts")
    last = last_bookable_day(catalogue, now, tier)
    if staff:
        last = max(last, local_day(now, tz) + timedelta(days=STAFF_HORIZON_DAYS))
    if end > day_interval(last, tz).end:
        raise OutsideHorizon(
            f"That time is not open for booking yet: bookings must end by the end of {last.isoformat()}.",
            field="end_ts",
        )


def last_bookable_day(catalogue: Catalogue, now: datetime, tier: str | None) -> date:
    """The last local day that a member of that tier may book now (DOMAIN 4).

    Today and the tier's horizon; until today's release minute one day fewer.
    """
    days = horizon_days(catalogue, tier)
    today = local_day(now, catalogue.tz)
    # Compared as instants: on the wall clock a release in an hour that occurs twice would be taken back.
    if now < at_minute(today, catalogue.policy.horizon_release, catalogue.tz):
        days -= 1
    return today + timedelta(days=days)


def horizon_days(catalogue: Catalogue, tier: str | None) -> int:
    """How many days ahead a member of that tier may book."""
    policy = catalogue.policy
    days = policy.horizon_days if tier is None else policy.tier_horizon_days.get(tier, policy.horizon_days)
    return min(days, LONGEST_HORIZON_DAYS)


def end_of_horizon(catalogue: Catalogue, now: datetime, tier: str | None) -> datetime:
    """When bookings of a member of that tier must have ended."""
    return day_interval(last_bookable_day(catalogue, now, tier), catalogue.tz).end


def check_gaps(
    catalogue: Catalogue, court: Court, interval: Interval, busy: Sequence[Interval], *, now: datetime
) -> None:
    """Whether the booking leaves a free gap beside it that is too short for any booking (DOMAIN 5).

    `busy` is what else occupies the court around the interval, in any order; a move leaves its own old place out.
    A gap ends at a neighbour or at the opening. Where alignment and allowed lengths make a gap unavoidable, it is
    not the booking's fault: minutes at an edge that no booking reaches do not count, and a booking is refused only
    if another one in the same free stretch would waste less. Bookings that start within `gap_exempt_minutes` may
    leave any gap. Raises `LeavesGap`.
    """
    policy = catalogue.policy
    if not policy.refuse_gaps or interval.start - now <= policy.gap_exempt_minutes * MINUTE:
        return
    opening = _opening_of(catalogue, interval)
    if opening is None:
        return
    free = Interval(
        max([opening.start, *(taken.end for taken in busy if taken.end <= interval.start)]),
        min([opening.end, *(taken.start for taken in busy if taken.start >= interval.end)]),
    )
    shortest, _ = durations(catalogue, court)
    wasted = _wasted(free, interval, shortest)
    if not wasted:
        return
    fitting = _fitting(catalogue, court, free)
    if not fitting:
        return
    reachable = Interval(min(fitting).start, max(other.end for other in fitting))
    wasted = _wasted(reachable, interval, shortest)
    if any(_wasted(reachable, other, shortest) < wasted for other in fitting):
        raise LeavesGap(field="start_ts")


def cancel_until(catalogue: Catalogue, interval: Interval) -> datetime:
    """The instant until which cancelling that booking is free."""
    return interval.start - catalogue.policy.cancel_deadline * MINUTE


# -- coaches and quotas -------------------------------------------------------------------------------------


def coach_on_duty(catalogue: Catalogue, coach: Coach, interval: Interval) -> bool:
    """Whether the coach works for all of the interval, dated exceptions applied (DOMAIN 9)."""
    # Nearly always one window of the day itself holds the booking.
    day = local_day(interval.start, catalogue.tz)
    for part in _duty(catalogue, coach, day):
        if part.start <= interval.start and interval.end <= part.end:
            return True
    return _covers(lambda each: _duty(catalogue, coach, each), interval, catalogue)


def coach_duty(catalogue: Catalogue, coach: Coach, day: date) -> list[Interval]:
    """When the coach works on that local day and in the night before it, in order."""
    return merged(part for each in (day - DAY, day) for part in _duty(catalogue, coach, each))


def prime_minutes(catalogue: Catalogue, interval: Interval) -> int:
    """How many minutes of the interval are prime time; a window past midnight is of the day on which it begins."""
    prime = catalogue.policy.prime_windows
    if not prime:
        return 0
    parts = _gathered(lambda day: _windows(catalogue, day, prime.get(day.weekday(), ())), interval, catalogue)
    return sum(
        Interval(max(part.start, interval.start), min(part.end, interval.end)).minutes
        for part in parts
        if part.overlaps(interval)
    )


def iso_week(day: date) -> tuple[int, int]:
    """The ISO year and week of the day: weeks begin on Monday."""
    year, week, _ = day.isocalendar()
    return year, week


# -- within -------------------------------------------------------------------------------------------------


def _windows(catalogue: Catalogue, day: date, windows: Iterable[Window]) -> tuple[Interval, ...]:
    found = (window_interval(day, window, catalogue.tz) for window in windows)
    return tuple(merged(interval for interval in found if interval is not None))


def _duty(catalogue: Catalogue, coach: Coach, day: date) -> tuple[Interval, ...]:
    store = _memory(catalogue).duty
    key = (coach.id, day)
    known = store.get(key)
    if known is None or known[0] is not coach:
        windows = coach.exceptions.get(day)
        if windows is None:
            windows = coach.hours.get(day.weekday(), ())
        known = _remember(store, key, (coach, _windows(catalogue, day, windows)))
    return known[1]


def _open_around(catalogue: Catalogue, day: date) -> tuple[Interval, ...]:
    """The opening of yesterday, the day and tomorrow, joined: what a booking from that day to the next can need."""
    store = _memory(catalogue).around
    known = store.get(day)
    if known is None:
        parts = (part for each in (day - DAY, day, day + DAY) for part in open_intervals(catalogue, each))
        known = _remember(store, day, tuple(merged(parts)))
    return known


def _opening_of(catalogue: Catalogue, interval: Interval) -> Interval | None:
    """The opening, joined over the midnights around it, in which the interval lies."""
    around = Interval(interval.start - DAY, interval.end + DAY)
    parts = _gathered(lambda day: open_intervals(catalogue, day), around, catalogue)
    return next((part for part in parts if part.contains(interval)), None)


def is_open(catalogue: Catalogue, interval: Interval) -> bool:
    day = local_day(interval.start, catalogue.tz)
    for part in _open_around(catalogue, day):
        if part.start <= interval.start and interval.end <= part.end:
            return True
    if interval.end <= day_interval(day + DAY, catalogue.tz).end:
        return False
    return _covers(lambda each: open_intervals(catalogue, each), interval, catalogue)


def _gathered(of_day: Callable[[date], Iterable[Interval]], interval: Interval, catalogue: Catalogue) -> list[Interval]:
    """What `of_day` gives for the touched days and the one before (its windows may run past midnight), joined."""
    days = days_of(interval, catalogue.tz)
    if not days:
        return []
    return merged(part for day in (days[0] - DAY, *days) for part in of_day(day))


def _covers(of_day: Callable[[date], Iterable[Interval]], interval: Interval, catalogue: Catalogue) -> bool:
    return any(part.contains(interval) for part in _gathered(of_day, interval, catalogue))


def _wasted(free: Interval, booked: Interval, shortest: int) -> int:
    """The minutes of the free stretch that the booking leaves in gaps too short for another."""
    gaps = (Interval(free.start, booked.start).minutes, Interval(booked.end, free.end).minutes)
    return sum(gap for gap in gaps if 0 < gap < shortest)


def _fitting(catalogue: Catalogue, court: Court, free: Interval) -> list[Interval]:
    """Every booking of the court that alignment and allowed lengths permit in the free stretch."""
    shortest, longest = durations(catalogue, court)
    granularity = catalogue.policy.granularity
    return [
        Interval(start, start + minutes * MINUTE)
        for start in _aligned(free, alignment(catalogue, court), catalogue)
        for minutes in range(-(-shortest // granularity) * granularity, longest + 1, granularity)
        if start + minutes * MINUTE <= free.end
    ]


def _aligned(interval: Interval, step: int, catalogue: Catalogue) -> list[datetime]:
    """The instants of the interval at which the wall clock shows a multiple of `step` minutes."""
    found: list[datetime] = []
    begin = interval.start
    for wall, minutes in stretches(interval, catalogue.tz):
        shown = wall.hour * 60 + wall.minute
        # Midnight starts the count anew, also where `step` does not divide the day.
        minute = min(shown + -shown % step, MINUTES_PER_DAY)
        while minute < shown + minutes:
            found.append(begin + (minute - shown) * MINUTE)
            minute = min(minute + step, (minute // MINUTES_PER_DAY + 1) * MINUTES_PER_DAY)
        begin += minutes * MINUTE
    return found
