"""What is free for an interval, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from server.domain import capacity, policy, pricing
from server.domain.capacity import Taken
from server.domain.catalogue import Catalogue, Coach, Court, Equipment
from server.domain.errors import BadDuration, BadTime, LeavesGap, OutsideHorizon, OutsideHours, Refusal
from server.domain.pricing import Price
from server.domain.slots import Interval


class FreeCourt(msgspec.Struct, frozen=True):
    """A court that nobody has for all of the interval."""

    court: Court
    price: Price
    refusal: Refusal | None
    """Why it cannot be booked for exactly this interval all the same: its length, its start, the horizon or a gap."""


class FreeCoach(msgspec.Struct, frozen=True):
    """A coach who is on duty and free for all of the interval, and the price in minor units."""

    coach: Coach
    price: int


class FreeEquipment(msgspec.Struct, frozen=True):
    """A pool, what its peak use leaves over the interval, and the price of one item in minor units."""

    equipment: Equipment
    remaining: int
    price: int


class Availability(msgspec.Struct, frozen=True):
    """All that is free for an interval."""

    courts: list[FreeCourt]
    coaches: list[FreeCoach]
    equipment: list[FreeEquipment]


def available(
    catalogue: Catalogue,
    taken: Mapping[int, Sequence[Taken]],
    interval: Interval,
    *,
    now: datetime,
    tier: str | None,
    staff: bool,
) -> Availability:
    """What is free for the interval. A court that is closed then, or a club that is, has nothing free."""
    courts = []
    for court in catalogue.courts:
        if _is_taken(taken, court.units, interval):
            continue
        refusal: Refusal | None = None
        try:
            policy.check_slot(catalogue, court, interval, now=now, tier=tier, staff=staff)
            capacity.check_court(catalogue, taken, court, interval, None, now=now, staff=staff)
        except OutsideHours:
            continue
        except (BadDuration, BadTime, OutsideHorizon, LeavesGap) as reason:
            refusal = reason
        if refusal is not None and not policy.is_open(catalogue, interval):
            continue
        price = pricing.quote(catalogue, court, interval, coach=None, equipment=(), tier=tier, now=now)
        courts.append(FreeCourt(court, price, refusal))
    coaches = [
        FreeCoach(coach, pricing.half_even(coach.rate * interval.minutes, 60))
        for coach in catalogue.coaches
        if not _is_taken(taken, (coach.resource_id,), interval) and policy.coach_on_duty(catalogue, coach, interval)
    ]
    equipment = [
        FreeEquipment(
            item,
            max(item.quantity - capacity.peak_use(taken.get(item.resource_id, ()), interval), 0),
            item.price if item.per == "booking" else pricing.half_even(item.price * interval.minutes, 60),
        )
        for item in catalogue.equipment
    ]
    return Availability(courts, coaches, equipment)


def _is_taken(taken: Mapping[int, Sequence[Taken]], resources: Sequence[int], interval: Interval) -> bool:
    start, end = interval.start, interval.end
    return any(use.start < end and start < use.end for resource in resources for use in taken.get(resource, ()))
