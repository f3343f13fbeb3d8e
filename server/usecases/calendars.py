"""Bookings as calendar entries (RFC 5545, 5546): what a mail brings along, and what is fetched by a press.

The UID is the booking's and stays; SEQUENCE grows with each move and with the cancellation, so a calendar that gets an
old mail late keeps the newer state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

from server.context import Context
from server.domain.errors import NotFound
from server.sql import notifications
from server.sql.connection import acquire

PRODUCT = "-//Courtside//Courtside//EN"
REFRESH = timedelta(minutes=30)
"""How often a calendar may look again, as we advise it."""


def invitation(booking: Mapping[str, Any], *, sender: str, recipient: str, now: datetime) -> tuple[str, bytes]:
    """The method (REQUEST or CANCEL) and the calendar with a booking in it; see `notifications.list_booked`.

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
        booking = (await notifications.list_booked(conn, [booking_id])).get(booking_id)
    if booking is None:
        raise NotFound("You have no booking with that id.")
    sender = context.settings.notification_from_email
    # Nobody is invited, so nobody is asked for an answer; the UID is that of the mails, so it is there once.
    return _calendar("PUBLISH", _event(booking, sender, context.clock()))


def publication(
    name: str,
    bookings: Iterable[Mapping[str, Any]],
    closures: Iterable[Mapping[str, Any]] = (),
    *,
    of_court: bool,
    sender: str,
    now: datetime,
) -> bytes:
    """A calendar to subscribe to. It names nobody: whose bookings they are is known to who has the address.

    `bookings` are those of `notifications.list_booked`, all confirmed; what was cancelled is not in it any more.
    """
    events = []
    for booking in bookings:
        event = _event(booking, sender, now)
        if of_court:
            event["summary"] = vText(f"{'Coaching' if booking['coach'] else 'Booked'} · {event['summary']}")
        events.append(event)
    for closure in closures:
        event = _when(closure, closure["version"] - 1, sender, now)
        event.add("summary", f"Closed: {closure['reason']}" if closure["reason"] else "Closed")
        events.append(event)
    return _calendar("PUBLISH", *events, name=name)


def _event(booking: Mapping[str, Any], sender: str, now: datetime) -> Event:
    event = _when(booking, booking["revision"], sender, now)
    event.add("summary", f"{booking['court']} · {booking['club']}")
    event.add("location", booking["club"])
    with_what = [*([booking["coach"]] if booking["coach"] else []), *booking["equipment"]]
    if with_what:
        event.add("description", ", ".join(with_what))
    event.add("status", "CANCELLED" if booking["status"] == "cancelled" else "CONFIRMED")
    return event


def _when(row: Mapping[str, Any], sequence: int, sender: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{row['id']}@courtside")
    event.add("sequence", sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", row["start_ts"].astimezone(UTC))
    event.add("dtend", row["end_ts"].astimezone(UTC))
    event.add("organizer", vCalAddress(f"mailto:{parseaddr(sender)[1]}"))
    return event


def _calendar(method: str, *events: Event, name: str | None = None) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    if name is not None:
        calendar.add("x-wr-calname", name)
        calendar.add("name", name)
        calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
        calendar.add("x-published-ttl", "PT30M")
    for event in events:
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content
