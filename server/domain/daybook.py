"""The heart: settle what is asked against what is taken, in arrival order, each request seeing those before it.

Pure. The desk (`usecases/desk.py`) locks and reads a `Daybook`, calls `settle`, and writes the `Writes`.
A refused request leaves no trace in either and never fails its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.domain import capacity, errors, policy, pricing, quotas
from server.domain.bookings import (
    Accepted,
    Book,
    Booking,
    Cancel,
    Close,
    Closure,
    Move,
    Outcome,
    Reopen,
    Replay,
    Request,
    Stale,
)
from server.domain.capacity import Taken
from server.domain.catalogue import Catalogue
from server.domain.events import AuditEvent, LedgerEntry, Message, place_of
from server.domain.footprint import ResourceDay, companions, rows_changed_with
from server.domain.pricing import Price
from server.domain.slots import Interval, days_of

NEVER_STORED = frozenset({401, 429})


def is_settled(status: int) -> bool:
    """Whether an answer of that status is kept under the request's idempotency key (DESIGN 3)."""
    return status < 500 and status not in NEVER_STORED


class Answer(msgspec.Struct, frozen=True):
    """What a request with an idempotency key was answered."""

    request_hash: bytes
    status: int
    body: bytes


class Daybook(msgspec.Struct, kw_only=True):
    """What was read under the locks. `settle` writes what it grants into it."""

    catalogue: Catalogue
    taken: dict[int, list[Taken]]
    """Resource id → all that overlaps the days that were read."""
    bookings: dict[UUID, Booking] = {}
    """The bookings that the requests name, as they are now."""
    closures: dict[UUID, Closure] = {}
    held: dict[int, list[Interval]] = {}
    """User id → their confirmed bookings of this week and later; read only where quotas are set."""
    answers: dict[tuple[int, str, str], Answer] = {}


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """A row to insert into `allocations`."""

    resource_id: int
    exclusive: bool
    booking_id: UUID | None
    closure_id: UUID | None
    kind: str
    start: datetime
    end: datetime
    quantity: int
    ref: str
    note: str | None = None


class StoredAnswer(msgspec.Struct, frozen=True):
    """A row to insert into `idempotency_keys`."""

    user_id: int
    route: str
    key: str
    answer: Answer


class Writes(msgspec.Struct):
    """What a batch changes. All deactivations are written before all inserts."""

    freed: list[UUID] = []
    """Owners (bookings, closures) whose allocations end."""
    cancelled: list[Booking] = []
    moved: list[Booking] = []
    booked: list[Booking] = []
    closed: list[Closure] = []
    reclosed: list[Closure] = []
    lifted: list[Closure] = []
    allocations: list[Allocation] = []
    audit: list[AuditEvent] = []
    outbox: list[Message] = []
    ledger: list[LedgerEntry] = []
    answers: list[StoredAnswer] = []
    touched: set[ResourceDay] = set()
    """The resource-days that really changed; each gets the next version."""

    @property
    def empty(self) -> bool:
        return not (self.audit or self.answers)


class Settlement(msgspec.Struct):
    """One outcome for each request, in their order, and what to write for them."""

    outcomes: list[Outcome]
    writes: Writes
    versions: dict[ResourceDay, int] = {}
    """The new version of each resource-day that changed, once it is written."""


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
    outcome = _decide(daybook, writes, request, now, new_id)
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
    except errors.Refusal as refusal:
        return refusal


# -- the verbs ----------------------------------------------------------------------------------------------


