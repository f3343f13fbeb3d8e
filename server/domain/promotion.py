"""The waitlist at work: join, leave, hold what became free for the first who can have it, promote, claim, expire.

Whatever frees something is followed by `match` in the same batch, so nobody jumps the queue between a cancellation and
the worker (DOMAIN 21). A hold is not a booking yet: the player's own lock is not held then, so `promote` and `claim`
look at everything again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.domain import capacity, effects, errors, policy, waitlist
from server.domain.admission import admit
from server.domain.bookings import (
    Accepted,
    Book,
    Claim,
    Expire,
    Join,
    Leave,
    Outcome,
    Party,
    Promote,
    Rematch,
)
from server.domain.catalogue import Catalogue, Court
from server.domain.effects import Daybook, Writes
from server.domain.errors import Refusal
from server.domain.events import AuditEvent, Message
from server.domain.pricing import Price
from server.domain.slots import DAY, MINUTE, Interval, at_minute, local_day
from server.domain.waitlist import Entry, Freed, Hold

LEAD = timedelta(minutes=1)
"""How long before a day is released, or a gap may be left, waiters are served: nobody else may book then, or jump."""
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request's turn in its batch: what there is, what is written, when it is, and where ids come from."""

    daybook: Daybook
    writes: Writes
    now: datetime
    new_id: Callable[[], UUID]

    def note(
        self, event_type: str, entry: Entry, *, by: int | None = None, op_id: UUID | None = None, **more: Any
    ) -> None:
        """Write to the audit trail; `op_id` names it, if this is what it was asked for."""
        self.writes.audit.append(AuditEvent.of_entry(op_id or self.new_id(), event_type, entry, by, more))

    def mail(self, kind: str, entry: Entry, **more: Any) -> None:
        """Have the player told."""
        payload = {"entry_id": str(entry.id), "user_id": entry.user_id, **more}
        self.writes.outbox.append(Message(self.new_id(), entry.club_id, kind, payload))

    def later(self, kind: str, entry: Entry, when: datetime | None = None, **more: Any) -> None:
        """Have the worker do something, at once or at that time."""
        payload = {"entry_id": str(entry.id), **more}
        self.writes.outbox.append(Message(self.new_id(), entry.club_id, kind, payload, when))

    def new_ref(self) -> str:
        """A name for a cell on the grid."""
        return effects.grid_ref_of(self.new_id())


# -- join and leave -----------------------------------------------------------------------------------------


def join(turn: Turn, request: Join) -> Outcome:
    """Stand in the line, for what is taken, closed or not open for booking yet; what is free is said to be free."""
    daybook, catalogue, entry, now = turn.daybook, turn.daybook.catalogue, request.entry, turn.now
    if not request.member and catalogue.grid_visibility != "public":
        return errors.NotFound()
    check_wish(catalogue, entry, now)
    if catalogue.policy.verified_email_required and not (entry.verified or request.party.staff):
        return errors.EmailUnverified()
    if request.party.suspended and not request.party.staff:
        return errors.Suspended()
    for other in daybook.entries.values():
        if other.user_id == entry.user_id and other.slot_hash == entry.slot_hash:
            return errors.AlreadyWaiting(waitlist_entry_id=str(other.id))
    waits = daybook.lines.get(entry.user_id, 0)
    if waits >= waitlist.MOST_ENTRIES:
        return errors.WaitsTooOften(limit=waitlist.MOST_ENTRIES)
    if _is_free(daybook, entry, now):
        return errors.SlotFree()
    priority = catalogue.policy.tier_priority.get(entry.tier or "", 0)
    entry = msgspec.structs.replace(entry, priority=priority, created_at=now)
    daybook.entries[entry.id] = turn.writes.entries[entry.id] = entry
    daybook.lines[entry.user_id] = waits + 1
    turn.note("waitlisted", entry, by=request.party.actor_id, op_id=request.op_id)
    turn.mail("waitlist.joined", entry)
    turn.later("job.expire", entry, waitlist.deadline(catalogue, entry))
    _look_when_released(turn, entry)
    return Accepted(entry=entry, position=waitlist.position(catalogue, daybook.entries.values(), entry))


