"""What each mail looks like, for staff to read: the real letters, about people and bookings that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound
from server.domain.slots import at_minute, local_day
from server.usecases import letters, mail

REF = "sample"
NAME = "Sam Sample"
TOKEN = "sample-of-a-secret-that-opens-nothing"  # noqa: S105 - it opens nothing
UNCONFIRMED = frozenset({"mail.verify"})


class Preview(msgspec.Struct, frozen=True):
    """A mail as it is set."""

    template: str
    subject: str
    text: str
    html: str


def list_templates() -> list[str]:
    """The names of all mails: the kinds of the outbox' rows that have a letter."""
    return list(letters.LETTERS)


def preview(template: str, club: Catalogue, *, public_url: str, now: datetime) -> Preview:
    """A mail with sample data, in the club's name, zone and currency. Raises `NotFound`."""
    if template not in letters.LETTERS:
        raise NotFound("There is no such mail.")
    letter = letters.LETTERS[template](_occasion(template, club, public_url, now))
    return Preview(template, letter.subject, mail.set_text(letter), mail.set_html(letter))


def _occasion(template: str, club: Catalogue, public_url: str, now: datetime) -> letters.Occasion:
    start = at_minute(local_day(now, club.tz) + timedelta(days=1), 19 * 60, club.tz)
    court = next(iter(club.court_by_id.values()), None)
    about: dict[str, Any] = {
        "id": UUID(int=0), "club": club.name, "zone": club.zone, "court": court.name if court else "Court 1",
        "coach": "Kim Coach", "equipment": ["2 × Racket"], "start_ts": start, "end_ts": start + timedelta(minutes=90),
    }  # fmt: skip
    booking: Mapping[str, Any] | None = None
    waited: Mapping[str, Any] | None = None
    payload: dict[str, Any] = {"user_id": 0, "token": TOKEN}
    if template.startswith("booking."):
        payload = {"user_id": 0, "booking_id": str(UUID(int=0)), "hours": 24, "start_ts": start.isoformat()}
        if template == "booking.cancelled":
            payload["reason"] = "The roof leaks: the courts are closed"
        booking = about | {
            "status": "cancelled" if template == "booking.cancelled" else "confirmed", "revision": 0,
            "price_total": 5580, "price_currency": club.currency, "fee": 1250, "cancel_until": start - timedelta(hours=4),
        }  # fmt: skip
    elif template.startswith("waitlist."):
        payload = {"user_id": 0, "entry_id": str(UUID(int=0)), "ref": REF}
        offered = template == "waitlist.offered"
        waited = about | {
            "auto_book": False, "outcome": None, "held_ref": REF if offered else None, "held_price": 5580,
            "held_until": now + timedelta(minutes=15), "currency": club.currency,
        }  # fmt: skip
    recipient = {"name": NAME, "verified_at": None if template in UNCONFIRMED else now, "reminders": [24, 2]}
    return letters.Occasion(
        payload=payload, recipient=recipient, booking=booking, waited=waited, claim_token=TOKEN,
        public_url=public_url, now=now,
    )  # fmt: skip
