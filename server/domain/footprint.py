"""What a request touches: the resource-days and people to lock, and the units whose use is read.

A request that frees something is followed by those who wait for it, so what they need is touched too.
Locking a court means locking the day of every court that shares one of its units, because their rows on the
grid change with it (DOMAIN 11).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

import msgspec

from server.domain.bookings import (
    Book,
    Booking,
    Cancel,
    Claim,
    Close,
    Expire,
    Join,
    Leave,
    Move,
    Promote,
    Rematch,
    Reopen,
    Request,
)
from server.domain.catalogue import Catalogue
from server.domain.pricing import EquipmentItem
from server.domain.slots import DAY, Interval, days_of
from server.domain.waitlist import Entry, Freed, concerned, courts_of, resources_of

ResourceDay = tuple[int, date]


class Footprint(msgspec.Struct):
    """Resource-days to lock, people to lock, and (resource, day) pairs to read."""

    locks: set[ResourceDay]
    reads: set[ResourceDay]
    people: set[int]

    def add_courts(self, catalogue: Catalogue, court_ids: Iterable[int], days: Iterable[date]) -> None:
        days = tuple(days)
        for resource in rows_changed_with(catalogue, court_ids):
            for day in days:
                self.locks.add((resource, day))
        for court_id in court_ids:
            for unit in catalogue.units_of_court.get(court_id, ()):
                for day in days:
                    self.reads.add((unit, day))

    def add_place(
        self,
        catalogue: Catalogue,
        court_id: int,
        interval: Interval,
        coach_id: int | None,
        equipment: tuple[EquipmentItem, ...],
    ) -> None:
        days = days_of(interval, catalogue.tz)
        self.add_courts(catalogue, (court_id,), days)
        if catalogue.policy.refuse_gaps and days:
            # The neighbours beside a booking near midnight. Read and not locked: a race leaves a gap at worst.
            for unit in catalogue.units_of_court.get(court_id, ()):
                self.reads |= {(unit, days[0] - DAY), (unit, days[-1] + DAY)}
        for resource in companions(catalogue, coach_id, equipment):
            for day in days:
                self.locks.add((resource, day))
                self.reads.add((resource, day))

    def add_booking(self, catalogue: Catalogue, booking: Booking) -> None:
        self.add_place(catalogue, booking.court_id, booking.interval, booking.coach_id, booking.equipment)

    def add_asked(self, catalogue: Catalogue, request: Book | Cancel | Move) -> None:
        """Where a booking is and where it is wanted, and its player where their quota counts."""
        if not isinstance(request, Book):
            self.add_booking(catalogue, request.seen)
        if not isinstance(request, Cancel):
            self.add_place(catalogue, request.court_id, request.interval, request.coach_id, request.equipment)
            if catalogue.policy.quotas.any_set or (isinstance(request, Book) and request.waits is not None):
                self.people.add(request.party.user_id)

    def add_entry(self, catalogue: Catalogue, entry: Entry) -> None:
        for court in courts_of(catalogue, entry):
            self.add_place(catalogue, court.id, entry.interval, entry.coach_id, entry.equipment)

    def add_named(self, catalogue: Catalogue, request: Join | Leave | Expire | Claim | Promote) -> None:
        """What a request of the waitlist touches, and its player where their quota or their other bookings count."""
        entry = request.entry if isinstance(request, Join) else request.seen
        self.add_entry(catalogue, entry)
        if not isinstance(request, Leave | Expire):
            self.people.add(entry.user_id)

    def covers(self, other: Footprint) -> bool:
        """Whether all that the other one locks and reads is locked and read with this one."""
        return other.locks <= self.locks and other.reads <= self.reads


def companions(catalogue: Catalogue, coach_id: int | None, equipment: Iterable[EquipmentItem]) -> list[int]:
    """Resource ids of the coach and the equipment.

    A part that is retired by now is left out: what was booked with it has ended or has changed since, and is
    refused or found stale under the locks.
    """
    parts = [catalogue.equipment_by_id.get(item.equipment_id) for item in equipment]
    found = [part.resource_id for part in parts if part is not None]
    coach = catalogue.coach_by_id.get(coach_id) if coach_id is not None else None
    if coach is not None:
        found.append(coach.resource_id)
    return found


def rows_changed_with(catalogue: Catalogue, court_ids: Iterable[int]) -> set[int]:
    """The resources whose day changes with these courts: their units and every court that shares one."""
    found: set[int] = set()
    for court_id in court_ids:
        for unit in catalogue.units_of_court.get(court_id, ()):
            found.add(unit)
            found.update(catalogue.courts_on_unit[unit])
    return found


def footprint_of(catalogue: Catalogue, requests: Collection[Request], entries: Collection[Entry] = ()) -> Footprint:
    """All that a batch of requests touches; `entries` are the waiters whom it could serve, and some more."""
    footprint = Footprint(locks=set(), reads=set(), people=set())
    for request in requests:
        if request.idempotency is not None:
            footprint.people.add(request.idempotency.user_id)
        match request:
            case Book() | Cancel() | Move():
                footprint.add_asked(catalogue, request)
            case Close():
                closures = (request.closure,) if request.replaces is None else (request.closure, request.replaces)
                for closure in closures:
                    footprint.add_courts(catalogue, closure.court_ids, days_of(closure.interval, catalogue.tz))
                for booking in request.seen:
                    footprint.add_booking(catalogue, booking)
            case Reopen():
                closure = request.closure
                footprint.add_courts(catalogue, closure.court_ids, days_of(closure.interval, catalogue.tz))
            case Join() | Leave() | Expire() | Claim() | Promote():
                footprint.add_named(catalogue, request)
            case Rematch():
                pass  # it frees nothing of its own
    waiters = concerned(catalogue, entries, freed_by(catalogue, requests, entries))
    for entry in (*waiters, *_given_up(catalogue, requests, entries)):
        footprint.add_entry(catalogue, entry)
    return footprint


def freed_by(catalogue: Catalogue, requests: Iterable[Request], entries: Collection[Entry]) -> list[Freed]:
    """All that the requests may free, with what is held for the entries and may be freed by the way."""
    freed = []
    for request in requests:
        match request:
            case Cancel() | Move():
                freed.append(freed_with(catalogue, request.seen, request.seen.court_id))
            case Close():
                freed += [freed_with(catalogue, booking, booking.court_id) for booking in request.seen]
                if request.replaces is not None:
                    freed.append(Freed(request.replaces.interval, units_of(catalogue, request.replaces.court_ids)))
            case Reopen():
                freed.append(Freed(request.closure.interval, units_of(catalogue, request.closure.court_ids)))
            case Leave() | Claim() | Promote() | Expire():
                freed.append(_freed_by_waiting(catalogue, request.seen))
            case Rematch():
                freed.append(Freed(request.interval, None))
            case Book() | Join():
                pass
    freed += [_freed_by_waiting(catalogue, entry) for entry in _given_up(catalogue, requests, entries)]
    return freed


def waiting_spans(catalogue: Catalogue, requests: Iterable[Request], entries: Collection[Entry] = ()) -> list[Interval]:
    """The times of the waiters who have to be read: whom what is freed could serve, and among whom somebody joins."""
    requests = list(requests)
    reach = DAY if catalogue.policy.refuse_gaps else 0 * DAY
    spans = [
        Interval(part.interval.start - reach, part.interval.end + reach)
        for part in freed_by(catalogue, requests, entries)
    ]
    for request in requests:
        match request:
            case Join():
                spans.append(request.entry.interval)
            case Book() if request.waits is not None:
                spans.append(request.interval)
            case Close():
                spans.append(request.closure.interval)  # what is held there is given up
            case _:
                pass
    return spans


def units_of(catalogue: Catalogue, court_ids: Iterable[int]) -> frozenset[int]:
    """The units that the courts consist of."""
    return frozenset(unit for court_id in court_ids for unit in catalogue.units_of_court.get(court_id, ()))


def freed_with(catalogue: Catalogue, wish: Booking | Entry, court_id: int) -> Freed:
    """What becomes free when a booking, or what is held for an entry, gives that court up."""
    found = set(units_of(catalogue, (court_id,)))
    found.update(companions(catalogue, wish.coach_id, wish.equipment))
    return Freed(wish.interval, frozenset(found), wish.user_id)


def _freed_by_waiting(catalogue: Catalogue, entry: Entry) -> Freed:
    return Freed(entry.interval, frozenset(resources_of(catalogue, entry)), entry.user_id)


def _given_up(catalogue: Catalogue, requests: Iterable[Request], entries: Collection[Entry]) -> list[Entry]:
    """Those whose hold goes with a request for something else: a closure, or a booking of the same player."""
    held = [entry for entry in entries if entry.hold is not None]
    if not held:
        return []
    found = []
    for request in requests:
        match request:
            case Close():
                units = units_of(catalogue, request.closure.court_ids)
                found += [
                    entry for entry in held
                    if entry.hold is not None
                    and entry.interval.overlaps(request.closure.interval)
                    and not units.isdisjoint(units_of(catalogue, (entry.hold.court_id,)))
                ]  # fmt: skip
            case Claim() | Promote():
                found += [
                    entry for entry in held
                    if entry.user_id == request.seen.user_id and entry.interval.overlaps(request.seen.interval)
                ]  # fmt: skip
            case _:
                pass
    return found
