"""Bookings as calendar entries (RFC 5545, 5546): what a mail brings along.

The UID is the booking's and stays; SEQUENCE grows with each move and with the cancellation, so a calendar that gets an
old mail late keeps the newer state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from icalendar import Calendar, Event, vCalAddress

PRODUCT = "-//Courtside//Courtside//EN"


def invitation(booking: Mapping[str, Any], *, sender: str, recipient: str, now: datetime) -> tuple[str, bytes]:
    """The method (REQUEST or CANCEL) and the calendar with a booking in it; see `notifications.fetch_booked`.

    `sender` is an address, with or without a name.
    """
    cancelled = booking["status"] == "cancelled"
    method = "CANCEL" if cancelled else "REQUEST"
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
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("organizer", vCalAddress(f"mailto:{parseaddr(sender)[1]}"))
    attendee = vCalAddress(f"mailto:{recipient}")
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    event.add("attendee", attendee, encode=False)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return method, calendar.to_ical()
