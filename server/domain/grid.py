"""The grid: who has which court on a local day, row by row, and what that leaves free.

A row is one court's whole day. It is made of allocations alone; opening hours stand beside the rows. Nothing in
it is personal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from server.domain import policy
from server.domain.capacity import Taken
from server.domain.catalogue import Catalogue, Court
from server.domain.effects import Settlement
from server.domain.slots import Interval, days_of, isoformat, merged


class Use(msgspec.Struct, frozen=True):
    """One active allocation of a resource, as a watcher may see it."""

    ref: str
    kind: str
    start: datetime
    end: datetime
    quantity: int
    note: str | None
    until: datetime | None

    def as_taken(self) -> Taken:
        return Taken(NOBODY, self.kind, self.start, self.end, self.quantity)


NOBODY = UUID(int=0)


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stretch of a court's day that is not free; `k` is booked, coaching, held or closed."""

    s: str
    e: str
    k: str
    ref: str
    until: str | None = None
    reason: str | None = None


class Row(msgspec.Struct, frozen=True):
    """One court's day: its number, its version and what is not free on it."""

    court: int
    v: int
    cells: tuple[Cell, ...]


class DayState(msgspec.Struct, frozen=True, kw_only=True):
    """One club-day as it was committed: versions and uses of all its resources, read in one snapshot."""

    club_id: int
    day: date
    epoch: str
    config_version: int
    versions: dict[int, int]
    """Resource id → version; a resource that is missing here was never touched and is at 0."""
    uses: dict[int, tuple[Use, ...]]
    total: int
    """The sum of the versions: it grows with every change."""

    @property
    def mark(self) -> tuple[str, int]:
        """The mark of the catalogue that it belongs to."""
        return self.epoch, self.config_version


def grown(state: DayState, catalogue: Catalogue, settlement: Settlement) -> DayState | None:
    """The day after a settlement that was written on top of it; None if it was written on top of another state, or
    ended something, which the settlement does not tell by name."""
    if settlement.writes.freed or state.mark != catalogue.mark:
        return None
    versions = {resource: version for (resource, day), version in settlement.versions.items() if day == state.day}
    if any(state.versions.get(resource, 0) + 1 != version for resource, version in versions.items()):
        return None
    uses = dict(state.uses)
    for new in settlement.writes.allocations:
        if state.day in days_of(Interval(new.start, new.end), catalogue.tz):
            use = Use(new.ref, new.kind, new.start, new.end, new.quantity, new.note, new.until)
            uses[new.resource_id] = (*uses.get(new.resource_id, ()), use)
    return msgspec.structs.replace(
        state, versions={**state.versions, **versions}, uses=uses, total=state.total + len(versions)
    )


def same_during(old: DayState, new: DayState, interval: Interval) -> bool:
    """Whether the same uses overlap the interval in both states of a day. A no may be wrong, a yes never is.

    What did not change between two states is the same object in both.
    """
    return old.uses.keys() <= new.uses.keys() and all(
        before is uses or _during(before, interval) == _during(uses, interval)
        for resource, uses in new.uses.items()
        for before in (old.uses.get(resource, ()),)
    )


def _during(uses: Iterable[Use], interval: Interval) -> list[Use]:
    start, end = interval.start, interval.end
    return [use for use in uses if use.start < end and start < use.end]


def row_of(catalogue: Catalogue, court: Court, state: DayState) -> Row:
    """The court's row. A composite court shows what occupies any of its units, once."""
    uses = {use.ref: use for unit in court.units for use in state.uses.get(unit, ())}
    cells = tuple(
        Cell(
            isoformat(use.start, catalogue.tz),
            isoformat(use.end, catalogue.tz),
            use.kind,
            use.ref,
            isoformat(use.until, catalogue.tz) if use.until is not None else None,
            use.note,
        )
        for use in sorted(uses.values(), key=lambda use: (use.start, use.end, use.ref))
    )
    return Row(court.id, state.versions.get(court.resource_id, 0), cells)


def open_of(catalogue: Catalogue, day: date) -> list[tuple[str, str]]:
    """The opening hours of a local day as pairs of ISO instants."""
    return [
        (isoformat(interval.start, catalogue.tz), isoformat(interval.end, catalogue.tz))
        for interval in policy.open_intervals(catalogue, day)
    ]


def digest_of(epoch: str, versions: Iterable[tuple[int, int]]) -> str:
    """First 16 hex digits of SHA-256 over the epoch, then `;court:v` in ascending court number (DESIGN 5)."""
    text = epoch + "".join(f";{court}:{version}" for court, version in sorted(versions))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def etag_of(catalogue: Catalogue, states: Sequence[DayState]) -> str:
    """A strong ETag of one or more days of a club: epoch, configuration, court ids and versions."""
    mark = hashlib.sha256(f"{catalogue.config_version}".encode())
    for state in states:
        versions = [(court.id, state.versions.get(court.resource_id, 0)) for court in catalogue.courts]
        mark.update(f"/{state.day}/{digest_of(state.epoch, versions)}".encode())
    return f'"{mark.hexdigest()[:32]}"'


def fullness(catalogue: Catalogue, state: DayState) -> float:
    """The share of the day's open court time that is taken, from 0 to 1."""
    opening = policy.open_intervals(catalogue, state.day)
    seconds_open = sum((part.end - part.start).total_seconds() for part in opening) * len(catalogue.courts)
    if not seconds_open:
        return 1.0
    seconds_taken = 0.0
    for court in catalogue.courts:
        busy = merged(Interval(use.start, use.end) for unit in court.units for use in state.uses.get(unit, ()))
        for part in opening:
            for use in busy:
                seconds = (min(part.end, use.end) - max(part.start, use.start)).total_seconds()
                seconds_taken += max(seconds, 0.0)
    return round(seconds_taken / seconds_open, 4)


def taken_of(states: Iterable[DayState]) -> Mapping[int, Sequence[Taken]]:
    """The uses of several days together; one that crosses midnight counts once."""
    together: dict[int, dict[tuple[str, datetime], Taken]] = {}
    for state in states:
        for resource, uses in state.uses.items():
            known = together.setdefault(resource, {})
            for use in uses:
                known[(use.ref, use.start)] = use.as_taken()
    return {resource: tuple(known.values()) for resource, known in together.items()}
