from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.context import Context
from server.domain.money import format_money
from server.usecases import mail
from tests.mailing import add_booking, add_person, deliver_due, html_of, mails_in, put_out, row_of, text_of

TOKEN = "sEcReT-token_0123456789abcdefghijklmnop"
START = datetime(2031, 6, 3, 18, 0, tzinfo=UTC)
"""19:00 in London."""
END = START + timedelta(minutes=90)


# -- what is said -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "page"), [("mail.verify", "verify"), ("mail.reset", "reset"), ("mail.set_password", "reset")]
)
async def test_an_account_mail_has_the_link_and_the_code_in_text_and_html(
    context: Context, kind: str, page: str
) -> None:
    user = await add_person(context.pool, verified=False)
    await put_out(context.pool, kind, user_id=user, token=TOKEN)

    assert await deliver_due(context, limit=10) == 1

    (message,) = mails_in(context.settings.courtside_home)
    assert message["To"] == "ann@example.org"
    assert message["From"] == "bookings@courtside.example"
    link = f"{context.settings.public_url}/{page}?token={TOKEN}"
    assert link in text_of(message).splitlines()
    assert f"Your code: {TOKEN}" in text_of(message).splitlines()
    assert f'href="{link}"' in html_of(message)
    assert TOKEN in html_of(message).partition("Your code")[2]


async def test_a_known_address_is_told_so_without_a_secret(context: Context) -> None:
    user = await add_person(context.pool)
    await put_out(context.pool, "mail.already_registered", user_id=user)

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert "already" in message["Subject"]
    assert "Your code" not in text_of(message)


async def test_an_account_mail_never_repeats_the_name_that_a_stranger_typed(context: Context) -> None:
    user = await add_person(context.pool, name="Claim your prize at evil.example", verified=False)
    await put_out(context.pool, "mail.verify", user_id=user, token=TOKEN)

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert "evil.example" not in text_of(message) + html_of(message)


async def test_a_confirmation_says_court_club_time_price_and_deadline(context: Context) -> None:
    user = await add_person(context.pool)
    booking = await add_booking(context.pool, user, START, END, equipment=2)
    outbox_id = await put_out(context.pool, "booking.confirmed", booking_id=str(booking), user_id=user)

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert message["Subject"] == "Booked: Court 1, Tue 3 Jun, 19:00–20:30"
    assert message["Message-ID"] == f"<{outbox_id}@courtside.example>"
    assert message["Date"].datetime == context.clock()
    for body in (text_of(message), html_of(message)):
        for said in ("Hello Ann,", "Riverside", "Tue 3 Jun, 19:00–20:30", "£24.50", "2 × Racket", "Mon 2 Jun, 19:00"):
            assert said in body


async def test_a_cancellation_by_a_closure_gives_its_reason_and_the_late_fee(context: Context) -> None:
    user = await add_person(context.pool)
    booking = await add_booking(context.pool, user, START, END, status="cancelled")
    await context.pool.execute(
        "INSERT INTO ledger (club_id, booking_id, user_id, kind, amount, currency)"
        " SELECT club_id, id, user_id, 'fee', 500, 'GBP' FROM bookings"
    )
    await put_out(
        context.pool, "booking.cancelled", booking_id=str(booking), user_id=user, reason="Flood\nin <b>hall</b>"
    )

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert "Reason: Flood in <b>hall</b>" in text_of(message)
    assert "Reason: Flood in &lt;b&gt;hall&lt;/b&gt;" in html_of(message)
    assert "£5.00" in text_of(message)


async def test_a_moved_booking_is_told_as_it_is_now(context: Context) -> None:
    user = await add_person(context.pool)
    booking = await add_booking(context.pool, user, START, END)
    await put_out(context.pool, "booking.moved", booking_id=str(booking), user_id=user)
    await context.pool.execute("UPDATE bookings SET start_ts = $1, end_ts = $2", START.replace(hour=7), END)

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert message["Subject"] == "Moved: Court 1, Tue 3 Jun, 08:00–20:30"


async def test_nothing_is_said_of_a_booking_that_was_cancelled_before_its_confirmation_went_out(
    context: Context,
) -> None:
    user = await add_person(context.pool)
    booking = await add_booking(context.pool, user, START, END, status="cancelled")
    outbox_id = await put_out(context.pool, "booking.confirmed", booking_id=str(booking), user_id=user)

    assert await deliver_due(context, limit=10) == 1

    assert mails_in(context.settings.courtside_home) == []
    assert (await row_of(context.pool, outbox_id))["done_at"] is not None


async def test_an_address_that_nobody_confirmed_is_told_nothing_of_bookings(context: Context) -> None:
    user = await add_person(context.pool, verified=False)
    booking = await add_booking(context.pool, user, START, END)
    told = [
        await put_out(context.pool, f"booking.{what}", booking_id=str(booking), user_id=user)
        for what in ("confirmed", "moved", "cancelled")
    ]
    told.append(await put_out(context.pool, "mail.already_registered", user_id=user))

    assert await deliver_due(context, limit=10) == 4

    assert mails_in(context.settings.courtside_home) == []
    for outbox_id in told:
        assert (await row_of(context.pool, outbox_id))["done_at"] is not None, "it is moot, and does not wait"


