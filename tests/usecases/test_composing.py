"""What is composed by hand, read back by Python's `email`, vobject and icalendar, and compared with what they would write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, parseaddr
from typing import Any
from uuid import UUID

import pytest
import vobject  # type: ignore[import-untyped] # it has no types
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar, Event, vCalAddress

from server.context import Context
from server.usecases import calendars, mail
from server.usecases.post import SmtpPost
from tests.mailing import html_of, mail_server, read_mail, text_of
from tests.usecases.test_mail_delivery import over_smtp

NOW = datetime(2031, 5, 14, 9, 0, tzinfo=UTC)
ID = UUID(int=7)
SENDER = '"Jörgs Plätze, Halle (1)" <bookings@bücher.example>'

# What people type, and what those type who mean harm. Surrogates stand in no text of Postgres.
typed = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
harmful = st.sampled_from([
    "\r\nBcc: all@example.org", "\n.\nQUIT", "=?utf-8?q?no?=", "--=_letter--", "--=_mail", "a" * 300, "ü" * 300, "🎾" * 90,
    "=20=\t ", ".", "..", " . ", "\\, ; \\n \\N", "<img src=x>", "é\u0301" * 60, "x\x00y", "",
])  # fmt: skip
words = st.one_of(typed, harmful).map(mail.one_line)
long_words = st.one_of(typed, harmful).map(lambda said: mail.one_line(said, mail.MAX_REMARK))
letters = st.builds(
    mail.Letter,
    subject=long_words,
    greeting=words,
    paragraphs=st.lists(long_words, min_size=1, max_size=3).map(tuple),
    facts=st.lists(st.tuples(words, long_words), max_size=3).map(tuple),
    link=st.none() | st.tuples(words, words),
    code=st.none() | words,
    closing=words,
    signature=words,
)


def composed(letter: mail.Letter, **changes: Any) -> mail.Message:
    given_: dict[str, Any] = {"outbox_id": ID, "to": "ann@example.org", "sender": SENDER, "now": NOW}
    return mail.compose(letter, **(given_ | changes))


def by_the_library(letter: mail.Letter, calendar: tuple[str, bytes]) -> EmailMessage:
    """The same mail as Python's `email` makes it."""
    message = EmailMessage()
    name, address = parseaddr(SENDER)
    message["From"] = Address(name, addr_spec=mail.mail_address(address))
    message["To"] = "ann@example.org"
    message["Subject"] = mail.one_line(letter.subject, 200)
    message["Date"] = format_datetime(NOW)
    message["Message-ID"] = f"<{ID}@xn--bcher-kva.example>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.set_text(letter))
    message.add_alternative(mail.set_html(letter), subtype="html")
    params = {"method": calendar[0], "charset": "utf-8"}
    message.add_attachment(calendar[1], maintype="text", subtype="calendar", filename="booking.ics", params=params)
    message["Content-Language"] = "en"
    return message


def meaning(message: EmailMessage) -> dict[str, Any]:
    """What a mail program makes of a message: headers, and the parts with what is in them."""
    parts = [
        (part.get_content_type(), dict(part["Content-Type"].params), part.get_filename(), part.get_payload(decode=True))
        for part in message.walk()
        if not part.is_multipart()
    ]
    assert [defect for part in message.walk() for defect in part.defects] == []
    headers = {name: str(value) for name, value in message.items() if name != "Content-Type"}
    return {"headers": headers, "shape": [part.get_content_type() for part in message.walk()], "parts": parts}


def fits_the_wire(content: bytes) -> bool:
    """Lines of 7 bits that end in CRLF, as long as the RFC advises at most."""
    lines = content.split(b"\r\n")
    return (
        content.isascii() and lines[-1] == b"" and all(len(line) <= 78 and not {10, 13} & set(line) for line in lines)
    )