def leave(turn: Turn, request: Leave) -> Outcome:
    """Wait no more. What was held goes to the next; a second time changes nothing."""
    current = turn.daybook.entries.get(request.seen.id)
    if current is None:
        return Accepted(entry=request.seen)
    turn.note("left", current, by=request.party.actor_id, op_id=request.op_id, held=current.hold is not None)
    _end(turn, current, "left")
    return Accepted(entry=msgspec.structs.replace(current, hold=None))


# -- who is next --------------------------------------------------------------------------------------------


def match(turn: Turn) -> None:
    """Hold what was freed for the first who can have it, then for the next, as far as it goes."""
    daybook = turn.daybook
    freed, daybook.freed = daybook.freed, []
    # Each hold only takes: whoever was passed over could not have been served after it either.
    for entry in waitlist.concerned(daybook.catalogue, daybook.entries.values(), freed):
        found = _place(daybook, entry, turn.now)
        if isinstance(found, Refusal):
            continue
        court, price = found
        held = Hold(court_id=court.id, ref=turn.new_ref(), price=price.total)
        kept = effects.hold(daybook, turn.writes, entry, held)
        turn.note("held", kept, held_court_id=court.id)
        turn.later("job.promote", kept, ref=held.ref)


def rematch(turn: Turn, request: Rematch) -> Outcome:
    """Offer all of the interval to those who wait."""
    if request.releases_moved:
        for entry in turn.daybook.entries.values():
            _look_when_released(turn, entry)
    turn.daybook.freed.append(Freed(request.interval, None))
    return Accepted()


def release(turn: Turn, entry: Entry, reason: str) -> Entry:
    """Free what is held for somebody who waits on; the audit trail says why."""
    turn.note("released", entry, reason=reason)
    return effects.let_go(turn.daybook, turn.writes, entry)


# -- what becomes of a hold ---------------------------------------------------------------------------------


def promote(turn: Turn, request: Promote) -> Outcome:
    """Book what is held, or offer it; what cannot be booked any more goes to the next. All is looked at again."""
    current = turn.daybook.entries.get(request.seen.id)
    if request.by is not None:
        return _promote_by_hand(turn, request, current)
    held = current.hold if current is not None else None
    if current is None or held is None or held.ref != request.ref or held.until is not None:
        return Accepted(entry=current)  # it was claimed, released, or is offered already
    found = _admitted(turn.daybook, current, held.court_id, turn.now)
    if not isinstance(found, Refusal):
        return _give(turn, request, current, held.court_id, found)
    if turn.now >= waitlist.deadline(turn.daybook.catalogue, current):
        turn.note("expired", current, op_id=request.op_id)
        _end(turn, current, "expired")
        return Accepted()
    return Accepted(entry=release(turn, current, found.code))


def _promote_by_hand(turn: Turn, request: Promote, current: Entry | None) -> Outcome:
    if current is None:
        return errors.NotWaiting()
    if current.hold is not None and current.hold.until is not None:
        return errors.AlreadyOffered(until=current.hold.until.isoformat())
    found = _place(turn.daybook, current, turn.now)
    if isinstance(found, Refusal):
        return found
    return _give(turn, request, current, found[0].id, found[1])


def _give(turn: Turn, request: Promote, entry: Entry, court_id: int, price: Price) -> Outcome:
    """Book, or offer until the deadline."""
    if entry.auto_book:
        return _fulfil(turn, request, entry, court_id, price)
    catalogue = turn.daybook.catalogue
    until = min(turn.now + catalogue.policy.offer_minutes * MINUTE, waitlist.deadline(catalogue, entry))
    waiting = effects.drop_hold(turn.daybook, turn.writes, entry) if entry.hold is not None else entry
    offer = Hold(court_id=court_id, ref=turn.new_ref(), price=price.total, until=until)
    offered = effects.hold(turn.daybook, turn.writes, waiting, offer)
    by = request.by.actor_id if request.by is not None else None
    turn.note("offered", offered, by=by, op_id=request.op_id, held_court_id=court_id, until=until.isoformat())
    turn.mail("waitlist.offered", offered, ref=offer.ref)
    turn.later("job.expire", offered, until)
    return Accepted(entry=offered)


