"""Mails: a letter is what is said; it is set as text and as HTML by one function each, so both say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from html import escape
from uuid import UUID
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_NAME = 80
MAX_REMARK = 500
# Inline for the mail programs that drop a style sheet; the sheet for those that know of dark windows.
STYLE = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  body { background: #15181c !important; color: #e8eaed !important; }
  .button { background: #7db7f5 !important; color: #0b1a2b !important; }
  .quiet { color: #a6adb5 !important; }
}
"""

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class UnusableAddress(Exception):
    """The address cannot be written into a mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says, top to bottom. Whatever a user wrote goes through `one_line` before it gets in here."""

    subject: str
    greeting: str = "Hello,"
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    """(label, value), set as a table."""
    link: tuple[str, str] | None = None
    """(label, address) of the one thing to press."""
    code: str | None = None
    """The secret in the link, on a line of its own."""
    closing: str = ""
    signature: str = "Courtside"


def one_line(words: str, limit: int = MAX_NAME) -> str:
    """What a user wrote, fit for a header or a sentence: one line, no control characters, at most `limit` long."""
    words = _UNPRINTABLE.sub(" ", words).strip()
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def format_day(moment: datetime, now: datetime) -> str:
    """A local day as "Tue 1 Dec", with the year if it is not the year of `now`."""
    day = f"{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]}"
    return day if moment.year == now.year else f"{day} {moment.year}"


def format_moment(moment: datetime, zone: str, now: datetime) -> str:
    """An instant in club time: "Tue 1 Dec, 19:00"."""
    tz = ZoneInfo(zone)
    local = moment.astimezone(tz)
    return f"{format_day(local, now.astimezone(tz))}, {_clock(local)}"


def format_period(start: datetime, end: datetime, zone: str, now: datetime) -> str:
    """A booking's time in club time: "Tue 1 Dec, 19:00–20:30"; past midnight both days are named."""
    tz = ZoneInfo(zone)
    local = end.astimezone(tz)
    if start.astimezone(tz).date() == local.date():
        return f"{format_moment(start, zone, now)}–{_clock(local)}"
    return f"{format_moment(start, zone, now)} – {format_moment(end, zone, now)}"


def _clock(local: datetime) -> str:
    """The time of day; in an hour that happens twice or ends that way, with the offset that tells which."""
    text = f"{local.hour:02}:{local.minute:02}"
    if local.utcoffset() == local.replace(fold=1 - local.fold).utcoffset():
        return text
    offset = local.strftime("%z")
    return f"{text} (UTC{offset[:3]}:{offset[3:5]})"


def set_text(letter: Letter) -> str:
    """The letter as plain text."""
    parts = [letter.greeting, *letter.paragraphs]
    if letter.facts:
        width = max(len(label) for label, _ in letter.facts) + 2
        parts.append("\n".join(f"{label + ':':<{width}}{value}" for label, value in letter.facts))
    if letter.link:
        parts.append(f"{letter.link[0]}:\n{letter.link[1]}")
    if letter.code:
        parts.append(f"Your code: {letter.code}")
    if letter.closing:
        parts.append(letter.closing)
    return "\n\n".join(parts) + f"\n\n-- \n{letter.signature}\n"


def set_html(letter: Letter) -> str:
    """The letter as HTML; everything in it is escaped here."""
    body = [_paragraph(letter.greeting), *map(_paragraph, letter.paragraphs)]
    if letter.facts:
        rows = "".join(
            f'<tr><th style="text-align:left;padding:2px 16px 2px 0;font-weight:600">{escape(label)}</th>'
            f'<td style="padding:2px 0">{escape(value)}</td></tr>'
            for label, value in letter.facts
        )
        body.append(f'<table role="presentation" style="border-collapse:collapse;margin:16px 0">{rows}</table>')
    if letter.link:
        label, address = (escape(part) for part in letter.link)
        style = "background:#0b5cad;color:#fff;padding:10px 18px;border-radius:6px;text-decoration:none"
        body.append(f'<p style="margin:24px 0"><a class="button" href="{address}" style="{style}">{label}</a></p>')
    if letter.code:
        body.append(f"<p>Your code: <code>{escape(letter.code)}</code></p>")
    if letter.closing:
        body.append(_paragraph(letter.closing))
    body.append(f'<p class="quiet" style="color:#5c6166;margin-top:32px">{escape(letter.signature)}</p>')
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        f"<title>{escape(letter.subject)}</title><style>{STYLE}</style></head>\n"
        '<body style="background:#fff;color:#1a1d21;font-family:system-ui,sans-serif;line-height:1.5;max-width:36em;margin:0 auto;padding:16px">\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _paragraph(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def mail_address(written: str) -> Address:
    """An address as it stands in a header and on the wire; an international domain in its ASCII form.

    Raises `UnusableAddress`.
    """
    local, at, domain = written.strip().rpartition("@")
    try:
        if not (local and at and domain) or _UNPRINTABLE.search(written.strip()):
            raise UnusableAddress
        if not domain.isascii():
            domain = domain.encode("idna").decode("ascii")
        return Address(username=local, domain=domain)
    except ValueError:  # UnicodeError is one
        raise UnusableAddress from None


def compose(
    letter: Letter,
    *,
    outbox_id: UUID,
    to: str,
    sender: str,
    now: datetime,
    calendar: tuple[str, bytes] | None = None,
) -> EmailMessage:
    """The letter as a message of text and HTML, with a calendar (method, content) where there is one.

    `outbox_id` names the row: the Message-ID follows from it, so that a mail sent twice is known as one.
    `sender` is an address, with or without a name. Raises `UnusableAddress`.
    """
    recipient = mail_address(to)
    name, address = parseaddr(sender)
    origin = mail_address(address)
    # 7bit: no server is asked for 8BITMIME. The header setters refuse line breaks, whatever is put into them.
    ascii_only = recipient.addr_spec.isascii() and origin.addr_spec.isascii()
    message = EmailMessage(policy=(SMTP if ascii_only else SMTPUTF8).clone(cte_type="7bit"))
    message["From"] = Address(name, origin.username, origin.domain)
    message["To"] = recipient
    message["Subject"] = one_line(letter.subject, 200)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{outbox_id}@{origin.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(set_text(letter))
    message.add_alternative(set_html(letter), subtype="html")
    if calendar is not None:
        method, content = calendar
        message.add_attachment(
            content,
            maintype="text",
            subtype="calendar",
            filename="booking.ics",
            params={"method": method, "charset": "utf-8"},
        )
    message["Content-Language"] = "en"  # set_content() takes every Content- header away
    return message
