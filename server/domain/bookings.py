"""Bookings, what is asked of the desk, and what it answers.

Ids, grid references and the time are made by the caller, so that deciding stays pure and a repeated try is
the same request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from server.domain.errors import Refusal
from server.domain.pricing import EquipmentItem, Price
from server.domain.slots import Interval
from server.domain.waitlist import Entry


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it is stored. Times are aware UTC; money is minor units."""

    id: UUID
    club_id: int
    court_id: int
    user_id: int
    coach_id: int | None
    interval: Interval
    status: str
    """`confirmed` or `cancelled`."""
    grid_ref: str
    equipment: tuple[EquipmentItem, ...]
    price: Price
    cancel_until: datetime
    late_fee_percent: int
    created_by: int
    revision: int
    created_at: datetime
    cancelled_at: datetime | None = None

    def same_place(self, other: Booking) -> bool:
        """Whether both occupy the same resources at the same time, in the same state, and were moved equally often.

        Moved away and back it is no longer what was seen: two changes of one booking in one batch would write what
        it holds twice.
        """
        return (
            self.revision == other.revision
            and self.court_id == other.court_id
            and self.interval == other.interval
            and self.coach_id == other.coach_id
            and self.equipment == other.equipment
            and self.status == other.status
        )

    def is_at(
        self, court_id: int, interval: Interval, coach_id: int | None, equipment: tuple[EquipmentItem, ...]
    ) -> bool:
        """Whether that is where the booking is already; the order of the equipment says nothing."""
        return (
            self.court_id == court_id
            and self.interval == interval
            and self.coach_id == coach_id
            and set(self.equipment) == set(equipment)
        )


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """A closure of courts for maintenance, a tournament or the weather."""

    id: UUID
    club_id: int
    court_ids: tuple[int, ...]
    interval: Interval
    reason: str
    created_by: int
    version: int
    created_at: datetime
    lifted_at: datetime | None = None


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Who a booking is for and who asks for it."""

    user_id: int
    actor_id: int
    staff: bool
    """Whether the actor runs the club: exempt from quotas, the override is audited (DOMAIN 12)."""
    tier: str | None = None
    verified: bool = True
    suspended: bool = False
    """Whether the club lets them book nothing."""


Render = Callable[["Accepted | Refusal"], tuple[int, bytes]]
"""Makes the answer that is stored under an idempotency key: (HTTP status, body)."""


class IdempotencyKey(msgspec.Struct, frozen=True):
    """A client's name for one request: the same key is the same request."""

    user_id: int
    route: str
    key: str
    request_hash: bytes
    render: Render

    @property
    def identity(self) -> tuple[int, str, str]:
        return (self.user_id, self.route, self.key)


# -- asked --------------------------------------------------------------------------------------------------


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Take a court, and with it coach and equipment, or nothing (DOMAIN 7)."""

    op_id: UUID
    booking_id: UUID
    grid_ref: str
    party: Party
    court_id: int
    interval: Interval
    coach_id: int | None
    equipment: tuple[EquipmentItem, ...]
    expected_total: int | None = None
    idempotency: IdempotencyKey | None = None
    checked_at: tuple[str, int] | None = None
    """The mark of the catalogue by which the slot passed the policy; another one checks again."""
    member: bool = True
    """Whether the asker is a member of the club, where a club shows itself to its members alone."""
    waits: Entry | None = None
    """How they join the waitlist if somebody has it."""


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Give a booking up. `seen` is the booking as the asker read it."""

    op_id: UUID
    party: Party
    seen: Booking
    idempotency: IdempotencyKey | None = None


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Exchange a booking's court, time, coach or equipment for another, or keep it as it was."""

    op_id: UUID
    grid_ref: str
    party: Party
    seen: Booking
    court_id: int
    interval: Interval
    coach_id: int | None
    equipment: tuple[EquipmentItem, ...]
    expected_total: int | None = None
    idempotency: IdempotencyKey | None = None


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """Close courts. Bookings in the way are cancelled with it; those that were not `seen` make it stale.

    With `replaces`, an existing closure is exchanged for this one.
    """

    op_id: UUID
    party: Party
    closure: Closure
    seen: tuple[Booking, ...]
    replaces: Closure | None = None
    idempotency: IdempotencyKey | None = None


class Reopen(msgspec.Struct, frozen=True, kw_only=True):
    """Lift a closure."""

    op_id: UUID
    party: Party
    closure: Closure
    idempotency: IdempotencyKey | None = None


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for a slot that is taken."""

    op_id: UUID
    party: Party
    entry: Entry
    member: bool = True
    idempotency: IdempotencyKey | None = None


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """Wait no more, or decline what is offered. `seen` is the entry as the asker read it."""

    op_id: UUID
    party: Party
    seen: Entry
    idempotency: IdempotencyKey | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Book what is held for an entry."""

    op_id: UUID
    booking_id: UUID
    grid_ref: str
    party: Party
    seen: Entry
    ref: str | None = None
    """The hold that is claimed; None is the one that there is."""
    expected_total: int | None = None
    idempotency: IdempotencyKey | None = None


class Job(msgspec.Struct, frozen=True):
    """The outbox row that a request works off, and the lease under which it may."""

    outbox_id: UUID
    lease: UUID
    due: datetime
    """When it was to be done. Its time has come, though our clock may be behind the one that said so."""


class Promote(msgspec.Struct, frozen=True, kw_only=True):
    """Book what is held for an entry, or offer it: the worker's part. Staff may promote out of turn."""

    op_id: UUID
    booking_id: UUID
    grid_ref: str
    seen: Entry
    ref: str | None = None
    """The hold that the worker was told of."""
    by: Party | None = None
    """Which staff promotes by hand, whatever is held."""
    job: Job | None = None
    idempotency: IdempotencyKey | None = None


class Expire(msgspec.Struct, frozen=True, kw_only=True):
    """End an offer or an entry whose time is over."""

    op_id: UUID
    seen: Entry
    job: Job | None = None
    idempotency: IdempotencyKey | None = None


class Rematch(msgspec.Struct, frozen=True, kw_only=True):
    """Look through the line again: something became free without a request, by time or by the staff's changes."""

    op_id: UUID
    interval: Interval
    releases_moved: bool = False
    """Whether days are released at other times than was known when people joined: they are looked at then."""
    job: Job | None = None
    idempotency: IdempotencyKey | None = None


Request = Book | Cancel | Move | Close | Reopen | Join | Leave | Claim | Promote | Expire | Rematch


# -- answered -----------------------------------------------------------------------------------------------


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The request was granted: the booking, closure or waitlist entry as it is now, and the bookings that had to go."""

    booking: Booking | None = None
    entry: Entry | None = None
    position: int | None = None
    """The entry's place in the line."""
    closure: Closure | None = None
    cancelled: tuple[Booking, ...] = ()


class Replay(msgspec.Struct, frozen=True):
    """The same request was answered before: the first answer again."""

    status: int
    body: bytes


class Stale(msgspec.Struct, frozen=True):
    """What the request was based on has changed: read again and ask again."""


Outcome = Accepted | Replay | Stale | Refusal
