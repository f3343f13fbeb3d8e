"""What was read under the locks, what a batch changes, and the changes themselves: take, free, tell, owe.

Whatever is changed here is changed in the `Daybook`, which the next request of the batch sees, and noted in the
`Writes`, which are written to the database.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.domain import policy, pricing
from server.domain.bookings import Book, Booking, Closure, Outcome
from server.domain.capacity import Taken
from server.domain.catalogue import Catalogue
from server.domain.events import AuditEvent, LedgerEntry, Message
from server.domain.footprint import ResourceDay, companions, freed_with, rows_changed_with, units_of
from server.domain.pricing import Price
from server.domain.slots import Interval, days_of
from server.domain.waitlist import Ended, Entry, Freed, Hold


class Answer(msgspec.Struct, frozen=True):
    """What a request with an idempotency key was answered."""

    request_hash: bytes
    status: int
    body: bytes


class Daybook(msgspec.Struct, kw_only=True):
    """What was read under the locks. `settle` writes what it grants into it."""

    catalogue: Catalogue
    quote: Callable[..., Price] = pricing.quote
    """Reckons a price; whoever opens the daybook may look at the clock meanwhile."""
    taken: dict[int, list[Taken]]
    """Resource id → all that overlaps the days that were read."""
    bookings: dict[UUID, Booking] = {}
    """The bookings that the requests name, as they are now."""
    closures: dict[UUID, Closure] = {}
    booked_times: dict[int, list[Interval]] = {}
    """User id → the times of their confirmed bookings, of this week and later; read where quotas are set, and of who
    waits."""
    answers: dict[tuple[int, str, str], Answer] = {}
    entries: dict[UUID, Entry] = {}
    """The waiters whom the requests name or could serve, and all that is held for the same people."""
    lines: dict[int, int] = {}
    """User id → for how many slots they wait; read only where somebody joins."""
    jobs: set[UUID] = set()
    """The outbox rows of the requests that are leased to who asks, and not done."""
    freed: list[Freed] = []
    """What a request has freed and nobody was offered yet."""


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
    entry_id: UUID | None = None
    until: datetime | None = None

    @property
    def owner(self) -> UUID:
        """Whose it is: a booking, a closure or a waitlist entry."""
        owner = self.booking_id or self.closure_id or self.entry_id
        if owner is None:
            raise AssertionError("unreachable: a CHECK in the schema")
        return owner


class StoredAnswer(msgspec.Struct, frozen=True):
    """A row to insert into `idempotency_keys`."""

    user_id: int
    route: str
    key: str
    answer: Answer


class Writes(msgspec.Struct):
    """What a batch changes. All deactivations are written before all inserts."""

    freed: list[UUID] = []
    """Owners (bookings, closures, waitlist entries) whose allocations end."""
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
    entries: dict[UUID, Entry] = {}
    """Waitlist entries that are new or have changed, as they are at the end."""
    ended: list[Ended] = []
    done: list[UUID] = []
    """Outbox rows that are done with this."""
    touched: set[ResourceDay] = set()
    """The resource-days that really changed; each gets the next version."""

    @property
    def empty(self) -> bool:
        return not (self.audit or self.outbox or self.answers or self.done)


class Settlement(msgspec.Struct):
    """One outcome for each request, in their order, and what to write for them."""

    outcomes: list[Outcome]
    writes: Writes
    versions: dict[ResourceDay, int] = {}
    """The new version of each resource-day that changed, once it is written."""


# -- take ---------------------------------------------------------------------------------------------------


def make_booking(
    daybook: Daybook, writes: Writes, place: Book, price: Price, *, names: tuple[UUID, str], now: datetime
) -> Booking:
    """Book the place at that price; `names` are the booking's id and its name on the grid."""
    catalogue = daybook.catalogue
    booking = Booking(
        id=names[0],
        club_id=catalogue.club_id,
        court_id=place.court_id,
        user_id=place.party.user_id,
        coach_id=place.coach_id,
        interval=place.interval,
        status="confirmed",
        grid_ref=names[1],
        equipment=place.equipment,
        price=price,
        cancel_until=policy.cancel_until(catalogue, place.interval),
        late_fee_percent=catalogue.policy.late_cancel_fee_percent,
        created_by=place.party.actor_id,
        revision=0,
        created_at=now,
    )
    occupy(daybook, writes, booking)
    writes.booked.append(booking)
    daybook.booked_times.setdefault(booking.user_id, []).append(booking.interval)
    owe(writes, booking, price.total)
    return booking


