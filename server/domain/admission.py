"""Whether a place may be booked: the club's policy, the player's quota, the price, and what is taken."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from server.domain import capacity, errors, policy, quotas
from server.domain.bookings import Book, Booking, Move
from server.domain.effects import Daybook
from server.domain.pricing import Price


def admit(
    daybook: Daybook, request: Book | Move, now: datetime, *, ignoring: Booking | None, owner: UUID | None = None
) -> tuple[list[str], Price]:
    """Policy, then price, then capacity. Returns the rules that staff overrode, and the price.

    What the booking that is `ignoring`d holds counts as free, and what is held for `owner` does. Raises what refuses it.
    """
    catalogue, party, interval = daybook.catalogue, request.party, request.interval
    court = catalogue.court_by_id.get(request.court_id)
    if court is None:
        raise errors.UnknownCourt(field="court_id")
    coach = capacity.coach_of(catalogue, request.coach_id)
    capacity.check_known(catalogue, request.equipment)
    if not isinstance(request, Book) or request.checked_at != catalogue.mark:
        keeps_start = ignoring is not None and ignoring.interval.start == interval.start
        policy.check_slot(
            catalogue, court, interval, now=now, tier=party.tier, staff=party.staff, keeps_start=keeps_start
        )
    overrides = []
    if catalogue.policy.verified_email_required and not party.verified:
        if not party.staff:
            raise errors.EmailUnverified
        overrides.append(errors.EmailUnverified.code)
    if party.suspended:
        if not party.staff:
            raise errors.Suspended
        overrides.append(errors.Suspended.code)
    if catalogue.policy.quotas.any_set:
        times = list(daybook.booked_times.get(party.user_id, ()))
        if ignoring is not None and ignoring.interval in times:
            times.remove(ignoring.interval)
        refusal = quotas.exceeded(catalogue, times, interval, now=now)
        if refusal is not None:
            if not party.staff:
                raise refusal
            overrides.append(refusal.code)
    price = daybook.quote(
        catalogue, court, interval, coach=coach, equipment=request.equipment, tier=party.tier, now=now
    )
    if request.expected_total is not None and request.expected_total != price.total:
        raise errors.PriceChanged(field="expected_total", price=msgspec.to_builtins(price))
    owner = ignoring.id if ignoring is not None else owner
    capacity.check_court(catalogue, daybook.taken, court, interval, owner, now=now, staff=party.staff)
    if coach is not None:
        capacity.check_coach(catalogue, daybook.taken, coach, interval, owner)
    capacity.check_pools(catalogue, daybook.taken, request.equipment, interval, owner)
    return overrides, price
