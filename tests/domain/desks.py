"""A club at which everything can be asked for, a store that keeps what is written, and requests for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from server.domain.bookings import (
    Accepted,
    Book,
    Booking,
    Cancel,
    Claim,
    Close,
    Closure,
    Expire,
    IdempotencyKey,
    Leave,
    Move,
    Party,
    Promote,
    Reopen,
    Request,
)
from server.domain.capacity import Taken
from server.domain.catalogue import Catalogue, Coach, Window
from server.domain.daybook import settle
from server.domain.effects import Allocation, Answer, Daybook, Settlement, Writes
from server.domain.errors import Refusal
from server.domain.footprint import footprint_of, waiting_spans
from server.domain.pricing import EquipmentItem
from server.domain.slots import Interval, day_interval
from server.domain.waitlist import Entry
from tests.domain.builders import BALLS, RACKETS, club, court, slot

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
"""A Monday; the tests book on the Tuesday after it."""
TUESDAY = "2026-12-01"
HALVES_AND_FULL = (court(1), court(2, indoor=False), court(3, units=(1, 2), base_rate=4000))
UNITS = {1: {1}, 2: {2}, 3: {1, 2}}
"""Court → units."""
COACH = Coach(id=1, resource_id=11, name="Anna", rate=3000, hours={1: (Window(9 * 60, 12 * 60),)})
POOLS = (msgspec.structs.replace(RACKETS, quantity=3), BALLS)


def full_club(**changes: Any) -> Catalogue:
    """Two half courts and the full court made of them, a coach on duty on Tuesday mornings, rackets and a machine."""
    return club(**{"courts": HALVES_AND_FULL, "coaches": (COACH,), "equipment": POOLS, **changes})


class Ids:
    """Ids in order, the same in every run."""

    def __init__(self, first: int = 1) -> None:
        self._numbers: Iterator[int] = count(first)

    def __call__(self) -> UUID:
        return UUID(int=next(self._numbers))


def player(user_id: int = 1, **changes: Any) -> Party:
    return Party(**{"user_id": user_id, "actor_id": user_id, "staff": False, **changes})


STAFF = Party(user_id=9, actor_id=9, staff=True)
new_id = Ids(10**9)


def book(
    start: str = "10:00", until: str = "11:00", *, court_id: int = 1, party: Party | None = None, **more: Any
) -> Book:
    values: dict[str, Any] = {"coach_id": None, "equipment": (), **more}
    return Book(
        op_id=new_id(),
        booking_id=new_id(),
        grid_ref=f"ref-{new_id().int}",
        party=party or player(),
        court_id=court_id,
        interval=slot(f"{TUESDAY}T{start}", until),
        **values,
    )


def move(seen: Booking, *, party: Party | None = None, **changes: Any) -> Move:
    kept: dict[str, Any] = {
        "court_id": seen.court_id, "interval": seen.interval, "coach_id": seen.coach_id, "equipment": seen.equipment,
    }  # fmt: skip
    return Move(
        op_id=new_id(), grid_ref=f"ref-{new_id().int}", party=party or player(seen.user_id), seen=seen, **kept | changes
    )


def cancel(seen: Booking, *, party: Party | None = None, **more: Any) -> Cancel:
    return Cancel(op_id=new_id(), party=party or player(seen.user_id), seen=seen, **more)


def close(
    *court_ids: int, start: str = "09:00", until: str = "12:00", seen: Sequence[Booking] = (), **more: Any
) -> Close:
    replaces: Closure | None = more.get("replaces")
    closure = Closure(
        id=replaces.id if replaces else new_id(),
        club_id=1,
        court_ids=court_ids,
        interval=slot(f"{TUESDAY}T{start}", until),
        reason="Rain",
        created_by=9,
        version=replaces.version + 1 if replaces else 1,
        created_at=NOW,
    )
    return Close(op_id=new_id(), party=STAFF, closure=closure, seen=tuple(seen), **more)


def reopen(closure: Closure) -> Reopen:
    return Reopen(op_id=new_id(), party=STAFF, closure=closure)


def keyed(request: Any, body: bytes = b"body", render: Callable[..., tuple[int, bytes]] | None = None) -> Any:
    """The request under the idempotency key `key` of its actor."""
    key = IdempotencyKey(request.party.actor_id, "POST /api/bookings", "key", body, render or rendered)
    return msgspec.structs.replace(request, idempotency=key)


def rendered(outcome: Accepted | Refusal) -> tuple[int, bytes]:
    if isinstance(outcome, Refusal):
        return outcome.status, outcome.code.encode()
    assert outcome.booking is not None
    return 201, str(outcome.booking.id).encode()


class Store:
    """What the tables hold, without a database: `Writes` go in, a `Daybook` comes out, as the desk reads it."""

    def __init__(self, catalogue: Catalogue | None = None, now: datetime = NOW) -> None:
        self.catalogue = catalogue or full_club()
        self.now = now
        self.new_id = Ids()
        self.bookings: dict[UUID, Booking] = {}
        self.closures: dict[UUID, Closure] = {}
        self.active: list[Allocation] = []
        self.entries: dict[UUID, Entry] = {}
        self.answers: dict[tuple[int, str, str], Answer] = {}
        self.written: list[Writes] = []

    def read(self, requests: Sequence[Request]) -> Daybook:
        """What the desk reads for these requests, and no more."""
        named = {request.seen.id for request in requests if isinstance(request, Leave | Claim | Promote | Expire)}
        spans: list[Interval] = []
        near: dict[UUID, Entry] = {}
        while spans != (wider := waiting_spans(self.catalogue, requests, near.values())):
            spans = wider
            near = {
                entry.id: entry
                for entry in self.entries.values()
                if entry.id in named or any(entry.interval.overlaps(span) for span in spans)
            }
            people = {entry.user_id for entry in near.values()}
            near |= {
                entry.id: entry for entry in self.entries.values() if entry.hold is not None and entry.user_id in people
            }
        footprint = footprint_of(self.catalogue, requests, near.values())
        taken: dict[int, list[Taken]] = {resource: [] for resource, _ in footprint.reads}
        for row in self.active:
            for resource, day in sorted(footprint.reads):
                whole = day_interval(day, self.catalogue.tz)
                if row.resource_id == resource and row.start < whole.end and whole.start < row.end:
                    taken[resource].append(taken_of(row))
                    break
        named = set()
        for request in requests:
            match request:
                case Cancel() | Move():
                    named.add(request.seen.id)
                case Close():
                    named |= {booking.id for booking in request.seen}
        booked: dict[int, list[Interval]] = {}
        if self.catalogue.policy.quotas.any_set:
            booked = {person: self.booked_times(person) for person in footprint.people}
        booked |= {entry.user_id: self.booked_times(entry.user_id) for entry in near.values()}
        keys = {request.idempotency.identity for request in requests if request.idempotency}
        return Daybook(
            catalogue=self.catalogue,
            taken=taken,
            bookings={id_: self.bookings[id_] for id_ in named if id_ in self.bookings},
            closures=dict(self.closures),
            booked_times=booked,
            entries=near,
            answers={key: answer for key, answer in self.answers.items() if key in keys},
        )

    def booked_times(self, user_id: int) -> list[Interval]:
        return [
            booking.interval
            for booking in self.bookings.values()
            if booking.user_id == user_id and booking.status == "confirmed"
        ]

    def settle(self, *requests: Request) -> list[Any]:
        """Settle a batch and write it. Returns the outcomes."""
        settlement = self.decide(requests)
        self.write(settlement.writes)
        return list(settlement.outcomes)

    def decide(self, requests: Sequence[Request]) -> Settlement:
        return settle(self.read(requests), requests, now=self.now, new_id=self.new_id)

    def write(self, writes: Writes) -> None:
        """In the desk's order: what ends, then what begins."""
        self.written.append(writes)
        freed = set(writes.freed)
        self.active = [row for row in self.active if row.owner not in freed]
        for booking in (*writes.cancelled, *writes.moved, *writes.booked):
            self.bookings[booking.id] = booking
        for closure in (*writes.lifted, *writes.reclosed, *writes.closed):
            self.closures[closure.id] = closure
        self.active += writes.allocations
        self.entries |= writes.entries
        for ended in writes.ended:
            del self.entries[ended.entry_id]
        for stored in writes.answers:
            self.answers[stored.user_id, stored.route, stored.key] = stored.answer

    def booked(self, *requests: Request) -> list[Booking]:
        """Settle what must be granted. Returns the bookings."""
        outcomes = self.settle(*requests)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes
        return [outcome.booking for outcome in outcomes]


def taken_of(row: Allocation) -> Taken:
    return Taken(row.owner, row.kind, row.start, row.end, row.quantity)


def rackets(quantity: int) -> tuple[EquipmentItem, ...]:
    return (EquipmentItem(RACKETS.id, quantity),)


def code_of(outcome: object) -> str:
    """`accepted`, `stale`, `replay` or the refusal's code."""
    return outcome.code if isinstance(outcome, Refusal) else type(outcome).__name__.lower()