@example(mail.Letter(subject="Booked: Court 1, Tue 3 Jun, 19:00–20:30", paragraphs=("£ 24.50", ".", "..", "= 1 =")))
@given(letters)
def test_a_mail_means_what_the_library_would_write_whatever_is_in_it(letter: mail.Letter) -> None:
    calendar = ("REQUEST", b"BEGIN:VCALENDAR\r\nX:" + letter.subject.encode() * 9 + b"\r\nEND:VCALENDAR\r\n")
    message = composed(letter, calendar=calendar)
    assert fits_the_wire(message.content)
    read = read_mail(message.content)
    library = read_mail(by_the_library(letter, calendar).as_bytes())
    found, expected = meaning(read), meaning(library)
    # The library loses white space and what looks like an encoded word from some subjects: what was meant is the measure.
    expected["headers"]["Subject"] = mail.one_line(letter.subject, 200)
    assert (found["shape"], found["headers"]) == (expected["shape"], expected["headers"])
    for ours, theirs in zip(found["parts"], expected["parts"], strict=True):
        assert ours[:3] == theirs[:3]
        assert ours[3].replace(b"\r\n", b"\n") == theirs[3].replace(b"\r\n", b"\n")
    assert text_of(read) == mail.set_text(letter)
    assert html_of(read).replace("\r\n", "\n") == mail.set_html(letter)


@given(letters)
def test_a_mail_without_a_calendar_has_two_parts_and_no_header_more(letter: mail.Letter) -> None:
    read = read_mail(composed(letter).content)
    assert [part.get_content_type() for part in read.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert read.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version"),
        "Content-Type",
    ]


@given(long_words)
def test_each_encoded_word_of_a_subject_stands_for_whole_characters(subject: str) -> None:
    """RFC 2047, 5: one that is cut within a character is shown as nonsense by some."""
    content = composed(mail.Letter(subject=subject, paragraphs=("x",))).content
    (header,) = re.findall(rb"^Subject:((?:.*\r\n )*.*)\r\n", content, re.MULTILINE)
    pieces = header.decode().split()
    if "=?utf-8?q?" in header.decode():
        assert all(len(piece) <= 75 for piece in pieces)
        decoded = [octets.decode(charset) for piece in pieces for octets, charset in decode_header(piece)]
        assert "".join(decoded) == mail.one_line(subject, 200)
    else:
        assert header.decode().strip() == mail.one_line(subject, 200)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("ann.o'neil+court@mail.example.org", "ann.o'neil+court@mail.example.org"),
        ('a;b"c@example.org', '"a;b\\"c"@example.org'),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("a" * 64 + "@" + "b" * 63 + ".example", "a" * 64 + "@" + "b" * 63 + ".example"),
    ],
)
def test_an_address_is_read_back_as_it_was_meant(written: str, address: str) -> None:
    message = composed(mail.Letter(subject="x", paragraphs=("x",)), to=written)
    assert message.recipient == address
    (read,) = read_mail(message.content)["To"].addresses
    assert read.addr_spec.encode(errors="surrogateescape").decode() == address


@pytest.mark.parametrize(
    "written", ["a@example.org\r\nBcc: b@example.org", "a b@c", "a" * 250 + "@example.org", "a<b>@", ""]
)
def test_an_address_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(mail.UnusableAddress):
        composed(mail.Letter(subject="x", paragraphs=("x",)), to=written)


@pytest.mark.parametrize(
    "name", ["", "Riverside", "Jörg, der Erste", "Ü" * 100, 'a "quoted" <b@evil.example>', "=?utf-8?q?x?="]
)
def test_the_senders_name_is_read_back_and_adds_no_address(name: str) -> None:
    quoted = name.replace('"', '\\"')
    message = composed(
        mail.Letter(subject="x", paragraphs=("x",)),
        sender=f'"{quoted}" <bookings@courtside.example>' if name else "bookings@courtside.example",
    )
    assert fits_the_wire(message.content)
    # By the older of Python's two parsers: the newer keeps the spaces between the encoded words of a name.
    ((phrase, address),) = getaddresses([str(message_from_bytes(message.content)["From"])])
    assert (str(make_header(decode_header(phrase))), address) == (name, "bookings@courtside.example")


