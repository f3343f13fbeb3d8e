"""The desk's decisions made naively, a quarter of an hour at a time, and everything that it can be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from server.domain import errors, policy, pricing
from server.domain.bookings import Book, Booking, Cancel, Close, Closure, Move, Reopen, Request
from server.domain.catalogue import Catalogue, Quotas, Window
from server.domain.pricing import EquipmentItem
from server.domain.slots import Interval
from tests.domain.builders import slot
from tests.domain.desks import (
    STAFF,
    TUESDAY,
    UNITS,
    Store,
    book,
    cancel,
    close,
    move,
    player,
    reopen,
)

QUARTER = timedelta(minutes=15)


class Model:
    """Who is where, looked up quarter by quarter. Policy of the slot and price are others' and are believed."""

    def __init__(self, catalogue: Catalogue, now: datetime) -> None:
        self.catalogue = catalogue
        self.now = now
        self.bookings: dict[UUID, Booking | Book | Move] = {}
        self.cancelled: set[UUID] = set()
        self.closures: dict[UUID, Closure] = {}
        self.owner: dict[UUID, int] = {}
        self.moves: Counter[UUID] = Counter()

    def answer(self, request: Request) -> str:
        """What the request should be answered; granted, it is done."""
        match request:
            case Book():
                refusal = self.refusal(request, None)
                if refusal is None:
                    self.bookings[request.booking_id] = request
                    self.owner[request.booking_id] = request.party.user_id
                return refusal or "accepted"
            case Cancel():
                id_ = request.seen.id
                if id_ in self.cancelled:
                    return "accepted"
                if self.moved_away(request.seen):
                    return "stale"
                self.end(id_)
                return "accepted"
            case Move():
                id_ = request.seen.id
                if id_ in self.cancelled or self.moved_away(request.seen):
                    return "stale"
                seen = request.seen
                if (seen.court_id, seen.interval, seen.coach_id) == (
                    request.court_id, request.interval, request.coach_id,
                ) and sorted(seen.equipment) == sorted(request.equipment):  # fmt: skip
                    return "price_changed" if request.expected_total not in (None, seen.price.total) else "accepted"
                refusal = self.refusal(request, id_)
                if refusal is None:
                    self.bookings[id_] = request
                    self.moves[id_] += 1
                return refusal or "accepted"
            case Close():
                return self.answer_close(request)
            case _:  # the waitlist has a model of its own
                assert isinstance(request, Reopen)
                if self.closures.get(request.closure.id) != request.closure:
                    return "precondition_failed"
                del self.closures[request.closure.id]
                return "accepted"

    def answer_close(self, request: Close) -> str:
        if request.replaces is not None and self.closures.get(request.replaces.id) != request.replaces:
            return "precondition_failed"
        units = {unit for court in request.closure.court_ids for unit in UNITS[court]}
        in_the_way = [
            id_ for id_, place in self.bookings.items()
            if UNITS[place.court_id] & units and quarters(place.interval) & quarters(request.closure.interval)
        ]  # fmt: skip
        seen = {booking.id: booking for booking in request.seen}
        if any(id_ not in seen or self.moved_away(seen[id_]) for id_ in in_the_way):
            return "stale"
        for id_ in in_the_way:
            self.end(id_)
        self.closures[request.closure.id] = request.closure
        return "accepted"

    def end(self, id_: UUID) -> None:
        del self.bookings[id_]
        self.cancelled.add(id_)

    def moved_away(self, seen: Booking) -> bool:
        place = self.bookings.get(seen.id)
        if self.moves[seen.id] != seen.revision:
            return True  # moved away and back it was moved
        return place is None or (place.court_id, place.interval, place.coach_id, place.equipment) != (
            seen.court_id, seen.interval, seen.coach_id, seen.equipment,
        )  # fmt: skip

    def refusal(self, request: Book | Move, itself: UUID | None) -> str | None:
        catalogue, party, interval = self.catalogue, request.party, request.interval
        court = catalogue.court_by_id[request.court_id]
        coach = catalogue.coach_by_id[request.coach_id] if request.coach_id is not None else None
        try:
            policy.check_slot(catalogue, court, interval, now=self.now, tier=None, staff=party.staff)
        except errors.Refusal as refusal:
            return refusal.code
        others = {id_: place for id_, place in self.bookings.items() if id_ != itself}
        if not party.staff and self.over_quota(
            [p for i, p in others.items() if self.owner[i] == party.user_id], interval
        ):
            return "quota_exceeded"
        price = pricing.quote(
            catalogue, court, interval, coach=coach, equipment=request.equipment, tier=None, now=self.now
        )
        if request.expected_total not in (None, price.total):
            return "price_changed"
        return self.in_the_way(request, others.values())

    def in_the_way(self, request: Book | Move, others: Iterable[Booking | Book | Move]) -> str | None:
        at = quarters(request.interval)
        near = [place for place in others if quarters(place.interval) & at]
        # Of several reasons the daybook tells one that is true; it looks at closures and bookings together.
        closed = any(
            quarters(closure.interval) & at and UNITS[court] & UNITS[request.court_id]
            for closure in self.closures.values()
            for court in closure.court_ids
        )
        taken = any(UNITS[place.court_id] & UNITS[request.court_id] for place in near)
        if closed or taken:
            return "closed or slot_taken" if closed and taken else "closed" if closed else "slot_taken"
        if request.coach_id is not None:
            on_duty = all(
                when.weekday() == 1 and 9 <= when.hour < 12 for when in at  # in winter London's clocks show UTC
            )  # fmt: skip
            if not on_duty or any(place.coach_id == request.coach_id for place in near):
                return "coach_unavailable"
        for item in request.equipment:
            pool = self.catalogue.equipment_by_id[item.equipment_id]
            for when in at:
                used = sum(
                    other.quantity
                    for place in near
                    if when in quarters(place.interval)
                    for other in place.equipment
                    if other.equipment_id == pool.id
                )
                if used + item.quantity > pool.quantity:
                    return "equipment_unavailable"
        return None

    def over_quota(self, mine: Sequence[Booking | Book | Move], wanted: Interval) -> bool:
        quotas = self.catalogue.policy.quotas
        minutes = [15 * len(quarters(place.interval)) for place in mine if same_day(place.interval, wanted)]
        weekly = [15 * len(quarters(place.interval)) for place in mine]  # all tests are in one week
        prime = [15 * len(prime_quarters(place.interval)) for place in mine]
        more, more_prime = 15 * len(quarters(wanted)), 15 * len(prime_quarters(wanted))
        return (
            (quotas.active_bookings is not None and len(mine) + 1 > quotas.active_bookings)
            or (quotas.minutes_per_day is not None and sum(minutes) + more > quotas.minutes_per_day)
            or (quotas.minutes_per_week is not None and sum(weekly) + more > quotas.minutes_per_week)
            or (
                quotas.prime_minutes_per_week is not None
                and more_prime > 0
                and sum(prime) + more_prime > quotas.prime_minutes_per_week
            )
        )

    def occupied(self) -> Counter[tuple[int, UUID, datetime, datetime, int]]:
        """Every active use: resource, owner, start, end, quantity."""
        found: Counter[tuple[int, UUID, datetime, datetime, int]] = Counter()
        for id_, place in self.bookings.items():
            start, end = place.interval.start, place.interval.end
            found.update((unit, id_, start, end, 1) for unit in UNITS[place.court_id])
            if place.coach_id is not None:
                found[11, id_, start, end, 1] += 1
            found.update((20 + item.equipment_id, id_, start, end, item.quantity) for item in place.equipment)
        for id_, closure in self.closures.items():
            units = {unit for court in closure.court_ids for unit in UNITS[court]}
            found.update((unit, id_, closure.interval.start, closure.interval.end, 1) for unit in units)
        return found


