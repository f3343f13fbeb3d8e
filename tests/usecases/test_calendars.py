"""The calendar entry that a booking's mail brings along, read back line by line as RFC 5545 unfolds it."""

from __future__ import annotations

from email.message import EmailMessage

from server.context import Context
from server.usecases.wishes import Change
from tests.house import DAY, open_house
from tests.mailing import deliver_due, mails_in


def entry_in(message: EmailMessage) -> dict[str, str]:
    """The properties of the mail's one calendar entry; the attachment's own method under `content-type`."""
    (part,) = [part for part in message.iter_attachments() if part.get_content_type() == "text/calendar"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    lines = content.decode().replace("\r\n ", "").split("\r\n")
    assert [line for line in lines if line.startswith(("BEGIN:", "END:"))] == [
        "BEGIN:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    found = {name.partition(";")[0]: value for name, _, value in (line.partition(":") for line in lines)}
    return found | {"content-type": str(part.get_param("method"))}


async def test_a_bookings_mails_carry_it_into_a_calendar_move_it_there_and_take_it_out(context: Context) -> None:
    async with open_house(context) as house:
        player = await house.player()
        booking = await house.book(player, "10:00", "11:00", rackets=2)
        await deliver_due(context, limit=10)
        await house.bookings.move(player, booking.id, Change(start_ts=f"{DAY}T12:00", end_ts=f"{DAY}T13:00"))
        await deliver_due(context, limit=10)
        await house.bookings.cancel(player, booking.id)
        await deliver_due(context, limit=10)

    messages = sorted(mails_in(context.settings.courtside_home), key=lambda message: str(message["Message-ID"]))
    booked, moved, cancelled = map(entry_in, messages)
    assert {each["UID"] for each in (booked, moved, cancelled)} == {f"{booking.id}@courtside"}
    assert [each["SEQUENCE"] for each in (booked, moved, cancelled)] == ["0", "1", "2"]
    assert [each["METHOD"] for each in (booked, moved, cancelled)] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [each["content-type"] for each in (booked, moved, cancelled)] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [each["STATUS"] for each in (booked, moved, cancelled)] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert (booked["DTSTART"], booked["DTEND"]) == ("20310515T090000Z", "20310515T100000Z")
    assert moved["DTSTART"] == "20310515T110000Z"
    assert booked["DESCRIPTION"] == "2 × Rackets"
    assert booked["ORGANIZER"] == "mailto:bookings@courtside.example"
