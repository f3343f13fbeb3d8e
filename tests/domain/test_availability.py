"""What is free, and when an answer about it is still true after something else was taken."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from server.domain.availability import Availability, left_of, offered
from server.domain.grid import DayState, Use, same_during, taken_of
from server.domain.slots import Interval
from tests.domain.builders import at, club, court, slot

DAY = date(2026, 12, 1)
NOW = at("2026-11-24T10:00")
CLUB = club(courts=(court(1), court(2, units=(2,)), court(3, units=(1, 2, 3))))
ASKED = slot("2026-12-01T10:00", "11:00")
RESOURCES = (1, 2, 3, 11, 21, 22)


def state(uses: dict[int, tuple[Use, ...]]) -> DayState:
    return DayState(club_id=1, day=DAY, epoch="e", config_version=1, versions={}, uses=uses, total=0)


def use(start: str, until: str, *, quantity: int = 1) -> Use:
    taken = slot(f"2026-12-01T{start}", until)
    return Use(f"{start}-{until}", "booked", taken.start, taken.end, quantity, None, None)


def offer_of(interval: Interval) -> Availability:
    return offered(CLUB, interval, now=NOW, tier=None, staff=False)


def left(offer: Availability, day: DayState, interval: Interval) -> Availability:
    return left_of(offer, CLUB, taken_of([day]), interval, now=NOW, staff=False)


def test_what_ends_where_the_interval_begins_changes_nothing_in_it() -> None:
    before = state({1: (use("14:00", "15:00"),), 21: ()})
    after = state({**before.uses, 1: (*before.uses[1], use("09:00", "10:00")), 2: (use("11:00", "12:00"),)})
    assert same_during(before, after, ASKED)
    offer = offer_of(ASKED)
    assert left(offer, before, ASKED) == left(offer, after, ASKED)


def test_what_reaches_into_the_interval_changes_it_on_any_resource() -> None:
    before = state({})
    for resource in RESOURCES:
        after = state({resource: (use("09:00", "10:01"),)})
        assert not same_during(before, after, ASKED)
        assert not same_during(after, state({resource: ()}), ASKED)
        assert not same_during(after, before, ASKED)


def test_another_quantity_is_another_use() -> None:
    before, after = (state({21: (use("10:00", "11:00", quantity=count),)}) for count in (2, 3))
    assert not same_during(before, after, ASKED)


def moments() -> st.SearchStrategy[datetime]:
    return st.integers(0, 16).map(lambda quarters: at("2026-12-01T08:00") + timedelta(minutes=15 * quarters))


@st.composite
def uses(draw: st.DrawFn) -> Use:
    start, end = sorted(draw(st.lists(moments(), min_size=2, max_size=2, unique=True)))
    quantity = draw(st.integers(1, 3))
    return Use(f"{start}/{end}/{quantity}", "booked", start, end, quantity, None, None)


@given(
    before=st.dictionaries(st.sampled_from(RESOURCES), st.lists(uses(), max_size=3).map(tuple)),
    changed=st.dictionaries(st.sampled_from(RESOURCES), st.lists(uses(), max_size=3).map(tuple)),
    asked=st.lists(moments(), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_what_is_the_same_during_an_interval_leaves_the_same(
    before: dict[int, tuple[Use, ...]], changed: dict[int, tuple[Use, ...]], asked: list[datetime]
) -> None:
    old, new, interval = state(before), state({**before, **changed}), Interval(*asked)
    assume(same_during(old, new, interval))
    offer = offer_of(interval)
    assert left(offer, old, interval) == left(offer, new, interval)