def quarters(interval: Interval) -> set[datetime]:
    return {interval.start + n * QUARTER for n in range(interval.minutes // 15)}


def prime_quarters(interval: Interval) -> set[datetime]:
    return {when for when in quarters(interval) if when.weekday() == 1 and 11 <= when.hour < 13}


def same_day(one: Interval, other: Interval) -> bool:
    return one.start.date() == other.start.date()


# -- what is asked ------------------------------------------------------------------------------------------

QUOTAS = [
    Quotas(),
    Quotas(active_bookings=2),
    Quotas(minutes_per_day=120),
    Quotas(minutes_per_week=180),
    Quotas(prime_minutes_per_week=60),
]
PRIME: dict[int, tuple[Window, ...]] = {1: (Window(11 * 60, 13 * 60),)}


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    """Half hours around noon, mostly on Tuesday; a few that the club refuses."""
    day = draw(st.sampled_from([TUESDAY] * 7 + ["2026-12-02"]))
    start = slot(f"{day}T09:00", "09:30").start + draw(st.integers(0, 7)) * 2 * QUARTER
    if not draw(st.integers(0, 15)):
        start += QUARTER
    return Interval(start, start + draw(st.integers(1, 4)) * 2 * QUARTER)


@st.composite
def places(draw: st.DrawFn) -> dict[str, Any]:
    items = draw(st.dictionaries(st.sampled_from([1, 1, 2]), st.integers(1, 3), max_size=2))
    return {
        "court_id": draw(st.sampled_from([1, 1, 2, 2, 3])),
        "interval": draw(intervals()),
        "coach_id": draw(st.sampled_from([None, None, 1])),
        "equipment": tuple(EquipmentItem(id_, 1 if id_ == 2 else n) for id_, n in items.items()),
        "expected_total": draw(st.sampled_from([None] * 9 + [1])),
    }


WISHES = st.tuples(
    st.sampled_from(["book"] * 6 + ["cancel", "cancel", "move", "move", "move", "stay", "close", "reclose", "reopen"]),
    places(),
    st.integers(0, 2),
    st.integers(0, 100),
    st.booleans(),
)
BATCHES = st.lists(st.lists(WISHES, min_size=1, max_size=6), min_size=1, max_size=5)


def request_of(store: Store, wish: tuple[str, dict[str, Any], int, int, bool]) -> Request:
    """The wish as somebody asks for it who has read the store."""
    verb, place, user, choice, flag = wish
    party = STAFF if user == 0 else player(user)
    bookings = list(store.bookings.values())
    confirmed = [booking for booking in bookings if booking.status == "confirmed"]
    closures = [closure for closure in store.closures.values() if closure.lifted_at is None]
    if verb in ("cancel", "move", "stay") and bookings:
        chosen = bookings if flag and verb == "cancel" else confirmed or bookings
        seen = chosen[choice % len(chosen)]
        if verb == "cancel":
            return cancel(seen, party=msgspec.structs.replace(party, user_id=seen.user_id))
        if seen.status == "confirmed":
            changes = {} if verb == "stay" else place if flag else {"interval": place["interval"]}
            return move(seen, party=msgspec.structs.replace(party, user_id=seen.user_id), **changes)
    if verb in ("close", "reclose"):
        courts = {place["court_id"], choice % 3 + 1}
        interval: Interval = place["interval"]
        units = {unit for court in courts for unit in UNITS[court]}
        seen_now = [
            booking for booking in confirmed
            if UNITS[booking.court_id] & units and quarters(booking.interval) & quarters(interval)
        ]  # fmt: skip
        replaces = closures[choice % len(closures)] if verb == "reclose" and closures else None
        made = close(*sorted(courts), seen=seen_now, replaces=replaces)
        return msgspec.structs.replace(made, closure=msgspec.structs.replace(made.closure, interval=interval))
    if verb == "reopen" and closures:
        return reopen(closures[choice % len(closures)])
    asked = book(party=party)
    return msgspec.structs.replace(asked, **place)
