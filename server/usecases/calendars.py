"""Bookings as calendar entries (RFC 5545, 5546): what a mail brings along, and what is fetched by a press.

The UID is the booking's and stays; SEQUENCE grows with each move and with the cancellation, so a calendar that gets an
old mail late keeps the newer state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress

from server.context import Context
from server.domain.errors import NotFound
from server.sql import notifications
from server.sql.connection import acquire

PRODUCT = "-//Courtside//Courtside//EN"


def invitation(booking: Mapping[str, Any], *, sender: str, recipient: str, now: datetime) -> tuple[str, bytes]:
    """The method (REQUEST or CANCEL) and the calendar with a booking in it; see `notifications.fetch_booked`.

    `sender` is an address, with or without a name.
    """
    method = "CANCEL" if booking["status"] == "cancelled" else "REQUEST"
    event = _event(booking, sender, now)
    attendee = vCalAddress(f"mailto:{recipient}")
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    event.add("attendee", attendee, encode=False)
    return method, _calendar(method, event)


async def publish_booking(context: Context, booking_id: UUID) -> bytes:
    """The calendar with a booking in it, to be added by whoever asked; for who may see it. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        booking = await notifications.fetch_booked(conn, booking_id)
    if booking is None:
        raise NotFound("You have no booking with that id.")
    sender = context.settings.notification_from_email
    # Nobody is invited, so nobody is asked for an answer; the UID is that of the mails, so it is there once.
    return _calendar("PUBLISH", _event(dict(booking), sender, context.clock()))


def _event(booking: Mapping[str, Any], sender: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{booking['id']}@courtside")
    event.add("sequence", booking["revision"])
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", booking["start_ts"].astimezone(UTC))
    event.add("dtend", booking["end_ts"].astimezone(UTC))
    event.add("summary", f"{booking['court']} · {booking['club']}")
    event.add("location", booking["club"])
    with_what = [*([booking["coach"]] if booking["coach"] else []), *booking["equipment"]]
    if with_what:
        event.add("description", ", ".join(with_what))
    event.add("status", "CANCELLED" if booking["status"] == "cancelled" else "CONFIRMED")
    event.add("organizer", vCalAddress(f"mailto:{parseaddr(sender)[1]}"))
    return event


def _calendar(method: str, event: Event) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content
