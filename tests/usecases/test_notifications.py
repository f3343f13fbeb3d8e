from __future__ import annotations

import asyncio
import ssl
import stat
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.context import Context
from server.domain.money import format_money
from server.usecases import mail, post
from server.usecases.housekeeping import clear_away
from server.usecases.notifications import deliver_due, wait_after
from tests.mailing import (
    MailServer,
    add_booking,
    add_person,
    html_of,
    mail_server,
    mails_in,
    make_due,
    put_out,
    row_of,
    text_of,
)

TOKEN = "sEcReT-token_0123456789abcdefghijklmnop"
START = datetime(2031, 6, 3, 18, 0, tzinfo=UTC)
"""19:00 in London."""
END = START + timedelta(minutes=90)


def over_smtp(context: Context, server: MailServer, **settings: Any) -> Context:
    """The same context with a mail server in its settings."""
    return replace(
        context, settings=replace(context.settings, smtp_host="127.0.0.1", smtp_port=server.port, **settings)
    )


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
    ],
)
def test_money_has_the_digits_of_its_currency(amount: int, currency: str, said: str) -> None:
    assert format_money(amount, currency) == said


# -- the folder ---------------------------------------------------------------------------------------------


async def test_the_mail_folder_is_the_owners_alone_and_sorts_by_time(context: Context) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)

    await deliver_due(context, limit=10)

    folder = context.settings.courtside_home / "mail"
    (file,) = folder.iterdir()
    assert file.name == f"20310514T090000Z-{outbox_id}.eml"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_folder_that_cannot_be_written_keeps_the_mail_for_later(context: Context) -> None:
    home = context.settings.courtside_home
    home.mkdir(parents=True)
    (home / "mail").write_text("in the way")
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)

    await deliver_due(context, limit=10)
    row = await row_of(context.pool, outbox_id)
    assert (row["attempts"], row["unknown"], row["parked_at"]) == (1, 0, None)
    assert row["payload"]["token"] == TOKEN

    (home / "mail").unlink()
    await make_due(context.pool)
    await deliver_due(context, limit=10)
    assert len(mails_in(home)) == 1


# -- the server ---------------------------------------------------------------------------------------------


async def test_mails_go_out_over_one_connection_and_their_secrets_are_scrubbed(context: Context) -> None:
    user = await add_person(context.pool)
    ids = [await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN) for _ in range(3)]
    async with mail_server() as server:
        assert await deliver_due(over_smtp(context, server), limit=10) == 3

    assert {message["Message-ID"] for message in server.received} == {f"<{id_}@courtside.example>" for id_ in ids}
    assert server.envelopes[0].rcpt_tos == ["ann@example.org"]
    assert server.envelopes[0].mail_from == "bookings@courtside.example"
    for outbox_id in ids:
        row = await row_of(context.pool, outbox_id)
        assert row["done_at"] is not None
        assert row["payload"] == {"user_id": user}
        assert (row["attempts"], row["lease"], row["last_error"]) == (1, None, None)


async def test_a_mail_beyond_ascii_is_seven_bits_on_the_wire(context: Context) -> None:
    user = await add_person(context.pool, "jörg@bücher.example", name="Jörg 🎾")
    booking = await add_booking(context.pool, user, START, END, court="Plätze 1")
    await put_out(context.pool, "booking.confirmed", booking_id=str(booking), user_id=user)
    async with mail_server() as server:
        await deliver_due(over_smtp(context, server), limit=10)

    assert server.envelopes[0].rcpt_tos == ["jörg@xn--bcher-kva.example"]
    assert server.received[0]["Subject"].startswith("Booked: Plätze 1")
    assert "Hello Jörg 🎾," in text_of(server.received[0])


