"""Whether courts, coaches and pools are free: intervals are compared, never times of day (DOMAIN 1, 7-11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from server.domain import errors, policy
from server.domain.catalogue import Catalogue, Coach, Court
from server.domain.pricing import EquipmentItem
from server.domain.slots import Interval


class Taken(msgspec.Struct, frozen=True):
    """One active use of a resource. `owner` is the id of its booking or closure."""

    owner: UUID
    kind: str
    """`booked`, `coaching`, `held` or `closed`."""
    start: datetime
    end: datetime
    quantity: int = 1


Uses = Mapping[int, Sequence[Taken]]
"""Resource id → its active uses."""


def coach_of(catalogue: Catalogue, coach_id: int | None) -> Coach | None:
    """The coach of that id. Raises UnknownCoach."""
    if coach_id is None:
        return None
    coach = catalogue.coach_by_id.get(coach_id)
    if coach is None:
        raise errors.UnknownCoach(field="coach_id")
    return coach


def check_known(catalogue: Catalogue, items: Iterable[EquipmentItem]) -> None:
    """Raises UnknownEquipment for an item that the club does not have."""
    for index, item in enumerate(items):
        if item.equipment_id not in catalogue.equipment_by_id:
            raise errors.UnknownEquipment(field=f"equipment[{index}].equipment_id")


def check_court(
    catalogue: Catalogue,
    taken: Uses,
    court: Court,
    interval: Interval,
    ignoring: UUID | None,
    *,
    now: datetime,
    staff: bool,
) -> None:
    """Raises ClosedCourt, SlotTaken or LeavesGap where the court is not free for all of the interval."""
    for unit in court.units:
        for use in taken.get(unit, ()):
            if use.start < interval.end and interval.start < use.end and use.owner != ignoring:
                raise errors.ClosedCourt if use.kind == "closed" else errors.SlotTaken
    if catalogue.policy.refuse_gaps and not staff:
        busy = [
            Interval(use.start, use.end) for unit in court.units for use in taken.get(unit, ()) if use.owner != ignoring
        ]
        policy.check_gaps(catalogue, court, interval, busy, now=now)


def check_coach(catalogue: Catalogue, taken: Uses, coach: Coach, interval: Interval, ignoring: UUID | None) -> None:
    """Raises CoachUnavailable where the coach is off duty or busy during the interval."""
    if not policy.coach_on_duty(catalogue, coach, interval):
        raise errors.CoachUnavailable(
            f"{coach.name} is not on duty for all of that time. Choose another time or coach.", field="coach_id"
        )
    for use in taken.get(coach.resource_id, ()):
        if use.start < interval.end and interval.start < use.end and use.owner != ignoring:
            raise errors.CoachUnavailable(
                f"{coach.name} is busy at that time. Choose another time or coach.", field="coach_id"
            )


def check_pools(
    catalogue: Catalogue, taken: Uses, items: Iterable[EquipmentItem], interval: Interval, ignoring: UUID | None
) -> None:
    """Raises EquipmentUnavailable where peak concurrent use would exceed a pool's quantity (DOMAIN 8)."""
    asked: dict[int, int] = {}
    for index, item in enumerate(items):
        pool = catalogue.equipment_by_id[item.equipment_id]
        # An item that is named twice is wanted twice.
        wanted = asked[pool.id] = asked.get(pool.id, 0) + item.quantity
        used = peak_use(taken.get(pool.resource_id, ()), interval, ignoring)
        if used + wanted > pool.quantity:
            left = max(pool.quantity - used, 0)
            raise errors.EquipmentUnavailable(
                f"{left} of {pool.name} left at that time. Ask for fewer."
                if left
                else f"Nothing of {pool.name} is left at that time. Leave it out, or choose another time.",
                field=f"equipment[{index}].quantity",
                equipment_id=pool.id,
                remaining=left,
            )


def peak_use(taken: Iterable[Taken], interval: Interval, ignoring: UUID | None = None) -> int:
    """The largest quantity in use at any one moment of the interval."""
    overlapping = [
        use for use in taken if use.start < interval.end and interval.start < use.end and use.owner != ignoring
    ]
    # Use only grows where something begins, so the peak is at the interval's start or at one of these.
    moments = {interval.start, *(use.start for use in overlapping if use.start > interval.start)}
    return max((sum(use.quantity for use in overlapping if use.start <= at < use.end) for at in moments), default=0)
