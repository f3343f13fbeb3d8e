"""The line: what a slot is called, who is next, and that whatever is done, the naive model would have done the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.domain.bookings import Accepted, Booking, Claim, Closure, Expire, Join, Leave, Promote, Request
from server.domain.catalogue import Policy
from server.domain.footprint import footprint_of
from server.domain.slots import Interval, parse_instant
from server.domain.waitlist import Entry, slot_hash
from tests.domain.builders import club, court, slot
from tests.domain.desks import NOW, TUESDAY, Store, book, cancel, close, code_of, move, new_id, player, reopen
from tests.domain.line import Line, halves

LONDON = ZoneInfo("Europe/London")


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["2026-07-01T09:00:00Z", "2026-07-01T10:00:00+01:00", "2026-07-01T10:00", "2026-07-01T04:00:00-05:00"]
)
def test_a_slot_has_one_name_however_its_times_are_written(written: str) -> None:
    start = parse_instant(written, LONDON)

    assert slot_hash(1, 3, Interval(start, start + timedelta(hours=1))) == "51254e5202e21f6668b59320cec37a7c"


def test_a_slot_of_any_court_of_a_kind_has_a_name_of_its_own() -> None:
    start = datetime(2026, 7, 1, 9, tzinfo=UTC)
    interval = Interval(start, start + timedelta(hours=1))

    assert slot_hash(1, "tennis", interval) == "75e38916e9a190f874e212d3f2037485"
    others = {slot_hash(1, 3, interval), slot_hash(2, 3, interval), slot_hash(1, "padel", interval)}
    assert len({slot_hash(1, "tennis", interval), *others}) == 4


# -- the line against the model -----------------------------------------------------------------------------


def entry(user_id: int, interval: Interval, court_id: int | None, *, auto_book: bool) -> Entry:
    return Entry(
        id=new_id(),
        club_id=1,
        user_id=user_id,
        court_id=court_id,
        kind=None if court_id is not None else "tennis",
        interval=interval,
        coach_id=None,
        equipment=(),
        auto_book=auto_book,
        max_price=None,
        not_after=None,
        priority=0,
        created_at=NOW,
    )


INTERVALS = st.builds(
    lambda start, length: Interval(
        slot(f"{TUESDAY}T09:00", "09:30").start + start * timedelta(minutes=30),
        slot(f"{TUESDAY}T09:00", "09:30").start + (start + length) * timedelta(minutes=30),
    ),
    st.integers(0, 3),
    st.integers(1, 2),
)
COURTS = st.integers(1, 3)
PLAYERS = st.integers(1, 5)
PICKS = st.integers(0, 1000)


class Waitlist(RuleBasedStateMachine):
    """Book, cancel, move, close, reopen, join, leave, promote, claim and expire, at random, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        catalogue = club(courts=(court(1), court(2), court(3)), policy=Policy(offer_minutes=30, offer_cutoff=15))
        self.store = Store(catalogue)
        self.line = Line(catalogue)

    @initialize(
        wishes=st.lists(
            st.tuples(PLAYERS, st.one_of(st.none(), COURTS), INTERVALS, st.booleans()), min_size=8, max_size=12
        )
    )
    def fill(self, wishes: list[tuple[int, int | None, Interval, bool]]) -> None:
        """All courts are taken, by strangers, and some wait."""
        for court_id in self.line.courts:
            for start, until in (("09:00", "10:00"), ("10:00", "11:00"), ("11:00", "11:30")):
                self.book(9, court_id, slot(f"{TUESDAY}T{start}", until))
        for who, wanted, interval, auto_book in wishes:
            self.join(who, wanted, interval, auto_book)

    def ask(self, request: Request) -> Any:
        """Settle it alone, and see that nothing was changed that was not locked, nor looked at that was not read."""
        footprint = footprint_of(self.store.catalogue, [request], list(self.store.entries.values()))
        settlement = self.store.decide([request])
        assert settlement.writes.touched <= footprint.locks
        self.store.write(settlement.writes)
        return settlement.outcomes[0]

    def bookings(self) -> list[Booking]:
        return [booking for booking in self.store.bookings.values() if booking.status == "confirmed"]

    def pick(self, things: Any, choice: int) -> Any:
        things = sorted(things, key=lambda thing: thing.id if hasattr(thing, "id") else thing)
        return things[choice % len(things)]

    @rule(who=PLAYERS, court_id=COURTS, interval=INTERVALS)
    def book(self, who: int, court_id: int, interval: Interval) -> None:
        request = msgspec.structs.replace(book(party=player(who)), court_id=court_id, interval=interval)
        free = self.line.is_free(court_id, interval)

        outcome = self.ask(request)

        assert isinstance(outcome, Accepted) == free, code_of(outcome)
        if free:
            self.line.booked[request.booking_id] = (court_id, interval, who)

    @precondition(lambda self: self.line.booked)
    @rule(choice=PICKS)
    def cancel(self, choice: int) -> None:
        seen = self.pick(self.bookings(), choice)

        assert isinstance(self.ask(cancel(seen)), Accepted)
        assert isinstance(self.ask(cancel(seen)), Accepted)  # a second time changes nothing

        del self.line.booked[seen.id]
        self.line.serve(self.store.now)

    @precondition(lambda self: self.line.booked)
    @rule(choice=PICKS, court_id=COURTS, interval=INTERVALS)
    def move(self, choice: int, court_id: int, interval: Interval) -> None:
        seen = self.pick(self.bookings(), choice)
        old_court, old, who = self.line.booked.pop(seen.id)
        free = self.line.is_free(court_id, interval)

        outcome = self.ask(move(seen, court_id=court_id, interval=interval))

        assert isinstance(outcome, Accepted) == free, code_of(outcome)
        self.line.booked[seen.id] = (court_id, interval, who) if free else (old_court, old, who)
        if free:
            self.line.serve(self.store.now)

    @rule(court_id=COURTS, interval=INTERVALS)
    def close(self, court_id: int, interval: Interval) -> None:
        met = [
            booking for booking in self.bookings()
            if booking.court_id == court_id and halves(booking.interval) & halves(interval)
        ]  # fmt: skip
        request = close(court_id, seen=met)
        request = msgspec.structs.replace(request, closure=msgspec.structs.replace(request.closure, interval=interval))

        assert isinstance(self.ask(request), Accepted)

        for id_, held in list(self.line.held.items()):
            if held == court_id and halves(self.line.waiting[id_].interval) & halves(interval):
                del self.line.held[id_]
                self.line.offered.pop(id_, None)
        for booking in met:
            del self.line.booked[booking.id]
        self.line.closed[request.closure.id] = ((court_id,), interval)
        self.line.serve(self.store.now)

    @precondition(lambda self: self.line.closed)
    @rule(choice=PICKS)
    def reopen(self, choice: int) -> None:
        closure: Closure = self.store.closures[self.pick(self.line.closed, choice)]

        assert isinstance(self.ask(reopen(closure)), Accepted)

        del self.line.closed[closure.id]
        self.line.serve(self.store.now)

    @rule(who=PLAYERS, court_id=st.one_of(st.none(), COURTS), interval=INTERVALS, auto_book=st.booleans())
    def join(self, who: int, court_id: int | None, interval: Interval, auto_book: bool) -> None:
        wish = entry(who, interval, court_id, auto_book=auto_book)
        twice = any(other.user_id == who and other.slot_hash == wish.slot_hash for other in self.line.waiting.values())
        free = any(self.line.is_free(each, interval) for each in self.line.wanted(wish))
        self.store.now += timedelta(seconds=1)

        outcome = self.ask(Join(op_id=new_id(), party=player(who), entry=wish))

        if twice:
            assert code_of(outcome) == "already_waiting"
        elif free:
            assert code_of(outcome) == "slot_free"
        else:
            assert isinstance(outcome, Accepted)
            assert outcome.entry is not None
            self.line.waiting[wish.id] = outcome.entry

    @precondition(lambda self: self.line.waiting)
    @rule(choice=PICKS)
    def leave(self, choice: int) -> None:
        seen = self.store.entries[self.pick(self.line.waiting, choice)]

        for _ in range(2):
            assert isinstance(self.ask(Leave(op_id=new_id(), party=player(seen.user_id), seen=seen)), Accepted)

        self.line.end(seen.id)
        self.line.serve(self.store.now)

    @precondition(lambda self: self.line.held)
    @rule(choice=PICKS, twice=st.booleans())
    def promote(self, choice: int, twice: bool) -> None:
        """What the worker does; the same job may come to two."""
        seen = self.store.entries[self.pick(self.line.held, choice)]
        assert seen.hold is not None
        request = Promote(op_id=new_id(), booking_id=new_id(), grid_ref="r", seen=seen, ref=seen.hold.ref)

        for _ in range(1 + twice):
            assert isinstance(self.ask(request), Accepted)

        if seen.id in self.line.offered:
            return
        if self.line.is_busy(seen):
            del self.line.held[seen.id]
            self.line.serve(self.store.now)
        elif seen.auto_book:
            self.line.fulfil(seen.id, request.booking_id, self.store.now)
        else:
            self.line.offered[seen.id] = self.store.now + timedelta(minutes=30)

    @precondition(lambda self: self.line.held)
    @rule(choice=PICKS)
    def claim(self, choice: int) -> None:
        seen = self.store.entries[self.pick(self.line.held, choice)]
        request = Claim(op_id=new_id(), booking_id=new_id(), grid_ref="r", party=player(seen.user_id), seen=seen)
        over = self.line.offered.get(seen.id, self.store.now + timedelta(1)) <= self.store.now

        outcome = self.ask(request)

        if over:
            assert code_of(outcome) == "offer_expired"
        elif self.line.is_busy(seen):
            assert code_of(outcome) == "own_clash"
        else:
            assert isinstance(outcome, Accepted)
            self.line.fulfil(seen.id, request.booking_id, self.store.now)

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes: int) -> None:
        self.store.now += timedelta(minutes=minutes)
        for id_ in sorted(self.line.waiting, key=lambda id_: self.line.waiting[id_].created_at):
            seen = self.store.entries.get(id_)
            if seen is None:
                continue
            assert isinstance(self.ask(Expire(op_id=new_id(), seen=seen)), Accepted)
            if self.line.offered.get(id_, self.store.now + timedelta(1)) <= self.store.now:
                self.line.end(id_)
                self.line.serve(self.store.now)

    @invariant()
    def the_same_are_where_the_model_says(self) -> None:
        booked = {b.id: (b.court_id, b.interval, b.user_id) for b in self.bookings()}
        assert booked == self.line.booked
        held = {id_: each.hold.court_id for id_, each in self.store.entries.items() if each.hold is not None}
        assert held == self.line.held
        assert set(self.store.entries) == set(self.line.waiting)
        offered = {
            id_: each.hold.until
            for id_, each in self.store.entries.items()
            if each.hold is not None and each.hold.until is not None
        }
        assert offered == self.line.offered

    @invariant()
    def nothing_is_held_twice_and_every_hold_has_its_allocation(self) -> None:
        rows = [(row.resource_id, row.start, row.end, row.owner) for row in self.store.active]
        for index, (resource, start, end, owner) in enumerate(rows):
            for other, since, until, whose in rows[:index]:
                both_closed = {owner, whose} <= set(self.line.closed)
                assert other != resource or end <= since or until <= start or both_closed
        held = {row.owner for row in self.store.active if row.kind == "held"}
        assert held == set(self.line.held)


Waitlist.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWaitlist = Waitlist.TestCase
