"""Whether one more booking would exceed what a player may hold (DOMAIN 12). Minutes are elapsed minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from server.domain import policy
from server.domain.catalogue import Catalogue
from server.domain.errors import QuotaExceeded
from server.domain.slots import Interval, local_day


def exceeded(
    catalogue: Catalogue, booked: Sequence[Interval], wanted: Interval, *, now: datetime
) -> QuotaExceeded | None:
    """The refusal that `wanted` deserves beside the bookings that the player already has, or None.

    A day's or week's minutes are those of the bookings that start in it; the week is the ISO week.
    """
    quotas = catalogue.policy.quotas
    limit = quotas.active_bookings
    if limit is not None and sum(interval.end > now for interval in booked) >= limit:
        return QuotaExceeded(
            f"You may hold {limit} booking{'s' if limit != 1 else ''} at a time. Cancel one or wait until it is played.",
            quota="active_bookings",
            limit=limit,
        )
    day = local_day(wanted.start, catalogue.tz)
    week = policy.iso_week(day)
    days = [(interval, local_day(interval.start, catalogue.tz)) for interval in booked]
    today = [interval for interval, of in days if of == day]
    this_week = [interval for interval, of in days if policy.iso_week(of) == week]

    def minutes(intervals: Sequence[Interval]) -> int:
        return sum(interval.minutes for interval in intervals) + wanted.minutes

    if (limit := quotas.minutes_per_day) is not None and minutes(today) > limit:
        return QuotaExceeded(f"You may book {limit} minutes a day.", quota="minutes_per_day", limit=limit)
    if (limit := quotas.minutes_per_week) is not None and minutes(this_week) > limit:
        return QuotaExceeded(f"You may book {limit} minutes a week.", quota="minutes_per_week", limit=limit)
    if (limit := quotas.prime_minutes_per_week) is not None:
        wanted_prime = policy.prime_minutes(catalogue, wanted)
        booked_prime = sum(policy.prime_minutes(catalogue, interval) for interval in this_week)
        if wanted_prime and booked_prime + wanted_prime > limit:
            return QuotaExceeded(
                f"You may book {limit} minutes of prime time a week.", quota="prime_minutes_per_week", limit=limit
            )
    return None
