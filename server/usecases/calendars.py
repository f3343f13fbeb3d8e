"""Bookings as calendar entries (RFC 5545, 5546): what a mail brings along, and what is fetched by a press.

The UID is the booking's and stays; SEQUENCE grows with each move and with the cancellation, so a calendar that gets an
old mail late keeps the newer state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import UUID

from icalendar import vText
from icalendar.parser import Contentline

from server.context import Context
from server.domain.errors import NotFound
from server.sql import notifications
from server.sql.connection import acquire
from server.usecases.mail import MAX_REMARK, one_line

PRODUCT = "-//Courtside//Courtside//EN"
REFRESHED = ("REFRESH-INTERVAL;VALUE=DURATION:PT30M", "X-PUBLISHED-TTL:PT30M")
"""How often a calendar may look again, as we advise it."""
INSTANT = "%Y%m%dT%H%M%SZ"
UNFOLDED = 74
"""Octets of a line that is not folded; the RFC has 75."""


def invitation(booking: Mapping[str, Any], *, sender: str, recipient: str, now: datetime) -> tuple[str, bytes]:
    """The method (REQUEST or CANCEL) and the calendar with a booking in it; see `notifications.list_booked`.

    `sender` is an address, with or without a name, `recipient` one without. The lines are written here: its few properties
    are all known, and icalendar's components took 0.32 ms for each, ten times as long as all else about a mail.
    """
    method = "CANCEL" if booking["status"] == "cancelled" else "REQUEST"
    begin, *lines = _event(booking, sender, now)
    attendee = f"ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{recipient}"
    return method, _calendar(method, begin, attendee, *lines)


async def publish_booking(context: Context, booking_id: UUID) -> bytes:
    """The calendar with a booking in it, to be added by whoever asked; for who may see it. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        booking = (await notifications.list_booked(conn, [booking_id])).get(booking_id)
    if booking is None:
        raise NotFound("You have no booking with that id.")
    sender = context.settings.notification_from_email
    # Nobody is invited, so nobody is asked for an answer; the UID is that of the mails, so it is there once.
    return _calendar("PUBLISH", *_event(booking, sender, context.clock()))


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
    lines = []
    for booking in bookings:
        busy = f"{'Coaching' if booking['coach'] else 'Booked'} · " if of_court else ""
        lines += _event(booking, sender, now, busy)
    for closure in closures:
        reason = f"Closed: {closure['reason']}" if closure["reason"] else "Closed"
        lines += _entry(closure, closure["version"] - 1, sender, now, f"SUMMARY:{_text(reason)}")
    words = _text(name)
    return _calendar("PUBLISH", f"NAME:{words}", f"X-WR-CALNAME:{words}", *REFRESHED, *lines)


def _event(booking: Mapping[str, Any], sender: str, now: datetime, busy: str = "") -> list[str]:
    with_what = [*([booking["coach"]] if booking["coach"] else []), *booking["equipment"]]
    summary, description = f"{busy}{booking['court']} · {booking['club']}", ", ".join(with_what)
    return _entry(
        booking,
        booking["revision"],
        sender,
        now,
        f"SUMMARY:{_text(summary)}",
        f"LOCATION:{_text(booking['club'])}",
        *([f"DESCRIPTION:{_text(description)}"] if with_what else ()),
        f"STATUS:{'CANCELLED' if booking['status'] == 'cancelled' else 'CONFIRMED'}",
    )


def _entry(row: Mapping[str, Any], sequence: int, sender: str, now: datetime, *about: str) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{row['id']}@courtside",
        f"SEQUENCE:{sequence}",
        f"DTSTAMP:{now.astimezone(UTC):{INSTANT}}",
        f"DTSTART:{row['start_ts'].astimezone(UTC):{INSTANT}}",
        f"DTEND:{row['end_ts'].astimezone(UTC):{INSTANT}}",
        f"ORGANIZER:mailto:{_address(sender)}",
        *about,
        "END:VEVENT",
    ]


@lru_cache(maxsize=16)
def _address(sender: str) -> str:
    return parseaddr(sender)[1]


def _text(words: str) -> str:
    """What people wrote, as a value of the type TEXT: escaped, on one line."""
    escaped: bytes = vText(one_line(words, MAX_REMARK)).to_ical()
    return escaped.decode()


def _calendar(method: str, *lines: str) -> bytes:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", f"METHOD:{method}", *lines, "END:VCALENDAR", "")
    return b"\r\n".join(map(_folded, lines))


def _folded(line: str) -> bytes:
    encoded = line.encode()
    if len(encoded) <= UNFOLDED:
        return encoded
    folded: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call] # icalendar has no types there
    return folded
