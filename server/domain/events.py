"""What a change leaves behind: audit events, messages for the outbox, ledger entries.

Audit payloads hold ids, resources and times; never a name or an address (DOMAIN 26).
"""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

import msgspec

from server.domain.bookings import Booking, Closure


class AuditEvent(msgspec.Struct, frozen=True):
    """A row of the append-only trail. Its id is the operation's: it tells whether a commit arrived."""

    id: UUID
    club_id: int
    event_type: str
    actor_id: int
    payload: dict[str, Any]

    @classmethod
    def of_booking(cls, event_id: UUID, event_type: str, booking: Booking, actor_id: int, more: dict[str, Any]) -> Self:
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
    return {
        "court_id": booking.court_id,
        "coach_id": booking.coach_id,
        "equipment": [{"equipment_id": item.equipment_id, "quantity": item.quantity} for item in booking.equipment],
        "start_ts": booking.interval.start.isoformat(),
        "end_ts": booking.interval.end.isoformat(),
    }