def occupy(daybook: Daybook, writes: Writes, booking: Booking) -> None:
    """Take all that the booking needs."""
    kind = "booked" if booking.coach_id is None else "coaching"
    for resource, exclusive, quantity in _uses(daybook.catalogue, booking, booking.court_id):
        _allocate(
            daybook,
            writes,
            Allocation(
                resource_id=resource, exclusive=exclusive, booking_id=booking.id, closure_id=None, kind=kind,
                start=booking.interval.start, end=booking.interval.end, quantity=quantity, ref=booking.grid_ref,
            ),
        )  # fmt: skip
    _touch(writes, daybook.catalogue, booking, booking.court_id)


def hold(daybook: Daybook, writes: Writes, entry: Entry, held: Hold) -> Entry:
    """Keep a court, the coach and the equipment for somebody who waits."""
    kept = msgspec.structs.replace(entry, hold=held)
    daybook.entries[kept.id] = writes.entries[kept.id] = kept
    for resource, exclusive, quantity in _uses(daybook.catalogue, entry, held.court_id):
        _allocate(
            daybook,
            writes,
            Allocation(
                resource_id=resource, exclusive=exclusive, booking_id=None, closure_id=None, entry_id=entry.id,
                kind="held", start=entry.interval.start, end=entry.interval.end, quantity=quantity, ref=held.ref,
                until=held.until,
            ),
        )  # fmt: skip
    _touch(writes, daybook.catalogue, entry, held.court_id)
    return kept


def grid_ref_of(op_id: UUID) -> str:
    """A name for a cell on the public grid that tells neither an id nor, as ids do, when it was made."""
    return base64.urlsafe_b64encode(hashlib.sha256(op_id.bytes).digest()[:12]).decode()


def close(daybook: Daybook, writes: Writes, closure: Closure, units: Iterable[int]) -> None:
    """Take courts out of use."""
    for unit in sorted(units):
        _allocate(
            daybook,
            writes,
            Allocation(
                resource_id=unit, exclusive=True, booking_id=None, closure_id=closure.id, kind="closed",
                start=closure.interval.start, end=closure.interval.end, quantity=1, ref=grid_ref_of(closure.id),
                note=closure.reason or None,
            ),
        )  # fmt: skip
    _touch_courts(writes, daybook.catalogue, closure.court_ids, closure.interval)
    daybook.closures[closure.id] = closure


def _allocate(daybook: Daybook, writes: Writes, row: Allocation) -> None:
    daybook.taken.setdefault(row.resource_id, []).append(Taken(row.owner, row.kind, row.start, row.end, row.quantity))
    writes.allocations.append(row)


def _uses(catalogue: Catalogue, wish: Booking | Entry, court_id: int) -> list[tuple[int, bool, int]]:
    """Resource, whether it is exclusive, and how much of it."""
    uses = [(unit, True, 1) for unit in catalogue.court_by_id[court_id].units]
    if wish.coach_id is not None:
        uses.append((catalogue.coach_by_id[wish.coach_id].resource_id, True, 1))
    uses.extend(
        (catalogue.equipment_by_id[item.equipment_id].resource_id, False, item.quantity) for item in wish.equipment
    )
    return uses


# -- free ---------------------------------------------------------------------------------------------------


def vacate(daybook: Daybook, writes: Writes, booking: Booking) -> None:
    """Free all that the booking holds."""
    _release(daybook, booking.id)
    writes.freed.append(booking.id)
    _touch(writes, daybook.catalogue, booking, booking.court_id)
    daybook.freed.append(freed_with(daybook.catalogue, booking, booking.court_id))


def call_off(daybook: Daybook, writes: Writes, booking: Booking, now: datetime) -> Booking:
    """End a booking and all that it holds, and owe nothing for it any more."""
    vacate(daybook, writes, booking)
    cancelled = msgspec.structs.replace(booking, status="cancelled", cancelled_at=now, revision=booking.revision + 1)
    daybook.bookings[cancelled.id] = cancelled
    times = daybook.booked_times.get(booking.user_id)
    if times is not None and booking.interval in times:
        times.remove(booking.interval)
    writes.cancelled.append(cancelled)
    owe(writes, cancelled, -booking.price.total)
    return cancelled