async def test_lines_that_begin_with_dots_arrive_as_they_were(context: Context) -> None:
    content = b"Subject: x\r\n\r\n.\r\n..\r\n.dot\r\n\r\n.\r\nQUIT\r\n...\r\n" + b"x" * 998 + b"\r\n.\r\n"
    message = mail.Message(
        outbox_id=ID, sender="a@example.org", recipient="b@example.org", written=NOW, content=content
    )
    async with mail_server() as server:
        way_out = SmtpPost(over_smtp(context, server).settings)
        await way_out.send(message)
        await way_out.send(message)
        await way_out.close()
    assert [envelope.content for envelope in server.envelopes] == [content, content]


# -- calendars ----------------------------------------------------------------------------------------------

moments = st.integers(-9 * 10**6, 9 * 10**6).map(lambda minutes: NOW + timedelta(minutes=minutes))
bookings = st.fixed_dictionaries({
    "id": st.uuids(), "revision": st.integers(0, 99), "status": st.sampled_from(["confirmed", "cancelled"]),
    "start_ts": moments, "end_ts": moments, "club": words, "court": words, "coach": st.none() | words,
    "equipment": st.lists(words, max_size=3),
})  # fmt: skip


def event_by_the_library(booking: dict[str, Any], recipient: str) -> Event:
    event = Event()
    event.add("uid", f"{booking['id']}@courtside")
    event.add("sequence", booking["revision"])
    event.add("dtstamp", NOW)
    event.add("dtstart", booking["start_ts"])
    event.add("dtend", booking["end_ts"])
    event.add("organizer", vCalAddress("mailto:b@example.org"))
    event.add("summary", mail.one_line(f"{booking['court']} · {booking['club']}", mail.MAX_REMARK))
    event.add("location", booking["club"])
    with_what = [*([booking["coach"]] if booking["coach"] else []), *booking["equipment"]]
    if with_what:
        event.add("description", mail.one_line(", ".join(with_what), mail.MAX_REMARK))
    event.add("status", booking["status"].upper())
    attendee = vCalAddress(f"mailto:{recipient}")
    attendee.params.update({"PARTSTAT": "ACCEPTED", "RSVP": "FALSE"})
    event.add("attendee", attendee, encode=False)
    return event


@given(bookings)
def test_an_invitation_means_what_the_library_would_write_whatever_is_in_it(booking: dict[str, Any]) -> None:
    method, content = calendars.invitation(booking, sender="Bo <b@example.org>", recipient="ann@example.org", now=NOW)
    lines = content.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and line.decode() and b"\n" not in line for line in lines)
    read = Calendar.from_ical(content)
    assert read["method"] == method == ("CANCEL" if booking["status"] == "cancelled" else "REQUEST")
    (event,) = read.walk("VEVENT")
    assert event.errors == []
    library = Calendar.from_ical(event_by_the_library(booking, "ann@example.org").to_ical())
    assert dict(event.property_items(recursive=False)) == dict(library.property_items(recursive=False))

    other: Any = vobject.readOne(content.decode())
    other.validate(raiseException=True)
    assert other.vevent.uid.value == f"{booking['id']}@courtside"
    assert (other.vevent.dtstart.value, other.vevent.dtend.value) == (booking["start_ts"], booking["end_ts"])
    assert int(other.vevent.sequence.value) == booking["revision"]


@given(words, st.lists(bookings, max_size=3), st.booleans())
def test_a_calendar_to_subscribe_to_is_read_back_whatever_is_in_it(
    name: str, booked: list[dict[str, Any]], of_court: bool
) -> None:
    closures = [{"id": 3, "version": 2, "start_ts": NOW, "end_ts": NOW + timedelta(hours=1), "reason": name}]
    content = calendars.publication(name, booked, closures, of_court=of_court, sender="b@example.org", now=NOW)
    assert all(len(line) <= 75 and b"\n" not in line for line in content.split(b"\r\n"))
    read: Any = Calendar.from_ical(content)
    assert len(read.walk("VEVENT")) == len(booked) + 1
    assert read["refresh-interval"].dt == timedelta(minutes=30)
    other: Any = vobject.readOne(content.decode())
    other.validate(raiseException=True)
    assert len(other.vevent_list) == len(booked) + 1
