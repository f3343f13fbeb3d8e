"""What the mails say: one pure function for each kind of outbox row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from server.domain.money import format_money
from server.usecases import mail

ONCE = "The link works once and for a limited time."


class Moot(Exception):
    """There is nothing to say any more, or nobody to say it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a letter is written from. Reading what is not there is a `LookupError`: the row lacks it."""

    payload: Mapping[str, Any]
    recipient: Mapping[str, Any]
    """name, verified_at, reminders; see `server.sql.notifications.list_recipients`."""
    booking: Mapping[str, Any] | None
    """The booking that the row names; see `server.sql.notifications.list_booked`."""
    waited: Mapping[str, Any] | None
    """The waitlist entry that the row names; see `server.sql.notifications.list_waited`."""
    claim_token: str | None
    """The secret of the page that claims what is offered."""
    public_url: str
    now: datetime

    @property
    def about(self) -> Mapping[str, Any]:
        """The booking or the entry: club, zone, court, coach, equipment, start_ts, end_ts."""
        about = self.booking if self.booking is not None else self.waited
        if about is None:
            raise LookupError
        return about

    def link(self, page: str) -> str:
        """The address of a page that takes the secret of the row."""
        return f"{self.public_url}/{page}?token={quote(self.payload['token'], safe='')}"

    @property
    def booked(self) -> Mapping[str, Any]:
        if self.booking is None:
            raise LookupError
        return self.booking

    @property
    def waiting(self) -> Mapping[str, Any]:
        if self.waited is None:
            raise LookupError
        return self.waited


# An account mail greets nobody by name: the name was typed by whoever typed the address, and a stranger could
# have this service say anything to anybody.


def _verify(occasion: Occasion) -> mail.Letter:
    if occasion.recipient["verified_at"] is not None:
        raise Moot
    return mail.Letter(
        subject="Confirm your e-mail address",
        paragraphs=("An account was made with this address. Confirm that it is yours.",),
        link=("Confirm the address", occasion.link("verify")),
        code=occasion.payload["token"],
        closing=f"{ONCE} If it was not you, ignore this mail: the address stays unconfirmed.",
    )


def _already_registered(occasion: Occasion) -> mail.Letter:
    tried = "Somebody, probably you, wanted to make an account with this address, which has one already."
    ignore = "If it was not you, ignore this mail: nothing was changed."
    if not occasion.payload.get("token"):
        return mail.Letter(
            subject="You have an account already",
            paragraphs=(tried, "Log in with it. If you forgot the password, ask for a new one there."),
            link=("Log in", f"{occasion.public_url}/login"),
            closing=ignore,
        )
    return mail.Letter(
        subject="You have an account already",
        paragraphs=(tried, "Log in with it. If you forgot the password, choose a new one."),
        link=("Choose a new password", occasion.link("reset")),
        code=occasion.payload["token"],
        closing=f"{ONCE} {ignore}",
    )


def _reset(occasion: Occasion) -> mail.Letter:
    return mail.Letter(
        subject="Choose a new password",
        paragraphs=("Somebody, probably you, asked for a new password for the account with this address.",),
        link=("Choose a new password", occasion.link("reset")),
        code=occasion.payload["token"],
        closing=f"{ONCE} If it was not you, ignore this mail: the old password stays.",
    )


def _set_password(occasion: Occasion) -> mail.Letter:
    return mail.Letter(
        subject="Choose your password",
        paragraphs=("An account was made for you. Choose a password, and it is yours.",),
        link=("Choose a password", occasion.link("reset")),
        code=occasion.payload["token"],
        closing=ONCE,
    )


def _confirmed(occasion: Occasion) -> mail.Letter:
    return _standing(occasion, "Booked", "Your booking is confirmed.")


def _moved(occasion: Occasion) -> mail.Letter:
    return _standing(occasion, "Moved", "Your booking was moved. This is where and when it is now.")


def _standing(occasion: Occasion, happened: str, said: str) -> mail.Letter:
    booking, now = occasion.booked, occasion.now
    if booking["status"] != "confirmed":
        raise Moot  # cancelled since; a mail about that is on its way
    facts = [*_facts(occasion), ("Price", format_money(booking["price_total"], booking["price_currency"]))]
    if booking["cancel_until"] > now:
        facts.append(("Free to cancel until", mail.format_moment(booking["cancel_until"], booking["zone"], now)))
    return _about(occasion, happened, said, facts)


def _cancelled(occasion: Occasion) -> mail.Letter:
    booking = occasion.booked
    facts = _facts(occasion)
    if booking["fee"] > 0:
        facts.append(("Late cancellation fee", format_money(booking["fee"], booking["price_currency"])))
    return _about(occasion, "Cancelled", "Your booking was cancelled.", facts)


def _reminder(occasion: Occasion) -> mail.Letter:
    booking, now = occasion.booked, occasion.now
    if booking["start_ts"] != datetime.fromisoformat(occasion.payload["start_ts"]) or booking["start_ts"] <= now:
        raise Moot  # it was moved, and is reminded of by its new time; or it has begun
    if occasion.payload["hours"] not in occasion.recipient["reminders"]:
        raise Moot
    tz = ZoneInfo(booking["zone"])
    days = (booking["start_ts"].astimezone(tz).date() - now.astimezone(tz).date()).days
    when = "today" if days == 0 else "tomorrow" if days == 1 else "soon"
    return _standing(occasion, "Reminder", f"Your booking is {when}.")


def _promoted(occasion: Occasion) -> mail.Letter:
    return _standing(occasion, "You are in", "You waited for this, and it is yours: it is booked for you.")


def _joined(occasion: Occasion) -> mail.Letter:
    if occasion.waiting["outcome"] is not None or occasion.waiting["held_ref"] is not None:
        raise Moot  # another mail tells what came of it
    then = "it will be booked for you" if occasion.waiting["auto_book"] else "you will be asked"
    return _about(occasion, "Waiting", f"You are on the waitlist. When it is free and it is your turn, {then}.")


def _offered(occasion: Occasion) -> mail.Letter:
    waited = occasion.waiting
    if waited["held_ref"] != occasion.payload["ref"] or waited["held_until"] <= occasion.now:
        raise Moot  # claimed, declined or over
    facts = [
        *_facts(occasion),
        ("Price", format_money(waited["held_price"], waited["currency"])),
        ("Yours until", mail.format_moment(waited["held_until"], waited["zone"], occasion.now)),
    ]
    link = ("See and claim it", f"{occasion.public_url}/claim?token={quote(occasion.claim_token or '', safe='')}")
    return _about(occasion, "Your turn", "What you waited for is free, and held for you.", facts, link=link)


def _offer_expired(occasion: Occasion) -> mail.Letter:
    return _about(occasion, "Missed", "It was held for you, and nobody claimed it in time. It went to the next.")


def _about(
    occasion: Occasion,
    happened: str,
    said: str,
    facts: list[tuple[str, str]] | None = None,
    *,
    link: tuple[str, str] | None = None,
) -> mail.Letter:
    booking, recipient = occasion.about, occasion.recipient
    name = mail.one_line(recipient["name"])
    reason = mail.one_line(occasion.payload.get("reason") or "", mail.MAX_REMARK)
    return mail.Letter(
        subject=f"{happened}: {mail.one_line(booking['court'])}, {_period(occasion)}",
        greeting=f"Hello {name}," if name else "Hello,",
        paragraphs=(said, f"Reason: {reason}") if reason else (said,),
        facts=tuple(_facts(occasion) if facts is None else facts),
        link=link,
        signature=mail.one_line(booking["club"]),
    )


def _period(occasion: Occasion) -> str:
    booking = occasion.about
    return mail.format_period(booking["start_ts"], booking["end_ts"], booking["zone"], occasion.now)


def _facts(occasion: Occasion) -> list[tuple[str, str]]:
    booking = occasion.about
    facts = [
        ("Club", mail.one_line(booking["club"])),
        ("Court", mail.one_line(booking["court"])),
        ("When", _period(occasion)),
    ]
    if booking["coach"]:
        facts.append(("Coach", mail.one_line(booking["coach"])))
    if booking["equipment"]:
        facts.append(("Equipment", ", ".join(mail.one_line(item) for item in booking["equipment"])))
    return facts


WITHOUT_CALENDAR = frozenset({"booking.reminder"})
"""What brings no calendar entry along: nothing has changed since the last one."""

TO_UNCONFIRMED = frozenset({"mail.verify", "mail.reset", "mail.set_password"})
"""What an address is sent before its owner has confirmed it. Nothing else: whoever typed it may be a stranger, who
could book and cancel to have it written to. (`mail.already_registered` goes to the account that is confirmed.)"""

LETTERS: dict[str, Callable[[Occasion], mail.Letter]] = {
    "mail.verify": _verify,
    "mail.already_registered": _already_registered,
    "mail.reset": _reset,
    "mail.set_password": _set_password,
    "booking.confirmed": _confirmed,
    "booking.cancelled": _cancelled,
    "booking.moved": _moved,
    "booking.promoted": _promoted,
    "booking.reminder": _reminder,
    "waitlist.joined": _joined,
    "waitlist.offered": _offered,
    "waitlist.offer_expired": _offer_expired,
}
"""Kind of an outbox row → its letter. Raises `Moot`. Rows of other kinds are left to those who know them."""