def _book(daybook: Daybook, writes: Writes, request: Book, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    catalogue, party = daybook.catalogue, request.party
    if not request.member and catalogue.grid_visibility != "public":
        return errors.UnknownCourt(field="court_id")  # as any other court that the asker cannot know
    overrides, price = _admit(daybook, request, now, ignoring=None)
    booking = Booking(
        id=request.booking_id,
        club_id=catalogue.club_id,
        court_id=request.court_id,
        user_id=party.user_id,
        coach_id=request.coach_id,
        interval=request.interval,
        status="confirmed",
        grid_ref=request.grid_ref,
        equipment=request.equipment,
        price=price,
        cancel_until=policy.cancel_until(catalogue, request.interval),
        late_fee_percent=catalogue.policy.late_cancel_fee_percent,
        created_by=party.actor_id,
        revision=0,
        created_at=now,
    )
    _occupy(daybook, writes, booking)
    writes.booked.append(booking)
    daybook.held.setdefault(party.user_id, []).append(booking.interval)
    event = AuditEvent.of_booking(request.op_id, "confirmed", booking, party.actor_id, {"overrides": overrides})
    _tell(writes, event, booking, new_id())
    _owe(writes, booking, price.total)
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
            return errors.PriceChanged(price=msgspec.to_builtins(current.price))
        return Accepted(booking=current)
    overrides, price = _admit(daybook, request, now, ignoring=current)
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
    _vacate(daybook, writes, current)
    _occupy(daybook, writes, moved)
    writes.moved.append(moved)
    daybook.bookings[moved.id] = moved
    held = daybook.held.get(party.user_id)
    if held is not None and current.interval in held:
        held[held.index(current.interval)] = moved.interval
    more = {"overrides": overrides, "previous": place_of(current), "fee": fee}
    _tell(writes, AuditEvent.of_booking(request.op_id, "moved", moved, party.actor_id, more), moved, new_id())
    _owe(writes, moved, price.total - current.price.total)
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
    cancelled = _call_off(daybook, writes, current, now)
    event = AuditEvent.of_booking(request.op_id, "cancelled", cancelled, request.party.actor_id, {"fee": fee})
    _tell(writes, event, cancelled, new_id())
    if fee:
        writes.ledger.append(LedgerEntry.of(cancelled, "fee", fee))
    return Accepted(booking=cancelled)


def _close(daybook: Daybook, writes: Writes, request: Close, now: datetime, new_id: Callable[[], UUID]) -> Outcome:
    catalogue, closure = daybook.catalogue, request.closure
    if request.replaces is not None and daybook.closures.get(request.replaces.id) != request.replaces:
        return errors.PreconditionFailed()
    units = {unit for court_id in closure.court_ids for unit in catalogue.units_of_court.get(court_id, ())}
    in_the_way = {
        taken.owner
        for unit in units
        for taken in daybook.taken.get(unit, ())
        if taken.kind != "closed" and taken.start < closure.interval.end and closure.interval.start < taken.end
    }
    seen = {booking.id: booking for booking in request.seen}
    for owner in in_the_way:
        current = daybook.bookings.get(owner)
        if owner not in seen or current is None or not current.same_place(seen[owner]):
            return Stale()
        if current.interval.end <= now:
            return errors.BadTime(
                "Bookings that have been played are in the way, and stay. Begin the closure later.", field="start_ts"
            )
    cancelled = []
    for owner in sorted(in_the_way):
        booking = _call_off(daybook, writes, daybook.bookings[owner], now)
        cancelled.append(booking)
        more = {"closure_id": closure.id, "reason": closure.reason}
        event = AuditEvent.of_booking(new_id(), "cancelled", booking, request.party.actor_id, more)
        _tell(writes, event, booking, new_id())
    if request.replaces is not None:
        _open_again(daybook, writes, request.replaces)
        writes.reclosed.append(closure)
    else:
        writes.closed.append(closure)
    for unit in sorted(units):
        taken = Taken(closure.id, "closed", closure.interval.start, closure.interval.end)
        daybook.taken.setdefault(unit, []).append(taken)
        writes.allocations.append(
            Allocation(
                resource_id=unit, exclusive=True, booking_id=None, closure_id=closure.id, kind="closed",
                start=taken.start, end=taken.end, quantity=1, ref=str(closure.id), note=closure.reason or None,
            )
        )  # fmt: skip
    _touch_courts(writes, catalogue, closure.court_ids, closure.interval)
    daybook.closures[closure.id] = closure
    what = "closed" if request.replaces is None else "closure_changed"
    writes.audit.append(AuditEvent.of_closure(request.op_id, what, closure, request.party.actor_id))
    return Accepted(closure=closure, cancelled=tuple(cancelled))


def _reopen(daybook: Daybook, writes: Writes, request: Reopen, now: datetime) -> Outcome:
    current = daybook.closures.get(request.closure.id)
    if current != request.closure:
        return errors.PreconditionFailed()
    lifted = msgspec.structs.replace(current, lifted_at=now, version=current.version + 1)
    _open_again(daybook, writes, current)
    writes.lifted.append(lifted)
    daybook.closures[lifted.id] = lifted
    writes.audit.append(AuditEvent.of_closure(request.op_id, "reopened", lifted, request.party.actor_id))
    return Accepted(closure=lifted)


# -- whether it may be --------------------------------------------------------------------------------------


def _admit(
    daybook: Daybook, request: Book | Move, now: datetime, *, ignoring: Booking | None
) -> tuple[list[str], Price]:
    """Policy, then price, then capacity. Returns the rules that staff overrode, and the price."""
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
        held = list(daybook.held.get(party.user_id, ()))
        if ignoring is not None and ignoring.interval in held:
            held.remove(ignoring.interval)
        refusal = quotas.exceeded(catalogue, held, interval, now=now)
        if refusal is not None:
            if not party.staff:
                raise refusal
            overrides.append(refusal.code)
    price = pricing.quote(
        catalogue, court, interval, coach=coach, equipment=request.equipment, tier=party.tier, now=now
    )
    if request.expected_total is not None and request.expected_total != price.total:
        raise errors.PriceChanged(price=msgspec.to_builtins(price))
    owner = ignoring.id if ignoring is not None else None
    capacity.check_court(catalogue, daybook.taken, court, interval, owner, now=now, staff=party.staff)
    if coach is not None:
        capacity.check_coach(catalogue, daybook.taken, coach, interval, owner)
    capacity.check_pools(catalogue, daybook.taken, request.equipment, interval, owner)
    return overrides, price


# -- what it changes ----------------------------------------------------------------------------------------


def _occupy(daybook: Daybook, writes: Writes, booking: Booking) -> None:
    catalogue = daybook.catalogue
    court = catalogue.court_by_id[booking.court_id]
    start, end = booking.interval.start, booking.interval.end
    kind = "booked" if booking.coach_id is None else "coaching"
    uses = [(unit, True, 1) for unit in court.units]
    if booking.coach_id is not None:
        uses.append((catalogue.coach_by_id[booking.coach_id].resource_id, True, 1))
    uses.extend(
        (catalogue.equipment_by_id[item.equipment_id].resource_id, False, item.quantity) for item in booking.equipment
    )
    for resource, exclusive, quantity in uses:
        daybook.taken.setdefault(resource, []).append(Taken(booking.id, kind, start, end, quantity))
        writes.allocations.append(
            Allocation(
                resource_id=resource, exclusive=exclusive, booking_id=booking.id, closure_id=None, kind=kind,
                start=start, end=end, quantity=quantity, ref=booking.grid_ref,
            )
        )  # fmt: skip
    _touch(writes, catalogue, booking)


def _vacate(daybook: Daybook, writes: Writes, booking: Booking) -> None:
    _release(daybook, booking.id)
    writes.freed.append(booking.id)
    _touch(writes, daybook.catalogue, booking)


def _release(daybook: Daybook, owner: UUID) -> None:
    for resource, uses in daybook.taken.items():
        if any(use.owner == owner for use in uses):
            daybook.taken[resource] = [use for use in uses if use.owner != owner]


def _call_off(daybook: Daybook, writes: Writes, booking: Booking, now: datetime) -> Booking:
    """End a booking and all that it holds, and owe nothing for it any more."""
    _vacate(daybook, writes, booking)
    cancelled = msgspec.structs.replace(booking, status="cancelled", cancelled_at=now, revision=booking.revision + 1)
    daybook.bookings[cancelled.id] = cancelled
    held = daybook.held.get(booking.user_id)
    if held is not None and booking.interval in held:
        held.remove(booking.interval)
    writes.cancelled.append(cancelled)
    _owe(writes, cancelled, -booking.price.total)
    return cancelled


def _open_again(daybook: Daybook, writes: Writes, closure: Closure) -> None:
    _release(daybook, closure.id)
    writes.freed.append(closure.id)
    _touch_courts(writes, daybook.catalogue, closure.court_ids, closure.interval)


def _touch(writes: Writes, catalogue: Catalogue, booking: Booking) -> None:
    days = days_of(booking.interval, catalogue.tz)
    resources = rows_changed_with(catalogue, (booking.court_id,))
    resources.update(companions(catalogue, booking.coach_id, booking.equipment))
    writes.touched.update((resource, day) for resource in resources for day in days)


def _touch_courts(writes: Writes, catalogue: Catalogue, court_ids: Iterable[int], interval: Interval) -> None:
    days = days_of(interval, catalogue.tz)
    writes.touched.update((resource, day) for resource in rows_changed_with(catalogue, court_ids) for day in days)


def _tell(writes: Writes, event: AuditEvent, booking: Booking, message_id: UUID) -> None:
    """Note what happened in the audit trail, and that its people are to be told."""
    writes.audit.append(event)
    payload: dict[str, Any] = {"booking_id": str(booking.id), "user_id": booking.user_id}
    if event.payload.get("reason"):
        payload["reason"] = event.payload["reason"]
    writes.outbox.append(Message(message_id, booking.club_id, f"booking.{event.event_type}", payload))


def _owe(writes: Writes, booking: Booking, amount: int) -> None:
    if amount:
        writes.ledger.append(LedgerEntry.of(booking, "due", amount))
