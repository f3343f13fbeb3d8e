"""The heart: settle what is asked against what is taken, in arrival order, each request seeing those before it.

Pure. The desk (`usecases/desk.py`) locks and reads a `Daybook`, calls `settle`, and writes the `Writes`.
A refused request leaves no trace in either and never fails its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from server.domain import effects, errors, policy, pricing, promotion
from server.domain.admission import admit
from server.domain.bookings import (
    Accepted,
    Book,
    Cancel,
    Claim,
    Close,
    Expire,
    Join,
    Leave,
    Move,
    Outcome,
    Promote,
    Rematch,
    Reopen,
    Replay,
    Request,
    Stale,
)
from server.domain.effects import Answer, Daybook, Settlement, StoredAnswer, Writes
from server.domain.events import AuditEvent, LedgerEntry, place_of
from server.domain.footprint import units_of
from server.domain.promotion import Turn

NEVER_STORED = frozenset({401, 429})


def is_settled(status: int) -> bool:
    """Whether an answer of that status is kept under the request's idempotency key (DESIGN 3)."""
    return status < 500 and status not in NEVER_STORED


def settle(daybook: Daybook, requests: Sequence[Request], *, now: datetime, new_id: Callable[[], UUID]) -> Settlement:
    """Decide the requests in order. Never raises for one of them: a refusal is an outcome."""
    writes = Writes()
    return Settlement([_answer(daybook, writes, request, now, new_id) for request in requests], writes)


