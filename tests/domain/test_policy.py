"""The club's rules: hours, alignment, length, horizon, gaps, duty and prime time, through odd days too."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.domain import policy
from server.domain.catalogue import Catalogue, Coach, Court, Policy, Window
from server.domain.errors import BadDuration, BadTime, LeavesGap, OutsideHorizon, OutsideHours, Refusal
from server.domain.policy import (
    bookable_starts,
    cancel_until,
    check_gaps,
    check_slot,
    coach_on_duty,
    iso_week,
    last_bookable_day,
    open_intervals,
    prime_minutes,
)
from server.domain.slots import DAY, MINUTE, Interval, day_interval, local_day, local_minute, window_interval

from .builders import ALWAYS, ANNA, EVERY_DAY, LONDON, ODD, at, club, court, minutes_of, odd_slots, slot, utc

CLUB = club()
NOW = at("2026-12-01T08:10")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def check(
    interval: Interval,
    *,
    of: Catalogue = CLUB,
    on: Court | None = None,
    now: datetime = NOW,
    tier: str | None = None,
    staff: bool = False,
) -> None:
    check_slot(of, on or of.courts[0], interval, now=now, tier=tier, staff=staff)


# -- time and length ----------------------------------------------------------------------------------------


def test_a_plain_hour_may_be_booked() -> None:
    check(slot("2026-12-01T10:00", "11:00"))


@pytest.mark.parametrize(("start", "end"), [("2026-12-01T10:00:30", "11:00:30"), ("2026-12-01T10:00", "11:00:00.5")])
def test_seconds_are_refused(start: str, end: str) -> None:
    with pytest.raises(BadTime, match="whole minutes"):
        check(slot(start, end))


@pytest.mark.parametrize("end", ["10:00", "09:00"])
def test_an_end_that_is_not_after_the_start_is_refused(end: str) -> None:
    with pytest.raises(BadTime, match="after the start") as refusal:
        check(slot("2026-12-01T10:00", end))
    assert refusal.value.field == "end_ts"


@pytest.mark.parametrize("end", ["10:15", "10:45", "14:30"])
def test_a_length_that_is_no_multiple_or_too_long_is_refused(end: str) -> None:
    with pytest.raises(BadDuration, match="30 to 240 minutes, in steps of 30"):
        check(slot("2026-12-01T10:00", end))


def test_a_court_may_have_lengths_of_its_own() -> None:
    short, long = court(min_duration=60), court(max_duration=300)
    check(slot("2026-12-01T10:00", "15:00"), on=long)
    check(slot("2026-12-01T10:00", "11:00"), on=short)
    with pytest.raises(BadDuration):
        check(slot("2026-12-01T10:00", "10:30"), on=short)


def test_ten_years_are_too_long() -> None:
    with pytest.raises(BadDuration):
        check(slot("2026-12-01T10:00", "2036-12-01T10:00"))


def test_the_running_slot_can_be_booked_until_its_granule_is_over() -> None:
    interval = slot("2026-12-01T10:00", "11:00")
    check(interval, now=at("2026-12-01T10:29:59"))
    with pytest.raises(BadTime, match="past"):
        check(interval, now=at("2026-12-01T10:30"))


# -- alignment ----------------------------------------------------------------------------------------------


def test_a_start_off_the_grid_is_refused() -> None:
    with pytest.raises(BadTime, match="every 30 minutes"):
        check(slot("2026-12-01T10:15", "11:15"))


def test_a_court_may_have_an_alignment_of_its_own() -> None:
    hourly = court(start_alignment=60)
    check(slot("2026-12-01T10:00", "10:30"), on=hourly)
    with pytest.raises(BadTime, match="every 60 minutes"):
        check(slot("2026-12-01T10:30", "11:00"), on=hourly)


@pytest.mark.parametrize("day", ["2026-10-04", "2026-04-05"])
def test_starts_follow_the_wall_clock_where_clocks_change_by_half_an_hour(day: str) -> None:
    hourly = court(start_alignment=60)
    lord_howe = club(zone="Australia/Lord_Howe")
    now = at(f"{day}T00:00", LORD_HOWE)
    check(slot(f"{day}T10:00", "11:00", LORD_HOWE), of=lord_howe, on=hourly, now=now)
    with pytest.raises(BadTime):
        check(slot(f"{day}T10:30", "11:30", LORD_HOWE), of=lord_howe, on=hourly, now=now)


def test_starts_follow_the_wall_clock_in_a_zone_of_quarter_hours() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")
    check(slot("2026-12-01T18:00", "19:00", kathmandu), of=club(zone="Asia/Kathmandu"))


# -- opening hours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "end"), [("07:00", "08:00"), ("22:00", "23:00"), ("22:30", "23:00")])
def test_opening_hours_include_their_edges(start: str, end: str) -> None:
    check(slot(f"2026-12-02T{start}", end))


@pytest.mark.parametrize(("start", "end"), [("06:30", "07:30"), ("22:30", "23:30"), ("03:00", "04:00")])
def test_outside_the_opening_hours_nothing_can_be_booked_by_anybody(start: str, end: str) -> None:
    for staff in (False, True):
        with pytest.raises(OutsideHours):
            check(slot(f"2026-12-02T{start}", end), staff=staff)


def test_a_booking_may_cross_windows_that_touch_but_not_a_break() -> None:
    touching = club(hours={2: (Window(420, 720), Window(720, 1380))})
    broken = club(hours={2: (Window(420, 720), Window(780, 1380))})
    noon = slot("2026-12-02T11:30", "13:30")
    check(noon, of=touching)
    with pytest.raises(OutsideHours):
        check(noon, of=broken)


def test_yesterdays_window_past_midnight_is_open_today() -> None:
    late = club(hours={1: (Window(18 * 60, 26 * 60),)})
    check(slot("2026-12-01T23:00", "2026-12-02T01:00"), of=late)
    check(slot("2026-12-02T01:00", "02:00"), of=late)
    with pytest.raises(OutsideHours):
        check(slot("2026-12-02T01:30", "02:30"), of=late)


def test_a_club_that_never_closes_is_open_over_midnight() -> None:
    check(slot("2026-12-01T22:00", "2026-12-02T02:00"), of=club(hours=ALWAYS))


def test_a_long_booking_may_cross_several_midnights() -> None:
    camp = club(hours=ALWAYS, policy=Policy(max_duration=4 * 1440))
    check(slot("2026-12-01T22:00", "2026-12-05T02:00"), of=camp)


def test_a_dated_exception_replaces_the_weekday() -> None:
    holiday = club(exceptions={date(2026, 12, 25): (), date(2026, 12, 26): (Window(600, 720),)})
    with pytest.raises(OutsideHours):
        check(slot("2026-12-25T10:00", "11:00"), of=holiday)
    check(slot("2026-12-26T10:00", "11:00"), of=holiday)
    with pytest.raises(OutsideHours):
        check(slot("2026-12-26T12:00", "13:00"), of=holiday)
    assert open_intervals(holiday, date(2026, 12, 25)) == ()


def test_the_opening_of_a_day_is_merged_and_runs_past_midnight() -> None:
    late = club(hours={1: (Window(720, 780), Window(420, 720), Window(20 * 60, 25 * 60))})
    assert open_intervals(late, date(2026, 12, 1)) == (
        slot("2026-12-01T07:00", "13:00"),
        slot("2026-12-01T20:00", "2026-12-02T01:00"),
    )


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        opens = draw(st.integers(0, 47)) * 30
        found.append(Window(opens, opens + draw(st.integers(1, 48)) * 30))
    return tuple(found)


@st.composite
def weeks(draw: st.DrawFn) -> dict[int, tuple[Window, ...]]:
    return {day: draw(windows()) for day in range(7)}


# Where a whole day is skipped, a window past midnight reaches over it into the day after: of no use to any club.
slots_of_whole_days = odd_slots(step=30).filter(lambda case: case[0].key != "Pacific/Apia")


def covered(zone: ZoneInfo, week: dict[int, tuple[Window, ...]], interval: Interval) -> bool:
    """Whether each minute of the interval lies in a window of some day near it."""
    near = local_day(interval.start, zone)
    days = [near + shift * DAY for shift in range(-2, 4)]
    parts = [part for day in days for window in week[day.weekday()] if (part := window_interval(day, window, zone))]
    return all(any(part.start <= minute < part.end for part in parts) for minute in minutes_of(interval))


@given(slots_of_whole_days, weeks())
def test_a_slot_is_within_hours_exactly_if_each_of_its_minutes_is(
    case: tuple[ZoneInfo, Interval], week: dict[int, tuple[Window, ...]]
) -> None:
    zone, interval = case
    catalogue = club(zone=zone.key, hours=week, policy=Policy(max_duration=2000, horizon_days=400))
    wall = interval.start.astimezone(zone)
    assume(wall.minute % 30 == 0)
    try:
        check(interval, of=catalogue, now=interval.start)
    except OutsideHours:
        assert not covered(zone, week, interval)
    else:
        assert covered(zone, week, interval)


@given(slots_of_whole_days, weeks(), weeks())
def test_a_coach_is_on_duty_exactly_if_each_minute_is_of_a_working_window(
    case: tuple[ZoneInfo, Interval], week: dict[int, tuple[Window, ...]], opening: dict[int, tuple[Window, ...]]
) -> None:
    zone, interval = case
    coach = Coach(id=1, resource_id=11, name="Bo", rate=0, hours=week)
    assert coach_on_duty(club(zone=zone.key, hours=opening), coach, interval) == covered(zone, week, interval)


@given(st.sampled_from(ODD), weeks(), st.sampled_from([15, 30, 45, 60, 90]), st.sampled_from([30, 60]))
def test_bookable_starts_are_the_aligned_minutes_with_room_for_the_shortest_booking(
    odd: tuple[ZoneInfo, date], week: dict[int, tuple[Window, ...]], step: int, shortest: int
) -> None:
    zone, day = odd
    catalogue = club(zone=zone.key, hours=week, policy=Policy(granularity=15, min_duration=shortest))
    aligned = court(start_alignment=step)
    wanted = [
        start
        for start in minutes_of(day_interval(day, zone))
        if local_minute(start, zone) % step == 0 and covered(zone, week, Interval(start, start + shortest * MINUTE))
    ]
    assert bookable_starts(catalogue, aligned, day) == wanted
    for start in wanted:
        check(Interval(start, start + shortest * MINUTE), of=catalogue, on=aligned, now=start)


@given(odd_slots(longest=3 * 1440), st.sampled_from([30, 60, 90, 100, 7 * 60]))
def test_alignment_counts_from_each_midnight_anew(case: tuple[ZoneInfo, Interval], step: int) -> None:
    zone, interval = case
    wanted = [minute for minute in minutes_of(interval) if local_minute(minute, zone) % step == 0]
    assert policy._aligned(interval, step, club(zone=zone.key)) == wanted


def test_the_day_the_clocks_go_back_has_starts_in_both_hours() -> None:
    starts = bookable_starts(club(hours=ALWAYS), court(), date(2026, 10, 25))
    assert len(starts) == 50
    assert len(set(starts)) == 50


# -- the horizon --------------------------------------------------------------------------------------------

AHEAD = club(policy=Policy(horizon_days=7, horizon_release=7 * 60, tier_horizon_days={"gold": 14}))


@pytest.mark.parametrize(("now", "last"), [("06:59:59", date(2026, 12, 7)), ("07:00", date(2026, 12, 8))])
def test_a_day_is_released_at_its_minute(now: str, last: date) -> None:
    assert last_bookable_day(AHEAD, at(f"2026-12-01T{now}"), None) == last
    check(slot(f"{last}T10:00", "11:00"), of=AHEAD, now=at(f"2026-12-01T{now}"))
    with pytest.raises(OutsideHorizon):
        check(slot(f"{last + DAY}T10:00", "11:00"), of=AHEAD, now=at(f"2026-12-01T{now}"))


def test_a_tier_may_see_further() -> None:
    assert last_bookable_day(AHEAD, NOW, "gold") == date(2026, 12, 15)
    assert last_bookable_day(AHEAD, NOW, "silver") == date(2026, 12, 8)
    check(slot("2026-12-15T10:00", "11:00"), of=AHEAD, tier="gold")


def test_the_horizon_is_measured_on_the_end_too() -> None:
    always = club(hours=ALWAYS, policy=Policy(horizon_days=7))
    check(slot("2026-12-08T23:00", "2026-12-09T00:00"), of=always)
    with pytest.raises(OutsideHorizon):
        check(slot("2026-12-08T23:00", "2026-12-09T00:30"), of=always)


def test_staff_book_ahead_of_the_horizon_for_two_years_and_keep_the_hours() -> None:
    check(slot("2028-11-30T10:00", "11:00"), of=AHEAD, staff=True)
    with pytest.raises(OutsideHorizon):
        check(slot("2029-01-10T10:00", "11:00"), of=AHEAD, staff=True)


def test_a_horizon_of_no_days_is_today_and_before_its_release_nothing() -> None:
    today = club(policy=Policy(horizon_days=0, horizon_release=7 * 60))
    check(slot("2026-12-01T10:00", "11:00"), of=today)
    with pytest.raises(OutsideHorizon):
        check(slot("2026-12-01T10:00", "11:00"), of=today, now=at("2026-12-01T06:00"))


def test_an_absurd_horizon_does_not_leave_the_calendar() -> None:
    far = club(policy=Policy(horizon_days=10**9))
    assert last_bookable_day(far, NOW, None).year == 2036


@given(st.sampled_from(ODD), st.integers(0, 1439), st.integers(0, 30))
def test_the_horizon_never_moves_back(odd: tuple[ZoneInfo, date], release: int, days: int) -> None:
    zone, day = odd
    catalogue = club(zone=zone.key, policy=Policy(horizon_days=days, horizon_release=release))
    begin = day_interval(day - DAY, zone).start
    seen = [last_bookable_day(catalogue, begin + n * 10 * MINUTE, None) for n in range(3 * 144)]
    assert seen == sorted(seen)


def test_a_release_in_the_hour_that_occurs_twice_happens_once() -> None:
    catalogue = club(policy=Policy(horizon_days=7, horizon_release=90))
    before, released, again = (
        last_bookable_day(catalogue, utc(f"2026-10-25T{time}"), None) for time in ("00:29", "00:30", "01:15")
    )
    assert (before, released, again) == (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 1))


# -- gaps ---------------------------------------------------------------------------------------------------

TIDY = club(policy=Policy(min_duration=60, refuse_gaps=True, gap_exempt_minutes=120))


def gaps(
    interval: Interval, *busy: Interval, of: Catalogue = TIDY, now: datetime = NOW, on: Court | None = None
) -> None:
    check_gaps(of, on or of.courts[0], interval, busy, now=now)


def test_a_gap_too_short_to_book_is_refused_on_either_side() -> None:
    for start, end in (("07:30", "08:30"), ("21:30", "22:30"), ("12:30", "13:30"), ("15:30", "16:30")):
        with pytest.raises(LeavesGap):
            gaps(
                slot(f"2026-12-02T{start}", end),
                slot("2026-12-02T17:00", "18:00"),
                slot("2026-12-02T11:00", "12:00"),
            )


def test_touching_a_neighbour_or_leaving_room_is_fine() -> None:
    for start, end in (("07:00", "08:00"), ("12:00", "13:00"), ("13:00", "14:00"), ("16:00", "17:00")):
        gaps(slot(f"2026-12-02T{start}", end), slot("2026-12-02T11:00", "12:00"), slot("2026-12-02T17:00", "18:00"))


def test_gaps_are_not_refused_last_minute_or_where_the_club_does_not_mind() -> None:
    interval = slot("2026-12-01T10:30", "11:30")
    neighbour = slot("2026-12-01T09:00", "10:00")
    with pytest.raises(LeavesGap):
        gaps(interval, neighbour)
    gaps(interval, neighbour, now=at("2026-12-01T08:30"))
    gaps(interval, neighbour, of=CLUB)


def test_the_court_decides_what_is_too_short() -> None:
    gaps(slot("2026-12-02T07:30", "08:30"), on=court(min_duration=30))
    with pytest.raises(LeavesGap):
        gaps(slot("2026-12-02T08:00", "09:30"), on=court(min_duration=90))


def test_minutes_that_no_booking_can_reach_are_nobodys_fault() -> None:
    odd = club(
        hours={2: (Window(450, 1380),)},
        policy=Policy(min_duration=60, max_duration=60, refuse_gaps=True),
        courts=(court(start_alignment=60),),
    )
    gaps(slot("2026-12-02T08:00", "09:00"), of=odd)
    gaps(slot("2026-12-02T08:00", "09:00"), slot("2026-12-02T09:30", "10:30"), of=odd)


def test_where_every_booking_leaves_a_gap_the_least_is_allowed() -> None:
    fixed = club(policy=Policy(min_duration=60, max_duration=60, refuse_gaps=True))
    neighbours = (slot("2026-12-02T10:00", "11:00"), slot("2026-12-02T12:30", "13:30"))
    for start, end in (("11:00", "12:00"), ("11:30", "12:30")):
        gaps(slot(f"2026-12-02T{start}", end), *neighbours, of=fixed)


def test_a_club_that_never_closes_has_no_gap_at_midnight() -> None:
    gaps(slot("2026-12-02T00:30", "01:30"), of=club(hours=ALWAYS, policy=TIDY.policy))
    gaps(slot("2026-12-02T22:30", "23:30"), of=club(hours=ALWAYS, policy=TIDY.policy))


@given(
    st.lists(st.tuples(st.integers(28, 88), st.integers(1, 16)), max_size=4),
    st.sampled_from([15, 30, 60]),
    st.sampled_from([30, 60, 90]),
    st.sampled_from([0, 30, 120]),
)
def test_a_free_stretch_that_fits_a_booking_always_takes_one(
    taken: list[tuple[int, int]], step: int, shortest: int, more: int
) -> None:
    tidy = club(policy=Policy(granularity=15, min_duration=shortest, max_duration=shortest + more, refuse_gaps=True))
    aligned = court(start_alignment=step)
    midnight = at("2026-12-02T00:00")
    busy = [Interval(midnight + a * 15 * MINUTE, midnight + (a + n) * 15 * MINUTE) for a, n in taken]
    fits, granted = [], []
    for start in bookable_starts(tidy, aligned, date(2026, 12, 2)):
        for minutes in range(shortest, shortest + more + 1, 15):
            interval = Interval(start, start + minutes * MINUTE)
            if interval.end > at("2026-12-02T23:00") or any(interval.overlaps(other) for other in busy):
                continue
            fits.append(interval)
            try:
                gaps(interval, *busy, of=tidy, on=aligned)
            except LeavesGap:
                continue
            granted.append(interval)
    assert bool(fits) == bool(granted)


# -- coaches and quotas -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "on_duty"),
    [("09:00", "17:00", True), ("08:30", "09:30", False), ("16:30", "17:30", False), ("09:59", "10:01", True)],
)
def test_a_coach_is_on_duty_within_the_hours_of_the_weekday(start: str, end: str, on_duty: bool) -> None:
    assert coach_on_duty(CLUB, ANNA, slot(f"2026-12-01T{start}", end)) is on_duty
    assert not coach_on_duty(CLUB, ANNA, slot(f"2026-12-02T{start}", end))


def test_a_coachs_exception_replaces_the_weekday() -> None:
    coach = Coach(
        id=1,
        resource_id=11,
        name="Bo",
        rate=0,
        hours=EVERY_DAY,
        exceptions={date(2026, 12, 1): (), date(2026, 12, 2): (Window(22 * 60, 26 * 60),)},
    )
    assert not coach_on_duty(CLUB, coach, slot("2026-12-01T10:00", "11:00"))
    assert not coach_on_duty(CLUB, coach, slot("2026-12-02T10:00", "11:00"))
    assert coach_on_duty(CLUB, coach, slot("2026-12-02T23:00", "2026-12-03T02:00"))
    assert not coach_on_duty(CLUB, coach, slot("2026-12-03T01:30", "02:30"))


def test_what_is_remembered_of_a_coach_is_not_used_for_a_changed_one() -> None:
    hour = slot("2026-12-01T10:00", "11:00")
    assert coach_on_duty(CLUB, ANNA, hour)
    assert not coach_on_duty(CLUB, Coach(id=1, resource_id=11, name="Anna", rate=0), hour)


def test_cancelling_is_free_until_the_deadline_in_elapsed_time() -> None:
    assert cancel_until(CLUB, slot("2026-12-02T10:00", "11:00")) == at("2026-12-01T10:00")
    assert cancel_until(CLUB, slot("2026-10-25T10:00", "11:00")) == at("2026-10-24T11:00")


PRIME = club(policy=Policy(prime_windows={1: (Window(17 * 60, 20 * 60), Window(19 * 60, 25 * 60))}))


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-12-01T16:00", "2026-12-01T17:00", 0),
        ("2026-12-01T16:30", "2026-12-01T17:30", 30),
        ("2026-12-01T19:00", "2026-12-01T21:00", 120),
        ("2026-12-02T00:30", "2026-12-02T01:30", 30),
        ("2026-12-02T17:00", "2026-12-02T18:00", 0),
    ],
)
def test_prime_minutes_are_counted_once_and_past_midnight(start: str, end: str, minutes: int) -> None:
    assert prime_minutes(PRIME, slot(start, end)) == minutes


def test_a_club_without_prime_windows_has_no_prime_minutes() -> None:
    assert prime_minutes(CLUB, slot("2026-12-01T16:00", "17:00")) == 0


@pytest.mark.parametrize(
    ("day", "week"),
    [(date(2026, 12, 31), (2026, 53)), (date(2027, 1, 3), (2026, 53)), (date(2027, 1, 4), (2027, 1))],
)
def test_weeks_are_iso_weeks(day: date, week: tuple[int, int]) -> None:
    assert iso_week(day) == week


# -- anything at all ----------------------------------------------------------------------------------------

instants = st.integers(0, 200 * 365 * 96).map(lambda quarters: utc("2000-01-01T00:00") + quarters * 15 * MINUTE)


@given(instants, instants, st.booleans())
def test_two_instants_far_apart_are_refused_with_the_field_named(start: datetime, end: datetime, staff: bool) -> None:
    assume(abs(end - start) > DAY)
    with pytest.raises(Refusal) as refusal:
        check(Interval(start, end), staff=staff)
    assert refusal.value.field in {"start_ts", "end_ts"}


@given(instants, st.integers(-1, 17), st.booleans())
def test_what_may_be_booked_is_within_hours_and_of_an_allowed_length(
    start: datetime, quarters: int, staff: bool
) -> None:
    interval = Interval(start, start + quarters * 15 * MINUTE)
    try:
        check(interval, staff=staff, now=start - 30 * DAY)
    except Refusal:
        return
    assert interval.minutes in range(30, 241, 30)
    assert covered(LONDON, EVERY_DAY, interval)


def test_days_of_the_club_are_its_own() -> None:
    assert local_day(utc("2026-07-01T23:30"), LONDON) == date(2026, 7, 2)
