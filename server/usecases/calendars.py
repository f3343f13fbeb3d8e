"""Bookings as calendar entries (RFC 5545, 5546): what a mail brings along, what is fetched by a press, and what a feed
publishes.

The UID is the booking's and stays; SEQUENCE grows with each move and with the cancellation, so a calendar that gets an
old mail late keeps the newer state, and one that has both mail and feed has one entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress

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
    cancelled = booking["status"] == "cancelled"
    method = "CANCEL" if cancelled else "REQUEST"
    event = _event(booking, f"{booking['court']} · {booking['club']}", sender=sender, now=now)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    attendee = vCalAddress(f"mailto:{recipient}")
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    event.add("attendee", attendee, encode=False)
    calendar = _calendar(method)
    calendar.add_component(event)
    return method, calendar.to_ical()


async def publish_booking(context: Context, booking_id: UUID) -> bytes:
    """The calendar with a booking in it, to be added by whoever asked; for who may see it. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        booking = (await notifications.list_booked(conn, {booking_id})).get(booking_id)
    if booking is None:
        raise NotFound("You have no booking with that id.")
    event = _event(
        booking,
        f"{booking['court']} · {booking['club']}",
        sender=context.settings.notification_from_email,
        now=context.clock(),
    )
    event.add("status", "CANCELLED" if booking["status"] == "cancelled" else "CONFIRMED")
    # Nobody is invited, so nobody is asked for an answer; the UID is that of the mails, so it is there once.
    calendar = _calendar("PUBLISH")
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


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
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("name", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT30M")
    for booking in bookings:
        where = f"{booking['court']} · {booking['club']}"
        title = (f"Coaching · {where}" if booking["coach"] else f"Booked · {where}") if of_court else where
        event = _event(booking, title, sender=sender, now=now)
        event.add("status", "CONFIRMED")
        calendar.add_component(event)
    for closure in closures:
        event = _when(closure, sequence=closure["version"] - 1, sender=sender, now=now)
        event.add("summary", f"Closed: {closure['reason']}" if closure["reason"] else "Closed")
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _calendar(method: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    return calendar


def _event(booking: Mapping[str, Any], summary: str, *, sender: str, now: datetime) -> Event:
    event = _when(booking, sequence=booking["revision"], sender=sender, now=now)
    event.add("summary", summary)
    event.add("location", booking["club"])
    with_what = [*([booking["coach"]] if booking["coach"] else []), *booking["equipment"]]
    if with_what:
        event.add("description", ", ".join(with_what))
    return event


def _when(row: Mapping[str, Any], *, sequence: int, sender: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{row['id']}@courtside")
    event.add("sequence", sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", row["start_ts"].astimezone(UTC))
    event.add("dtend", row["end_ts"].astimezone(UTC))
    event.add("organizer", vCalAddress(f"mailto:{parseaddr(sender)[1]}"))
    return event