async def test_a_temporary_refusal_is_tried_again_later(context: Context) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        server.answer = f"451 4.3.0 <ann@example.org> try later, {TOKEN}"
        await deliver_due(over_smtp(context, server), limit=10)
        row = await row_of(context.pool, outbox_id)
        assert (row["attempts"], row["unknown"], row["parked_at"], row["lease"]) == (1, 0, None, None)
        assert row["run_at"] >= context.clock() + timedelta(seconds=15)
        assert row["last_error"] == "451 4.3.0 …@… try later, …"

        server.answer = "250 OK"
        assert await deliver_due(over_smtp(context, server), limit=10) == 0
        await make_due(context.pool)
        assert await deliver_due(over_smtp(context, server), limit=10) == 1
    assert len(server.received) == 1


@pytest.mark.parametrize("where", ["answer", "data_answer"])
async def test_a_permanent_refusal_parks_the_mail_and_the_next_goes_out(context: Context, where: str) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        setattr(server, where, "550 5.1.1 no such user ann@example.org")
        await deliver_due(over_smtp(context, server), limit=10)
        row = await row_of(context.pool, outbox_id)
        assert row["parked_at"] is not None
        assert row["last_error"] == "550 5.1.1 no such user …@…"
        assert "token" not in row["payload"]

        setattr(server, where, "250 OK")
        await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
        await deliver_due(over_smtp(context, server), limit=10)
    assert len(server.received) == 1


async def test_a_line_that_drops_after_the_mail_was_handed_over_is_tried_once_more_and_then_parked(
    context: Context,
) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        server.drop_after_data = True
        await deliver_due(over_smtp(context, server), limit=10)
        row = await row_of(context.pool, outbox_id)
        assert (row["attempts"], row["unknown"], row["parked_at"]) == (1, 1, None)

        await make_due(context.pool)
        await deliver_due(over_smtp(context, server), limit=10)
        row = await row_of(context.pool, outbox_id)
        assert row["parked_at"] is not None
        assert row["last_error"].startswith("It may have been sent")

        await make_due(context.pool)
        assert await deliver_due(over_smtp(context, server), limit=10) == 0
    assert server.data_seen == 2


async def test_a_mail_server_that_is_away_costs_one_attempt_a_round_not_one_a_mail(context: Context) -> None:
    user = await add_person(context.pool)
    for _ in range(3):
        await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        pass

    assert await deliver_due(over_smtp(context, server), limit=10) == 1

    rows = await context.pool.fetch("SELECT attempts, unknown, lease FROM outbox ORDER BY attempts")
    assert [tuple(row) for row in rows] == [(0, 0, None), (0, 0, None), (1, 0, None)]


async def test_after_many_attempts_a_mail_is_parked(context: Context) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    await context.pool.execute("UPDATE outbox SET attempts = 19")
    async with mail_server() as server:
        server.answer = "451 later"
        await deliver_due(over_smtp(context, server), limit=10)

    row = await row_of(context.pool, outbox_id)
    assert row["parked_at"] is not None
    assert row["last_error"] == "Gave up after 20 attempts: 451 later"


def test_waits_double_up_to_an_hour() -> None:
    assert [wait_after(n) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (15, 30, 60)]
    assert wait_after(1000) == timedelta(hours=1)


async def test_the_password_is_given_and_a_wrong_one_keeps_the_mails(context: Context) -> None:
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server(login=("club", "right")) as server:
        await deliver_due(over_smtp(context, server, smtp_user="club", smtp_password="wrong"), limit=10)
        row = await row_of(context.pool, outbox_id)
        assert (row["parked_at"], row["unknown"]) == (None, 0)
        assert "535" in row["last_error"]

        await make_due(context.pool)
        await deliver_due(over_smtp(context, server, smtp_user="club", smtp_password="right"), limit=10)
    assert len(server.received) == 1


async def test_starttls_is_used_where_it_is_offered(context: Context, certificate: ssl.SSLContext) -> None:
    user = await add_person(context.pool)
    await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server(tls=certificate) as server:
        await deliver_due(over_smtp(context, server), limit=10)
    assert server.encrypted == [True]


def test_a_password_crosses_no_network_without_tls(context: Context) -> None:
    away = replace(context.settings, smtp_host="smtp.example.com", smtp_user="club", smtp_password="x")
    assert post.start_tls(away) is True
    assert post.start_tls(replace(away, smtp_host="127.0.0.1")) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out crt"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context


