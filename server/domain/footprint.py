"""What a request touches: the resource-days and people to lock, and the units whose use is read.

Locking a court means locking the day of every court that shares one of its units, because their rows on the
grid change with it (DOMAIN 11).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from server.domain.bookings import Book, Booking, Cancel, Close, Move, Reopen, Request
from server.domain.catalogue import Catalogue
from server.domain.pricing import EquipmentItem
from server.domain.slots import DAY, Interval, days_of

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


def footprint_of(catalogue: Catalogue, requests: Iterable[Request]) -> Footprint:
    """All that a batch of requests touches."""
    footprint = Footprint(locks=set(), reads=set(), people=set())
    limited = catalogue.policy.quotas.any_set
    for request in requests:
        if request.idempotency is not None:
            footprint.people.add(request.idempotency.user_id)
        match request:
            case Book():
                footprint.add_place(catalogue, request.court_id, request.interval, request.coach_id, request.equipment)
                if limited:
                    footprint.people.add(request.party.user_id)
            case Move():
                footprint.add_booking(catalogue, request.seen)
                footprint.add_place(catalogue, request.court_id, request.interval, request.coach_id, request.equipment)
                if limited:
                    footprint.people.add(request.party.user_id)
            case Cancel():
                footprint.add_booking(catalogue, request.seen)
            case Close():
                footprint.add_courts(
                    catalogue, request.closure.court_ids, days_of(request.closure.interval, catalogue.tz)
                )
                if request.replaces is not None:
                    footprint.add_courts(
                        catalogue, request.replaces.court_ids, days_of(request.replaces.interval, catalogue.tz)
                    )
                for booking in request.seen:
                    footprint.add_booking(catalogue, booking)
            case Reopen():
                footprint.add_courts(
                    catalogue, request.closure.court_ids, days_of(request.closure.interval, catalogue.tz)
                )
    return footprint