def open_again(daybook: Daybook, writes: Writes, closure: Closure) -> None:
    """Free all that the closure holds."""
    catalogue = daybook.catalogue
    _release(daybook, closure.id)
    writes.freed.append(closure.id)
    _touch_courts(writes, catalogue, closure.court_ids, closure.interval)
    daybook.freed.append(Freed(closure.interval, units_of(catalogue, closure.court_ids)))


def let_go(daybook: Daybook, writes: Writes, entry: Entry) -> Entry:
    """Free what is held for the entry, if anything is."""
    if entry.hold is None:
        return entry
    daybook.freed.append(freed_with(daybook.catalogue, entry, entry.hold.court_id))
    return drop_hold(daybook, writes, entry)


def drop_hold(daybook: Daybook, writes: Writes, entry: Entry) -> Entry:
    """As `let_go`, where the same entry takes it again at once."""
    if entry.hold is None:
        raise AssertionError("unreachable: whoever drops a hold has looked at it")
    _release(daybook, entry.id)
    _touch(writes, daybook.catalogue, entry, entry.hold.court_id)
    kept = [row for row in writes.allocations if row.entry_id != entry.id]
    if len(kept) == len(writes.allocations):
        writes.freed.append(entry.id)
    else:
        # It was made in this very batch: what is inserted after all deactivations must not be inserted.
        writes.allocations = kept
    waiting = msgspec.structs.replace(entry, hold=None)
    daybook.entries[entry.id] = writes.entries[entry.id] = waiting
    return waiting


def end(daybook: Daybook, writes: Writes, entry: Entry, outcome: str, booking_id: UUID | None = None) -> None:
    """Let an entry for which nothing is held wait no more."""
    daybook.entries.pop(entry.id, None)
    writes.ended.append(Ended(entry.id, entry.user_id, outcome, booking_id))


def _release(daybook: Daybook, owner: UUID) -> None:
    for resource, uses in daybook.taken.items():
        if any(use.owner == owner for use in uses):
            daybook.taken[resource] = [use for use in uses if use.owner != owner]


# -- which rows of the grid that changes --------------------------------------------------------------------


def _touch(writes: Writes, catalogue: Catalogue, wish: Booking | Entry, court_id: int) -> None:
    days = days_of(wish.interval, catalogue.tz)
    resources = rows_changed_with(catalogue, (court_id,))
    resources.update(companions(catalogue, wish.coach_id, wish.equipment))
    writes.touched.update((resource, day) for resource in resources for day in days)


def _touch_courts(writes: Writes, catalogue: Catalogue, court_ids: Iterable[int], interval: Interval) -> None:
    days = days_of(interval, catalogue.tz)
    writes.touched.update((resource, day) for resource in rows_changed_with(catalogue, court_ids) for day in days)


# -- tell and owe -------------------------------------------------------------------------------------------


def tell(writes: Writes, event: AuditEvent, booking: Booking, message_id: UUID) -> None:
    """Note what happened to a booking in the audit trail, and that its people are to be told."""
    writes.audit.append(event)
    payload: dict[str, Any] = {"booking_id": str(booking.id), "user_id": booking.user_id}
    if event.payload.get("reason"):
        payload["reason"] = event.payload["reason"]
    writes.outbox.append(Message(message_id, booking.club_id, f"booking.{event.event_type}", payload))


def owe(writes: Writes, booking: Booking, amount: int) -> None:
    """Add to what is due for a booking; a negative amount is due no more."""
    if amount:
        writes.ledger.append(LedgerEntry.of(booking, "due", amount))


def concerns_of(writes: Writes) -> dict[int, set[str]]:
    """User id → what of theirs a batch has changed: `bookings`, `waitlist`."""
    concerns: dict[int, set[str]] = {}
    for bookings in (writes.booked, writes.moved, writes.cancelled):
        for booking in bookings:
            concerns.setdefault(booking.user_id, set()).add("bookings")
    for entry in writes.entries.values():
        concerns.setdefault(entry.user_id, set()).add("waitlist")
    for ended in writes.ended:
        concerns.setdefault(ended.user_id, set()).add("waitlist")
    return concerns