def claim(turn: Turn, request: Claim) -> Outcome:
    """Book what is held, if the offer stands. Refused, the offer stays as it is."""
    current = turn.daybook.entries.get(request.seen.id)
    if current is None:
        return errors.OfferExpired()
    held = current.hold
    if request.ref is not None and (held is None or held.ref != request.ref):
        return errors.OfferExpired()
    if held is None:
        return errors.NotOffered()
    if held.until is not None and turn.now >= held.until:
        return errors.OfferExpired()
    found = _admitted(turn.daybook, current, held.court_id, turn.now)
    if isinstance(found, Refusal):
        return found
    if request.expected_total is not None and request.expected_total != found.total:
        return errors.PriceChanged(price=msgspec.to_builtins(found))
    return _fulfil(turn, request, current, held.court_id, found)


def expire(turn: Turn, request: Expire) -> Outcome:
    """End an entry whose offer was not taken in time, or that nothing can be held for any more."""
    current = turn.daybook.entries.get(request.seen.id)
    if current is None:
        return Accepted()
    held = current.hold
    missed = held is not None and held.until is not None and turn.now >= held.until
    deadline = waitlist.deadline(turn.daybook.catalogue, current)
    if not missed and turn.now < deadline:
        # The offer that it was for is gone, or the cutoff was made shorter: it ends later.
        turn.later("job.expire", current, deadline)
        return Accepted(entry=current)
    turn.note("expired", current, op_id=request.op_id, offer=missed)
    if missed:
        turn.mail("waitlist.offer_expired", current)
    _end(turn, current, "expired")
    return Accepted()


def _fulfil(turn: Turn, request: Claim | Promote, entry: Entry, court_id: int, price: Price) -> Outcome:
    """Book it, and close whatever else the player waits for at that time (DOMAIN 20)."""
    daybook, writes = turn.daybook, turn.writes
    waiting = effects.drop_hold(daybook, writes, entry) if entry.hold is not None else entry
    party = request.party if isinstance(request, Claim) else request.by
    place = _booking_of(waiting, court_id, party)
    booking = effects.make_booking(
        daybook, writes, place, price, names=(request.booking_id, request.grid_ref), now=turn.now
    )
    effects.end(daybook, writes, waiting, "promoted", booking.id)
    more = {"entry_id": str(entry.id), "claimed": isinstance(request, Claim)}
    actor = party.actor_id if party is not None else None
    effects.tell(writes, AuditEvent.of_booking(request.op_id, "promoted", booking, actor, more), booking, turn.new_id())
    for other in sorted(daybook.entries.values(), key=lambda other: other.rank):
        if other.user_id == entry.user_id and other.interval.overlaps(entry.interval):
            turn.note("left", other, booking_id=str(booking.id))
            _end(turn, other, "closed", booking.id)
    return Accepted(booking=booking)


def _end(turn: Turn, entry: Entry, outcome: str, booking_id: UUID | None = None) -> None:
    waiting = effects.let_go(turn.daybook, turn.writes, entry)
    effects.end(turn.daybook, turn.writes, waiting, outcome, booking_id)


# -- whether it may be --------------------------------------------------------------------------------------


def _place(daybook: Daybook, entry: Entry, now: datetime) -> tuple[Court, Price] | Refusal:
    """The first court that the entry could be booked on now and its price, or what refuses the last one."""
    refusal: Refusal = errors.UnknownCourt()
    for court in waitlist.courts_of(daybook.catalogue, entry):
        found = _admitted(daybook, entry, court.id, now)
        if not isinstance(found, Refusal):
            return court, found
        refusal = found
    return refusal


def _admitted(daybook: Daybook, entry: Entry, court_id: int, now: datetime) -> Price | Refusal:
    """The price at which the entry could be booked on that court now, `LEAD` early, or what refuses it (DOMAIN 21)."""
    catalogue = daybook.catalogue
    court = catalogue.court_by_id.get(court_id)
    if court is None:
        return errors.UnknownCourt()
    if now >= waitlist.deadline(catalogue, entry):
        return errors.TooLate()
    try:
        _check_open(catalogue, court, entry, now)
        if _clashes(daybook, entry):
            return errors.OwnClash()
        # The slot is checked: nearer to its release than `admit` would let it be.
        place = msgspec.structs.replace(_booking_of(entry, court_id, None), checked_at=catalogue.mark)
        try:
            _, price = admit(daybook, place, now, ignoring=None, owner=entry.id)
        except errors.LeavesGap:
            _, price = admit(daybook, place, now + LEAD, ignoring=None, owner=entry.id)
    except Refusal as refusal:
        return refusal
    if entry.auto_book and entry.max_price is not None and price.total > entry.max_price:
        return errors.PriceChanged(price=msgspec.to_builtins(price))
    return price


