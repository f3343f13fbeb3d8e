"""What is free for an interval, and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from server.domain import policy, pricing
from server.domain.capacity import Uses, check_court, peak_use
from server.domain.catalogue import Catalogue, Coach, Court, Equipment
from server.domain.errors import BadDuration, BadTime, LeavesGap, OutsideHorizon, OutsideHours, Refusal
from server.domain.pricing import Price
from server.domain.slots import Interval, day_interval, without


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


def offered(catalogue: Catalogue, interval: Interval, *, now: datetime, tier: str | None, staff: bool) -> Availability:
    """What the club has to give for the interval, as if nobody had taken anything. A court that is not open then, or
    a club that is not, has nothing to give. The same for all of a minute: rules look at whole minutes."""
    courts = []
    for court in catalogue.courts:
        refusal: Refusal | None = None
        try:
            policy.check_slot(catalogue, court, interval, now=now, tier=tier, staff=staff)
        except OutsideHours:
            continue
        except (BadDuration, BadTime, OutsideHorizon) as reason:
            if not policy.is_open(catalogue, interval):
                continue
            refusal = reason
        price = pricing.quote(catalogue, court, interval, coach=None, equipment=(), tier=tier, now=now)
        courts.append(FreeCourt(court, price, refusal))
    coaches = [
        FreeCoach(coach, pricing.half_even(coach.rate * interval.minutes, 60))
        for coach in catalogue.coaches
        if policy.coach_on_duty(catalogue, coach, interval)
    ]
    equipment = [
        FreeEquipment(
            item,
            item.quantity,
            item.price if item.per == "booking" else pricing.half_even(item.price * interval.minutes, 60),
        )
        for item in catalogue.equipment
    ]
    return Availability(courts, coaches, equipment)


def left_of(
    offer: Availability, catalogue: Catalogue, taken: Uses, interval: Interval, *, now: datetime, staff: bool
) -> Availability:
    """What is left of an offer where this is taken. A part that stays as it is, is the same object."""
    courts = [
        _unless_gap(free, catalogue, taken, interval, now=now, staff=staff)
        for free in offer.courts
        if not _is_taken(taken, free.court.units, interval)
    ]
    coaches = [free for free in offer.coaches if not _is_taken(taken, (free.coach.resource_id,), interval)]
    equipment = [
        msgspec.structs.replace(
            pool, remaining=max(pool.remaining - peak_use(taken.get(pool.equipment.resource_id, ()), interval), 0)
        )
        for pool in offer.equipment
    ]
    return Availability(courts, coaches, equipment)


def free_times(catalogue: Catalogue, taken: Uses, day: date) -> list[tuple[Coach, list[Interval]]]:
    """When each coach is on duty and free, from that local day's midnight until the last duty that begins on it ends."""
    dawn = day_interval(day, catalogue.tz).start
    return [
        (
            coach,
            without(
                [
                    Interval(max(part.start, dawn), part.end)
                    for part in policy.coach_duty(catalogue, coach, day)
                    if part.end > dawn
                ],
                [Interval(use.start, use.end) for use in taken.get(coach.resource_id, ())],
            ),
        )
        for coach in catalogue.coaches
    ]


def _unless_gap(
    free: FreeCourt, catalogue: Catalogue, taken: Uses, interval: Interval, *, now: datetime, staff: bool
) -> FreeCourt:
    if free.refusal is None:
        try:
            check_court(catalogue, taken, free.court, interval, None, now=now, staff=staff)
        except LeavesGap as reason:
            return msgspec.structs.replace(free, refusal=reason)
    return free


def _is_taken(taken: Uses, resources: Sequence[int], interval: Interval) -> bool:
    start, end = interval.start, interval.end
    return any(use.start < end and start < use.end for resource in resources for use in taken.get(resource, ()))
