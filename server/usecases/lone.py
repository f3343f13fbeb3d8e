"""A booking that comes alone, decided on what the process knows and confirmed by the statement that writes it.

The desk's way takes five round trips, and a round trip costs more than the work in it. What a process has read or
committed of a day it keeps (`occupancy`), with the versions of its resource-days. A version that is still the same
under its lock says that what is known is what is committed. If it is not, or if what is known refuses the booking,
nothing is written and the desk goes its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from server.domain.bookings import Accepted, Book, Request
from server.domain.catalogue import Catalogue
from server.domain.daybook import settle
from server.domain.effects import Daybook, Settlement
from server.domain.footprint import ResourceDay, footprint_of
from server.domain.grid import DayState, taken_of
from server.domain.slots import days_of
from server.usecases.ids import uuid7

Known = Callable[[int, date], DayState | None]
"""What the process keeps of a club's day, however old."""


class Lone(NamedTuple):
    """A booking that is granted if the versions are the committed ones."""

    settlement: Settlement
    versions: dict[ResourceDay, int]


def decide_alone(catalogue: Catalogue, requests: Sequence[Request], known: Known, now: datetime) -> Lone | None:
    """What one booking comes to by what is known; None where that does not say, or refuses it."""
    request = requests[0]
    if len(requests) > 1 or not isinstance(request, Book) or request.waits is not None:
        return None
    if catalogue.policy.quotas.any_set:
        return None
    states = {day: known(catalogue.club_id, day) for day in days_of(request.interval, catalogue.tz)}
    days = [state for state in states.values() if state is not None and state.mark == catalogue.mark]
    if len(days) < len(states):
        return None
    footprint = footprint_of(catalogue, requests)
    if not footprint.reads <= footprint.locks:
        return None
    versions: dict[ResourceDay, int] = {}
    for resource, day in footprint.locks:
        state = states.get(day)
        # Without a row there is nothing to lock: the first booking of a resource-day makes it, on the desk's way.
        if state is None or not state.versions.get(resource):
            return None
        versions[resource, day] = state.versions[resource]
    taken = taken_of(days)
    daybook = Daybook(catalogue=catalogue, taken={resource: list(taken.get(resource, ())) for resource, _ in versions})
    settlement = settle(daybook, requests, now=now, new_id=lambda: uuid7(now))
    if not isinstance(settlement.outcomes[0], Accepted) or not settlement.writes.touched <= versions.keys():
        return None
    return Lone(settlement, versions)