def _clashes(daybook: Daybook, entry: Entry) -> bool:
    """Whether the player has something else at that time, or it is held for them."""
    if any(booked.overlaps(entry.interval) for booked in daybook.booked_times.get(entry.user_id, ())):
        return True
    return any(
        other.hold is not None
        and other.user_id == entry.user_id
        and other.id != entry.id
        and other.interval.overlaps(entry.interval)
        for other in daybook.entries.values()
    )


def _check_open(catalogue: Catalogue, court: Court, entry: Entry, now: datetime) -> None:
    try:
        policy.check_slot(catalogue, court, entry.interval, now=now, tier=entry.tier, staff=False)
    except errors.OutsideHorizon:
        policy.check_slot(catalogue, court, entry.interval, now=now + LEAD, tier=entry.tier, staff=False)


def check_wish(catalogue: Catalogue, entry: Entry, now: datetime) -> None:
    """Whether it can become free for the entry at all. Raises what a booking would be refused with, or `TooLate`."""
    courts = waitlist.courts_of(catalogue, entry)
    if not courts:
        raise errors.UnknownCourt(field="court_id" if entry.court_id is not None else "kind")
    capacity.coach_of(catalogue, entry.coach_id)
    capacity.check_known(catalogue, entry.equipment)
    refusal: Refusal | None = None
    for court in courts:
        try:
            # As for staff: one may wait for a day that is not released yet, within reason.
            policy.check_slot(catalogue, court, entry.interval, now=now, tier=entry.tier, staff=True)
        except Refusal as reason:
            refusal = refusal or reason
        else:
            break
    else:
        raise refusal or errors.UnknownCourt()
    if now >= waitlist.deadline(catalogue, entry):
        raise errors.TooLate(field="not_after" if entry.not_after is not None else "start_ts")


def _is_free(daybook: Daybook, entry: Entry, now: datetime) -> bool:
    """Whether anybody could book it now."""
    catalogue = daybook.catalogue
    for court in waitlist.courts_of(catalogue, entry):
        try:
            policy.check_slot(catalogue, court, entry.interval, now=now, tier=entry.tier, staff=False)
            capacity.check_court(catalogue, daybook.taken, court, entry.interval, None, now=now, staff=False)
            coach = capacity.coach_of(catalogue, entry.coach_id)
            if coach is not None:
                capacity.check_coach(catalogue, daybook.taken, coach, entry.interval, None)
            capacity.check_pools(catalogue, daybook.taken, entry.equipment, entry.interval, None)
        except Refusal:
            continue
        return True
    return False


def _booking_of(entry: Entry, court_id: int, by: Party | None) -> Book:
    """What the entry asks for, as a booking of its player."""
    party = Party(
        user_id=entry.user_id,
        actor_id=by.actor_id if by is not None else entry.user_id,
        staff=False,
        tier=entry.tier,
        verified=entry.verified,
        suspended=entry.suspended,
    )
    return Book(
        op_id=NOBODY,
        booking_id=NOBODY,
        grid_ref="",
        party=party,
        court_id=court_id,
        interval=entry.interval,
        coach_id=entry.coach_id,
        equipment=entry.equipment,
    )


# -- what opens by itself -----------------------------------------------------------------------------------


def _look_when_released(turn: Turn, entry: Entry) -> None:
    """Have the line looked through when the entry's day is released, if it is not."""
    catalogue = turn.daybook.catalogue
    if entry.interval.end > policy.end_of_horizon(catalogue, turn.now + LEAD, entry.tier):
        turn.later("job.match", entry, released_at(catalogue, entry.interval, entry.tier) - LEAD)


def released_at(catalogue: Catalogue, interval: Interval, tier: str | None) -> datetime:
    """When a member of that tier may book the interval at first (DOMAIN 4)."""
    last = local_day(interval.end - timedelta(microseconds=1), catalogue.tz)
    day = last - policy.horizon_days(catalogue, tier) * DAY
    return at_minute(day, catalogue.policy.horizon_release, catalogue.tz)
