"""What a change leaves behind: audit events, messages for the outbox, ledger entries.

Audit payloads hold ids, resources and times; never a name or an address (DOMAIN 26).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec

from server.domain.bookings import Booking, Closure
from server.domain.waitlist import Entry


class AuditEvent(msgspec.Struct, frozen=True):
    """A row of the append-only trail. Its id is the operation's: it tells whether a commit arrived."""

    id: UUID
    club_id: int
    event_type: str
    actor_id: int | None
    """Who did it; None: the system."""
    payload: dict[str, Any]

    @classmethod
    def of_booking(
        cls, event_id: UUID, event_type: str, booking: Booking, actor_id: int | None, more: dict[str, Any]
    ) -> Self:
        payload: dict[str, Any] = {
            "booking_id": str(booking.id),
            "user_id": booking.user_id,
            "actor_id": actor_id,
            **place_of(booking),
            "price_total": booking.price.total,
        }
        payload.update({name: value for name, value in more.items() if value})
        return cls(event_id, booking.club_id, event_type, actor_id, payload)

    @classmethod
    def of_entry(
        cls, event_id: UUID, event_type: str, entry: Entry, actor_id: int | None, more: dict[str, Any]
    ) -> Self:
        payload: dict[str, Any] = {
            "entry_id": str(entry.id),
            "user_id": entry.user_id,
            "actor_id": actor_id,
            "court_id": entry.court_id,
            "kind": entry.kind,
            **things_of(entry),
        }
        payload.update({name: value for name, value in more.items() if value})
        return cls(event_id, entry.club_id, event_type, actor_id, payload)

    @classmethod
    def of_closure(cls, event_id: UUID, event_type: str, closure: Closure, actor_id: int) -> Self:
        payload = {
            "closure_id": str(closure.id),
            "actor_id": actor_id,
            "court_ids": list(closure.court_ids),
            "start_ts": closure.interval.start.isoformat(),
            "end_ts": closure.interval.end.isoformat(),
        }
        return cls(event_id, closure.club_id, event_type, actor_id, payload)


class Message(msgspec.Struct, frozen=True):
    """Work for the outbox."""

    id: UUID
    club_id: int
    kind: str
    payload: dict[str, Any]
    run_at: datetime | None = None
    """When it is due; None is at once."""


class LedgerEntry(msgspec.Struct, frozen=True):
    """An amount in minor units that its user owes the club for a booking; negative is owed no more."""

    club_id: int
    booking_id: UUID
    user_id: int
    kind: str
    amount: int
    currency: str

    @classmethod
    def of(cls, booking: Booking, kind: str, amount: int) -> Self:
        return cls(booking.club_id, booking.id, booking.user_id, kind, amount, booking.price.currency)


def place_of(booking: Booking) -> dict[str, Any]:
    """A booking's resources and times, for an audit payload."""
    return {"court_id": booking.court_id, **things_of(booking)}


def things_of(wish: Booking | Entry) -> dict[str, Any]:
    """Coach, equipment and times of a booking or of what somebody waits for."""
    return {
        "coach_id": wish.coach_id,
        "equipment": [{"equipment_id": item.equipment_id, "quantity": item.quantity} for item in wish.equipment],
        "start_ts": wish.interval.start.isoformat(),
        "end_ts": wish.interval.end.isoformat(),
    }