async def test_a_suspended_user_gets_no_mail(context: Context) -> None:
    user = await add_person(context.pool)
    await context.pool.execute("UPDATE users SET suspended_at = now()")
    await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)

    await deliver_due(context, limit=10)

    assert mails_in(context.settings.courtside_home) == []


async def test_what_users_wrote_can_neither_add_a_header_nor_become_markup(context: Context) -> None:
    user = await add_person(context.pool, name="Ann\r\nBcc: all@example.org\r\n\r\n<script>x</script>")
    booking = await add_booking(
        context.pool, user, START, END, court="Court\r\nBcc: b@example.org\u2028<img src=x>", club="Club\nX: <i>"
    )
    await put_out(context.pool, "booking.confirmed", booking_id=str(booking), user_id=user)

    await deliver_due(context, limit=10)

    (message,) = mails_in(context.settings.courtside_home)
    assert {name.lower() for name in message} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "content-language"),
        *("mime-version", "content-type"),
    }
    assert "\nBcc" not in text_of(message)
    for markup in ("<script", "<img", "<i>"):
        assert markup not in html_of(message)


@pytest.mark.parametrize("address", ["no-at-sign", "@example.org", "a@", "a\r\nBcc: x@example.org", "a b@example.org"])
async def test_an_address_that_cannot_be_written_parks_its_mail(context: Context, address: str) -> None:
    user = await add_person(context.pool, address)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)

    await deliver_due(context, limit=10)

    row = await row_of(context.pool, outbox_id)
    assert row["parked_at"] is not None
    assert row["last_error"] == "The address cannot be written into a mail."
    assert mails_in(context.settings.courtside_home) == []


@pytest.mark.parametrize("payload", [{}, {"user_id": "x"}, {"user_id": 1, "booking_id": "no-uuid"}])
async def test_a_row_that_lacks_what_its_kind_needs_is_parked_and_the_next_delivered(
    context: Context, payload: dict[str, Any]
) -> None:
    user = await add_person(context.pool)
    await context.pool.execute("UPDATE users SET id = 1 WHERE id = $1", user)
    broken = await put_out(context.pool, "booking.confirmed", **payload)
    await put_out(context.pool, "mail.reset", user_id=1, token=TOKEN)

    assert await deliver_due(context, limit=10) == 2

    assert "does not say" in (await row_of(context.pool, broken))["last_error"]
    assert len(mails_in(context.settings.courtside_home)) == 1


async def test_rows_of_unknown_kinds_are_left_to_those_who_know_them(context: Context) -> None:
    outbox_id = await put_out(context.pool, "offer.expire", entry_id="x")

    assert await deliver_due(context, limit=10) == 0

    assert (await row_of(context.pool, outbox_id))["lease"] is None


# -- times and money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "minutes", "zone", "said"),
    [
        ("2031-12-02T19:00Z", 90, "Europe/London", "Tue 2 Dec, 19:00–20:30"),
        ("2031-12-02T23:00Z", 90, "Europe/London", "Tue 2 Dec, 23:00 – Wed 3 Dec, 00:30"),
        ("2032-01-06T19:00Z", 60, "Europe/London", "Tue 6 Jan 2032, 19:00–20:00"),
        ("2031-12-02T00:30Z", 60, "Asia/Kathmandu", "Tue 2 Dec, 06:15–07:15"),
        ("2031-10-26T00:30Z", 60, "Europe/London", "Sun 26 Oct, 01:30 (UTC+01:00)–01:30 (UTC+00:00)"),
        ("2031-04-05T14:45Z", 30, "Australia/Lord_Howe", "Sun 6 Apr, 01:45 (UTC+11:00)–01:45 (UTC+10:30)"),
    ],
)
def test_a_period_is_written_in_club_time(start: str, minutes: int, zone: str, said: str) -> None:
    begins = datetime.fromisoformat(start)
    now = datetime(2031, 5, 14, tzinfo=UTC)
    assert mail.format_period(begins, begins + timedelta(minutes=minutes), zone, now) == said


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (2450, "GBP", "£24.50"),
        (5, "EUR", "€0.05"),
        (-100, "USD", "-$1.00"),
        (123456789, "CHF", "CHF 1,234,567.89"),
        (3000, "JPY", "JPY 3,000"),
        (1500, "KWD", "KWD 1.500"),
        (250000, "HUF", "HUF 2,500.00"),
        (5, "UYW", "UYW 0.0005"),
        (2450, "BGN", "BGN 24.50"),
    ],
)
def test_money_has_the_digits_of_its_currency(amount: int, currency: str, said: str) -> None:
    assert format_money(amount, currency) == said
