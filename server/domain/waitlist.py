"""Who waits for what, and who is next (DOMAIN 19-21).

An entry is a wish: a court or any court of a sport, an interval, and with it coach and equipment. Waiters stand in
one line by priority, then by the time at which they joined. What is free is compared by interval, never by hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from server.domain.capacity import coach_of
from server.domain.catalogue import Catalogue, Court
from server.domain.errors import Refusal
from server.domain.pricing import EquipmentItem, quote
from server.domain.slots import DAY, MINUTE, Interval

MOST_ENTRIES = 20
"""For how many slots one player may wait in a club."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A court that is kept for an entry, with the coach and the equipment that it wants."""

    court_id: int
    ref: str
    """Its name on the grid."""
    price: int
    """What it cost, in minor units, when it was held or offered."""
    until: datetime | None = None
    """Until when it is offered. None: the worker has yet to book or to offer it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits. Either `court_id` or `kind` is set. `tier` and `verified` are as they are now."""

    id: UUID
    club_id: int
    user_id: int
    court_id: int | None
    kind: str | None
    interval: Interval
    coach_id: int | None
    equipment: tuple[EquipmentItem, ...]
    auto_book: bool
    """Book at once; otherwise it is offered."""
    max_price: int | None
    """Minor units; above it nothing is booked at once."""
    not_after: datetime | None
    """From then on it is not wanted any more."""
    priority: int
    created_at: datetime
    hold: Hold | None = None
    tier: str | None = None
    verified: bool = True
    suspended: bool = False

    @property
    def slot_hash(self) -> str:
        return slot_hash(self.club_id, self.court_id if self.court_id is not None else self.kind or "", self.interval)

    @property
    def rank(self) -> tuple[int, datetime, UUID]:
        """The place in the line: who has the smaller one is served first."""
        return (-self.priority, self.created_at, self.id)


class Ended(msgspec.Struct, frozen=True):
    """An entry that waits no more; `booking_id` is what it got, or what closed it."""

    entry_id: UUID
    user_id: int
    outcome: str
    """`promoted`, `left`, `expired` or `closed` (by another booking of the same player)."""
    booking_id: UUID | None


class Freed(msgspec.Struct, frozen=True):
    """When something became free, and which resources (unit, coach, pool); None is any."""

    interval: Interval
    resources: frozenset[int] | None
    user_id: int | None = None
    """Whose it was. They have nothing else to do at that time any more, so whatever they wait for then may be had."""


def slot_hash(club_id: int, place: int | str, interval: Interval) -> str:
    """The name of a slot: the same for the same instants however they were written (DOMAIN 19).

    The first 32 hex digits of SHA-256 over `club|place|start|end`: the club's id; a court's id or `any:` and the
    kind; both instants in UTC as `YYYY-MM-DDTHH:MM:SSZ`.
    """
    named = str(place) if isinstance(place, int) else f"any:{place}"
    start, end = (instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for instant in (interval.start, interval.end))
    return hashlib.sha256(f"{club_id}|{named}|{start}|{end}".encode()).hexdigest()[:32]


def courts_of(catalogue: Catalogue, entry: Entry) -> list[Court]:
    """The courts that would do, in the club's order; none if it was retired."""
    if entry.court_id is not None:
        court = catalogue.court_by_id.get(entry.court_id)
        return [court] if court is not None else []
    return [court for court in catalogue.courts if court.kind == entry.kind]


def deadline(catalogue: Catalogue, entry: Entry) -> datetime:
    """From when on nothing is held for the entry any more (DOMAIN 21)."""
    cutoff = entry.interval.start - catalogue.policy.offer_cutoff * MINUTE
    return cutoff if entry.not_after is None else min(cutoff, entry.not_after)


def at_todays_price(catalogue: Catalogue, entry: Entry, now: datetime) -> Entry:
    """The entry with what its hold would cost if it were booked now. Prices may change while it is offered, and so may
    which of them holds, where a rule looks at how long ahead one books.
    """
    held = entry.hold
    court = catalogue.court_by_id.get(held.court_id) if held is not None else None
    if held is None or court is None:
        return entry
    try:
        coach = coach_of(catalogue, entry.coach_id)
        price = quote(
            catalogue, court, entry.interval, coach=coach, equipment=entry.equipment, tier=entry.tier, now=now
        )
    except Refusal:  # a coach or a pool was retired: claiming it says so
        return entry
    return msgspec.structs.replace(entry, hold=msgspec.structs.replace(held, price=price.total))


def resources_of(catalogue: Catalogue, entry: Entry) -> set[int]:
    """Every resource that could serve the entry: units of its courts, its coach, its pools."""
    found = {unit for court in courts_of(catalogue, entry) for unit in court.units}
    coach = catalogue.coach_by_id.get(entry.coach_id) if entry.coach_id is not None else None
    if coach is not None:
        found.add(coach.resource_id)
    pools = (catalogue.equipment_by_id.get(item.equipment_id) for item in entry.equipment)
    found.update(pool.resource_id for pool in pools if pool is not None)
    return found


def concerned(catalogue: Catalogue, entries: Iterable[Entry], freed: Collection[Freed]) -> list[Entry]:
    """Those who wait for nothing that is held already and whom one of these could serve, first in line first."""
    if not freed:
        return []
    # Where gaps are refused, a neighbour that goes away changes what may be booked beside it.
    reach = DAY if catalogue.policy.refuse_gaps else 0 * DAY
    spans = [(part.interval.start - reach, part.interval.end + reach, part) for part in freed]
    found = []
    for entry in entries:
        if entry.hold is not None:
            continue
        start, end = entry.interval.start, entry.interval.end
        near = [part for since, until, part in spans if start < until and since < end]
        if near and (
            any(part.resources is None or part.user_id == entry.user_id for part in near)
            or _meets(resources_of(catalogue, entry), near)
        ):
            found.append(entry)
    return sorted(found, key=lambda entry: entry.rank)


def _meets(resources: set[int], near: Iterable[Freed]) -> bool:
    return any(part.resources is not None and not resources.isdisjoint(part.resources) for part in near)


def position(catalogue: Catalogue, entries: Iterable[Entry], entry: Entry) -> int:
    """The entry's place in the line, from 1: those before it who wait for an overlapping time on a court that it
    could have count.
    """
    units = {unit for court in courts_of(catalogue, entry) for unit in court.units}
    return 1 + sum(
        other.rank < entry.rank
        and other.club_id == entry.club_id
        and other.interval.overlaps(entry.interval)
        and any(unit in units for court in courts_of(catalogue, other) for unit in court.units)
        for other in entries
    )
