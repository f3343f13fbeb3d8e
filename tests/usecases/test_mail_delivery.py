from __future__ import annotations

import asyncio
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.context import Context
from server.usecases import post
from server.usecases.notifications import wait_after
from tests.mailing import (
    MailServer,
    add_booking,
    add_person,
    deliver_due,
    mail_server,
    mails_in,
    make_due,
    put_out,
    row_of,
    self_signed,
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
    user = await add_person(context.pool, "jörg@example.org")  # what the server can do is asked again behind it
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
    return self_signed(tmp_path_factory.mktemp("certificate"))


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
