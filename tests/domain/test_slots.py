"""Time: intervals, the wall clock and the club's days, minute by minute around odd days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.catalogue import Window
from server.domain.errors import BadTime, InvalidRequest
from server.domain.slots import (
    DAY,
    MINUTE,
    Interval,
    at_minute,
    day_interval,
    days_of,
    isoformat,
    local_day,
    local_minute,
    merged,
    parse_instant,
    stretches,
    window_interval,
    without,
)

from .builders import LONDON, ODD, minutes_of, odd_slots, slot, utc

LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
odd_days = st.sampled_from(ODD)


# -- intervals ----------------------------------------------------------------------------------------------


def test_what_is_taken_is_cut_out_wherever_it_lies() -> None:
    day = [slot("2026-12-01T08:00", "12:00"), slot("2026-12-01T13:00", "18:00")]
    taken = [slot("2026-12-01T07:00", "09:00"), slot("2026-12-01T10:00", "11:00"), slot("2026-12-01T11:30", "14:00")]
    assert without(day, taken) == [
        slot("2026-12-01T09:00", "10:00"),
        slot("2026-12-01T11:00", "11:30"),
        slot("2026-12-01T14:00", "18:00"),
    ]
    assert without(day, []) == day
    assert without(day, [slot("2026-12-01T00:00", "23:00")]) == []


def test_back_to_back_intervals_do_not_overlap() -> None:
    first, second = slot("2026-12-01T10:00", "11:00"), slot("2026-12-01T11:00", "12:00")
    assert not first.overlaps(second)
    assert not second.overlaps(first)
    assert first.overlaps(slot("2026-12-01T10:59", "12:00"))


def test_an_interval_contains_itself_but_nothing_that_sticks_out() -> None:
    hour = slot("2026-12-01T10:00", "11:00")
    assert hour.contains(hour)
    assert not hour.contains(slot("2026-12-01T10:00", "11:01"))
    assert not hour.contains(slot("2026-12-01T09:59", "11:00"))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-3, 12)), max_size=12))
def test_merging_keeps_the_minutes_and_leaves_gaps_between(parts: list[tuple[int, int]]) -> None:
    begin = utc("2026-12-01T00:00")
    intervals = [Interval(begin + start * MINUTE, begin + (start + length) * MINUTE) for start, length in parts]
    joined = merged(intervals)
    assert {m for part in joined for m in minutes_of(part)} == {m for part in intervals for m in minutes_of(part)}
    assert all(left.end < right.start for left, right in pairwise(joined))


# -- reading what people write ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-12-01T10:00:00+00:00", "2026-12-01T10:00"),
        ("2026-12-01T10:00:00Z", "2026-12-01T10:00"),
        ("2026-12-01t10:00:00z", "2026-12-01T10:00"),
        ("2026-12-01T10:00", "2026-12-01T10:00"),
        ("2026-12-01 10:00:00.000", "2026-12-01T10:00"),
        ("2026-12-01T10:00:00.123456Z", "2026-12-01T10:00:00.123456"),
        ("2026-12-01T10:00:00.123456000Z", "2026-12-01T10:00:00.123456"),
        ("2026-12-01T10:00:00+01:00", "2026-12-01T09:00"),
        ("2026-12-01T10:00:00+0530", "2026-12-01T04:30"),
        ("2026-12-01T10:00:00-05", "2026-12-01T15:00"),
        ("2026-07-01T10:00:00", "2026-07-01T09:00"),
    ],
)
def test_a_written_time_is_understood(text: str, instant: str) -> None:
    assert parse_instant(text, LONDON) == utc(instant)
    assert parse_instant(text, LONDON).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-12-01T10:00:00 01:00", "2026-12-01T10:00 01:00", "2026-12-01T10:00:00 0100"])
def test_a_plus_that_a_query_string_made_a_blank_is_a_plus(text: str) -> None:
    assert parse_instant(text, LONDON) == utc("2026-12-01T09:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-12-01",
        "2026-W49-2T10:00",
        "2026-335T10:00",
        "20261201T100000Z",
        "10:00",
        "1764583200",
        "2026-12-01T10",
        "2026-12-01T10:00:00\x00",
        "\x002026-12-01T10:00:00Z",
        "2026-12-01T10:00:00Z\n",
        "2026-12-01T10:00:00\ud800",
        "٢٠٢٦-١٢-٠١T١٠:٠٠",
        "2026-12-01T10:00:00+01:00[Europe/Paris]",
        "2026-12-01T10:00:00." + "0" * 10**6,
        "+2026-12-01T10:00:00Z",
        "-001-12-01T10:00:00Z",
    ],
)
def test_what_is_no_date_and_time_is_an_invalid_request_that_names_its_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_instant(text, LONDON, field="start_ts")
    assert refusal.value.field == "start_ts"


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T24:00:00",
        "2026-12-01T23:59:60Z",
        "2026-12-01T10:00:00.1234567Z",
        "2026-12-01T10:00:00.000000001",
        "2026-12-01T10:60",
        "2026-12-01T10:00:00+24:00",
        "2026-12-01T10:00:00+99:99",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "1999-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "2200-12-31T23:59:00-12:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_that_cannot_be_is_a_bad_time_that_names_its_field(text: str) -> None:
    with pytest.raises(BadTime) as refusal:
        parse_instant(text, LONDON, field="end_ts")
    assert refusal.value.field == "end_ts"


@pytest.mark.parametrize(
    ("text", "tz"),
    [
        ("2026-03-29T01:00:00", LONDON),
        ("2026-03-29T01:59:59", LONDON),
        ("2026-10-04T02:15:00", LORD_HOWE),
        ("2017-10-15T00:30:00", SAO_PAULO),
        ("2011-12-30T12:00:00", ZoneInfo("Pacific/Apia")),
    ],
)
def test_a_local_time_that_the_clocks_skip_is_refused(text: str, tz: ZoneInfo) -> None:
    with pytest.raises(BadTime, match="does not exist"):
        parse_instant(text, tz)


@pytest.mark.parametrize(
    ("text", "tz", "instant"),
    [
        ("2026-10-25T01:30:00", LONDON, "2026-10-25T00:30"),
        ("2026-10-25T01:30:00+01:00", LONDON, "2026-10-25T00:30"),
        ("2026-10-25T01:30:00+00:00", LONDON, "2026-10-25T01:30"),
        ("2026-04-05T01:45:00", LORD_HOWE, "2026-04-04T14:45"),
        ("2026-04-05T01:45:00+10:30", LORD_HOWE, "2026-04-04T15:15"),
    ],
)
def test_a_local_time_that_occurs_twice_is_the_first_unless_an_offset_decides(
    text: str, tz: ZoneInfo, instant: str
) -> None:
    assert parse_instant(text, tz) == utc(instant)


@given(odd_slots())
def test_a_written_instant_reads_back_as_itself(case: tuple[ZoneInfo, Interval]) -> None:
    tz, interval = case
    assert parse_instant(isoformat(interval.start, tz), tz) == interval.start
    assert parse_instant(interval.start.isoformat().replace("+", " "), tz) == interval.start


@given(
    st.one_of(
        st.text(),
        st.from_regex(re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(\.\d+)?(Z|[+-]\d{2}:?\d{2})?")),
        st.from_regex(re.compile(r"\A[012]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d(:[0-6]\d)?([+ -][0-2]\d:[0-6]\d)?\Z")),
    ),
    odd_days,
)
def test_whatever_is_written_is_an_instant_or_a_refusal(text: str, odd: tuple[ZoneInfo, date]) -> None:
    try:
        instant = parse_instant(text, odd[0])
    except (BadTime, InvalidRequest):
        return
    assert 2000 <= instant.year <= 2200


# -- days ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Europe/London", date(2026, 6, 1), 24 * 60),
        ("Europe/London", date(2026, 3, 29), 23 * 60),
        ("Europe/London", date(2026, 10, 25), 25 * 60),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23 * 60 + 30),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24 * 60 + 30),
        ("America/Sao_Paulo", date(2017, 10, 15), 23 * 60),
        ("America/Sao_Paulo", date(2018, 2, 17), 25 * 60),
        ("America/Havana", date(2026, 11, 1), 25 * 60),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Asia/Kathmandu", date(2026, 7, 1), 24 * 60),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(zone: str, day: date, minutes: int) -> None:
    assert day_interval(day, ZoneInfo(zone)).minutes == minutes


def test_a_day_without_midnight_begins_at_its_first_instant() -> None:
    assert day_interval(date(2017, 10, 15), SAO_PAULO).start == utc("2017-10-15T03:00")


@given(odd_days, st.integers(-3, 3))
def test_days_follow_one_another_without_hole_or_overlap(odd: tuple[ZoneInfo, date], shift: int) -> None:
    tz, day = odd[0], odd[1] + shift * DAY
    assert day_interval(day, tz).end == day_interval(day + DAY, tz).start


@given(odd_slots())
def test_an_instant_lies_in_the_day_that_it_belongs_to(case: tuple[ZoneInfo, Interval]) -> None:
    tz, interval = case
    day = day_interval(local_day(interval.start, tz), tz)
    assert day.start <= interval.start < day.end


def test_a_day_that_has_begun_goes_on_though_the_clocks_go_back_over_midnight() -> None:
    st_johns = ZoneInfo("America/St_Johns")
    shown_again = utc("2010-11-07T03:00")
    assert isoformat(shown_again, st_johns) == "2010-11-06T23:30:00-03:30"
    assert local_day(shown_again, st_johns) == date(2010, 11, 7)


@given(odd_slots(longest=3 * 24 * 60))
def test_the_days_of_an_interval_are_those_of_its_minutes(case: tuple[ZoneInfo, Interval]) -> None:
    tz, interval = case
    assert days_of(interval, tz) == sorted({local_day(minute, tz) for minute in minutes_of(interval)})


def test_an_interval_that_ends_at_midnight_does_not_touch_the_next_day() -> None:
    assert days_of(slot("2026-12-01T23:00", "2026-12-02T00:00"), LONDON) == [date(2026, 12, 1)]
    assert days_of(slot("2026-12-01T23:00", "2026-12-02T00:30"), LONDON) == [date(2026, 12, 1), date(2026, 12, 2)]
    assert days_of(slot("2026-12-01T23:00", "23:00"), LONDON) == []


# -- the wall clock -----------------------------------------------------------------------------------------


@given(odd_days, st.integers(0, 2 * 24 * 60))
def test_a_minute_of_the_day_is_what_the_wall_clock_shows_unless_it_is_skipped(
    odd: tuple[ZoneInfo, date], minute: int
) -> None:
    tz, day = odd
    local = at_minute(day, minute, tz).astimezone(tz).replace(tzinfo=None)
    wanted = datetime(day.year, day.month, day.day) + minute * MINUTE  # noqa: DTZ001 - a wall clock has no zone
    if local != wanted:
        assert wanted.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None) == local
        assert local - wanted in {timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)}


def test_a_skipped_minute_is_as_much_later_as_the_clocks_jump() -> None:
    assert isoformat(at_minute(date(2026, 3, 29), 90, LONDON), LONDON) == "2026-03-29T02:30:00+01:00"
    assert isoformat(at_minute(date(2026, 10, 4), 130, LORD_HOWE), LORD_HOWE) == "2026-10-04T02:40:00+11:00"


def test_a_window_follows_the_wall_clock_past_midnight_and_through_the_clock_change() -> None:
    saturday = date(2026, 10, 24)
    night = window_interval(saturday, Window(22 * 60, 27 * 60), LONDON)
    assert night == Interval(utc("2026-10-24T21:00"), utc("2026-10-25T03:00"))
    assert night is not None
    assert night.minutes == 6 * 60


def test_a_window_that_the_clock_change_swallows_is_none() -> None:
    assert window_interval(date(2026, 3, 29), Window(90, 120), LONDON) is None
    assert window_interval(date(2011, 12, 30), Window(0, 1440), ZoneInfo("Pacific/Apia")) is None


@given(odd_slots(longest=4 * 24 * 60))
def test_within_a_stretch_the_wall_clock_runs_evenly_and_stretches_cover_the_interval(
    case: tuple[ZoneInfo, Interval],
) -> None:
    tz, interval = case
    shown = [wall + n * MINUTE for wall, minutes in stretches(interval, tz) for n in range(minutes)]
    assert shown == [minute.astimezone(tz).replace(tzinfo=None, fold=0) for minute in minutes_of(interval)]


def test_the_local_minute_is_read_off_the_wall_clock() -> None:
    assert local_minute(utc("2026-07-01T17:30"), LONDON) == 18 * 60 + 30
    assert local_minute(utc("2026-07-01T00:00"), ZoneInfo("Asia/Kathmandu")) == 5 * 60 + 45