def _answer(daybook: Daybook, writes: Writes, request: Request, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    key = request.idempotency
    if key is not None and (known := daybook.answers.get(key.identity)) is not None:
        if known.request_hash != key.request_hash:
            return errors.IdempotencyKeyReused()
        return Replay(known.status, known.body)
    job = request.job if isinstance(request, Promote | Expire | Rematch) else None
    if job is not None:
        if job.outbox_id not in daybook.jobs:
            return Stale()  # another worker has taken it over, or has done it
        now = max(now, job.due)
    outcome = _decide(daybook, writes, request, now, new_id)
    if job is not None and not isinstance(outcome, Stale):
        writes.done.append(job.outbox_id)
    if daybook.freed:
        promotion.match(Turn(daybook, writes, now, new_id))
    if key is not None and not isinstance(outcome, Stale | Replay):
        status, body = key.render(outcome)
        if is_settled(status):
            answer = Answer(key.request_hash, status, body)
            daybook.answers[key.identity] = answer
            writes.answers.append(StoredAnswer(*key.identity, answer))
    return outcome


def _decide(daybook: Daybook, writes: Writes, request: Request, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    try:
        match request:
            case Book():
                return _book(daybook, writes, request, now, new_id)
            case Cancel():
                return _cancel(daybook, writes, request, now, new_id)
            case Move():
                return _move(daybook, writes, request, now, new_id)
            case Close():
                return _close(daybook, writes, request, now, new_id)
            case Reopen():
                return _reopen(daybook, writes, request, now)
            case Join():
                return promotion.join(Turn(daybook, writes, now, new_id), request)
            case Leave():
                return promotion.leave(Turn(daybook, writes, now, new_id), request)
            case Claim():
                return promotion.claim(Turn(daybook, writes, now, new_id), request)
            case Promote():
                return promotion.promote(Turn(daybook, writes, now, new_id), request)
            case Expire():
                return promotion.expire(Turn(daybook, writes, now, new_id), request)
            case Rematch():
                return promotion.rematch(Turn(daybook, writes, now, new_id), request)
    except errors.Refusal as refusal:
        return refusal


# -- the verbs ----------------------------------------------------------------------------------------------


def _book(daybook: Daybook, writes: Writes, request: Book, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    catalogue, party = daybook.catalogue, request.party
    if not request.member and catalogue.grid_visibility != "public":
        return errors.UnknownCourt(field="court_id")  # as any other court that the asker cannot know
    try:
        overrides, price = admit(daybook, request, now, ignoring=None)
    except (errors.SlotTaken, errors.CoachUnavailable, errors.EquipmentUnavailable):
        if request.waits is None:
            raise
        joining = Join(op_id=request.op_id, party=party, entry=request.waits, member=request.member)
        return promotion.join(Turn(daybook, writes, now, new_id), joining)
    booking = effects.make_booking(
        daybook, writes, request, price, names=(request.booking_id, request.grid_ref), now=now
    )
    event = AuditEvent.of_booking(request.op_id, "confirmed", booking, party.actor_id, {"overrides": overrides})
    effects.tell(writes, event, booking, new_id())
    return Accepted(booking=booking)


def _move(daybook: Daybook, writes: Writes, request: Move, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    catalogue, party = daybook.catalogue, request.party
    current = daybook.bookings.get(request.seen.id)
    if current is None or not current.same_place(request.seen):
        return Stale()
    if current.status != "confirmed":
        return errors.NotMovable("This booking is cancelled, so it cannot be moved. Make a new one.")
    if current.interval.end <= now or (current.interval.start <= now and not party.staff):
        return errors.NotMovable("This booking has begun, so it can no longer be moved.")
    if current.is_at(request.court_id, request.interval, request.coach_id, request.equipment):
        # Nothing changes, its price and its name on the grid neither: a move that is repeated is no second move.
        if request.expected_total not in (None, current.price.total):
            return errors.PriceChanged(field="expected_total", price=msgspec.to_builtins(current.price))
        return Accepted(booking=current)
    overrides, price = admit(daybook, request, now, ignoring=current)
    # What a late move gives up is given up late: else one would move to something cheap and cancel that.
    late = now > current.cancel_until and not party.staff
    less = max(current.price.total - price.total, 0)
    fee = pricing.half_even(less * current.late_fee_percent, 100) if late else 0
    moved = msgspec.structs.replace(
        current,
        court_id=request.court_id,
        interval=request.interval,
        coach_id=request.coach_id,
        equipment=request.equipment,
        grid_ref=request.grid_ref,
        price=price,
        # A late move must not win back a free cancellation that was already forfeited.
        cancel_until=policy.cancel_until(catalogue, request.interval)
        if current.cancel_until > now
        else current.cancel_until,
        revision=current.revision + 1,
    )
    effects.vacate(daybook, writes, current)
    effects.occupy(daybook, writes, moved)
    writes.moved.append(moved)
    daybook.bookings[moved.id] = moved
    times = daybook.booked_times.get(party.user_id)
    if times is not None and current.interval in times:
        times[times.index(current.interval)] = moved.interval
    more = {"overrides": overrides, "previous": place_of(current), "fee": fee}
    effects.tell(writes, AuditEvent.of_booking(request.op_id, "moved", moved, party.actor_id, more), moved, new_id())
    effects.owe(writes, moved, price.total - current.price.total)
    if fee:
        writes.ledger.append(LedgerEntry.of(moved, "fee", fee))
    return Accepted(booking=moved)


def _cancel(daybook: Daybook, writes: Writes, request: Cancel, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    current = daybook.bookings.get(request.seen.id)
    if current is None:
        return Stale()
    if current.status == "cancelled":
        return Accepted(booking=current)
    if not current.same_place(request.seen):
        return Stale()
    if current.interval.end <= now or (current.interval.start <= now and not request.party.staff):
        return errors.NotCancellable("This booking has begun, so it can no longer be cancelled.")
    late = now > current.cancel_until and not request.party.staff
    fee = pricing.half_even(current.price.total * current.late_fee_percent, 100) if late else 0
    cancelled = effects.call_off(daybook, writes, current, now)
    event = AuditEvent.of_booking(request.op_id, "cancelled", cancelled, request.party.actor_id, {"fee": fee})
    effects.tell(writes, event, cancelled, new_id())
    if fee:
        writes.ledger.append(LedgerEntry.of(cancelled, "fee", fee))
    return Accepted(booking=cancelled)


def _close(daybook: Daybook, writes: Writes, request: Close, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    catalogue, closure = daybook.catalogue, request.closure
    if request.replaces is not None and daybook.closures.get(request.replaces.id) != request.replaces:
        return errors.PreconditionFailed()
    units = units_of(catalogue, closure.court_ids)
    met = {
        (taken.kind == "held", taken.owner)
        for unit in units
        for taken in daybook.taken.get(unit, ())
        if taken.kind != "closed" and taken.start < closure.interval.end and closure.interval.start < taken.end
    }
    in_the_way = {owner for is_held, owner in met if not is_held}
    if any(is_held and owner not in daybook.entries for is_held, owner in met):
        return Stale()
    seen = {booking.id: booking for booking in request.seen}
    for owner in in_the_way:
        current = daybook.bookings.get(owner)
        if owner not in seen or current is None or not current.same_place(seen[owner]):
            return Stale()
        if current.interval.end <= now:
            return errors.BadTime(
                "Bookings that have been played are in the way, and stay. Begin the closure later.", field="start_ts"
            )
    for is_held, owner in sorted(met):
        if is_held:  # whoever it was held for waits on
            promotion.release(Turn(daybook, writes, now, new_id), daybook.entries[owner], "closed")
    cancelled = []
    for owner in sorted(in_the_way):
        booking = effects.call_off(daybook, writes, daybook.bookings[owner], now)
        cancelled.append(booking)
        more = {"closure_id": closure.id, "reason": closure.reason}
        event = AuditEvent.of_booking(new_id(), "cancelled", booking, request.party.actor_id, more)
        effects.tell(writes, event, booking, new_id())
    if request.replaces is not None:
        effects.open_again(daybook, writes, request.replaces)
        writes.reclosed.append(closure)
    else:
        writes.closed.append(closure)
    effects.close(daybook, writes, closure, units)
    what = "closed" if request.replaces is None else "closure_changed"
    writes.audit.append(AuditEvent.of_closure(request.op_id, what, closure, request.party.actor_id))
    return Accepted(closure=closure, cancelled=tuple(cancelled))


def _reopen(daybook: Daybook, writes: Writes, request: Reopen, now: datetime) -> Outcome:
    current = daybook.closures.get(request.closure.id)
    if current != request.closure:
        return errors.PreconditionFailed()
    lifted = msgspec.structs.replace(current, lifted_at=now, version=current.version + 1)
    effects.open_again(daybook, writes, current)
    writes.lifted.append(lifted)
    daybook.closures[lifted.id] = lifted
    writes.audit.append(AuditEvent.of_closure(request.op_id, "reopened", lifted, request.party.actor_id))
    return Accepted(closure=lifted)