# -- several workers ----------------------------------------------------------------------------------------


async def test_two_workers_at_once_deliver_each_mail_once(context: Context) -> None:
    user = await add_person(context.pool)
    ids = {await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN) for _ in range(30)}
    async with mail_server() as server:
        by_smtp = over_smtp(context, server)

        async def work() -> int:
            done = 0
            while taken := await deliver_due(by_smtp, limit=4):
                done += taken
            return done

        assert sum(await asyncio.gather(work(), work(), work())) == 30

    assert sorted(message["Message-ID"] for message in server.received) == sorted(
        f"<{outbox_id}@courtside.example>" for outbox_id in ids
    )


async def test_a_worker_that_was_overtaken_changes_nothing(context: Context) -> None:
    """The lease of a frozen worker ends; another delivers; the first one's late answer settles nothing."""
    user = await add_person(context.pool)
    outbox_id = await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        server.hold = asyncio.Event()
        frozen = asyncio.create_task(deliver_due(over_smtp(context, server), limit=1))
        await server.holding.wait()
        await make_due(context.pool)
        server.data_answer = "550 not this one"
        release, server.hold = server.hold, None
        server.data_answer = "250 OK"
        assert await deliver_due(over_smtp(context, server), limit=1) == 1
        settled = await row_of(context.pool, outbox_id)
        server.data_answer = "550 too late"
        release.set()
        await frozen

    assert await row_of(context.pool, outbox_id) == settled
    assert settled["done_at"] is not None


async def test_asked_to_stop_a_worker_finishes_the_mail_in_hand_and_gives_the_rest_back(context: Context) -> None:
    user = await add_person(context.pool)
    for _ in range(3):
        await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN)
    stopping = False
    async with mail_server() as server:
        server.hold = asyncio.Event()
        work = asyncio.create_task(deliver_due(over_smtp(context, server), limit=10, stopping=lambda: stopping))
        await server.holding.wait()
        stopping = True
        server.hold.set()
        assert await work == 1

    assert len(server.received) == 1
    assert await context.pool.fetchval("SELECT count(*) FROM outbox WHERE lease IS NULL AND done_at IS NULL") == 2


# -- housekeeping -------------------------------------------------------------------------------------------


async def test_housekeeping_forgets_what_is_old_and_nothing_else(context: Context) -> None:
    user = await add_person(context.pool)
    now = context.clock()
    kept, old, parked, due = [await put_out(context.pool, "mail.reset", user_id=user, token=TOKEN) for _ in range(4)]
    pool = context.pool
    await pool.execute("UPDATE outbox SET done_at = $2 WHERE id = $1", kept, now - timedelta(days=6))
    await pool.execute("UPDATE outbox SET done_at = $2 WHERE id = $1", old, now - timedelta(days=8))
    await pool.execute("UPDATE outbox SET parked_at = $2 WHERE id = $1", parked, now - timedelta(days=8))
    for key, age in (("young", 23), ("old", 25)):
        await pool.execute(
            "INSERT INTO idempotency_keys (user_id, route, key, request_hash, status, body, created_at)"
            " VALUES ($1, 'POST /api/bookings', $2, '', 201, '', $3)",
            user,
            key,
            now - timedelta(hours=age),
        )
    for token, hours in ((b"good", 1), (b"ended", -30)):
        await pool.execute(
            "INSERT INTO account_links (token_hash, user_id, purpose, expires_at) VALUES ($1, $2, 'reset', $3)",
            token,
            user,
            now + timedelta(hours=hours),
        )

    await clear_away(context)

    assert {row["id"] for row in await pool.fetch("SELECT id FROM outbox")} == {kept, parked, due}
    assert [row["key"] for row in await pool.fetch("SELECT key FROM idempotency_keys")] == ["young"]
    assert [row["token_hash"] for row in await pool.fetch("SELECT token_hash FROM account_links")] == [b"good"]
