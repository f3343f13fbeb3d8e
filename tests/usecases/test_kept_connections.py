"""A connection to the mail server is kept from one sweep to the next, and never costs a mail anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from server.context import Context
from server.usecases import notifications, post
from server.usecases.notifications import open_ways_out
from server.usecases.post import Patience, Post, SmtpPost
from tests.mailing import MailServer, add_person, mail_server, put_out, row_of, self_signed
from tests.usecases.test_mail_delivery import over_smtp

HURRIED = Patience(check=0.1)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as made:
        yield made


@pytest.fixture
async def user(context: Context) -> int:
    return await add_person(context.pool)


class Sweeper:
    """A worker's sweeps, over the same ways out."""

    def __init__(self, context: Context, ways_out: list[Post], user: int) -> None:
        self.context, self.ways_out, self.user = context, ways_out, user

    async def sweep(self, mails: int = 1) -> list[UUID]:
        """Send so many mails that are new."""
        ids = [await put_out(self.context.pool, "mail.reset", user_id=self.user, token="t" * 43) for _ in range(mails)]
        assert await notifications.deliver_due(self.context, self.ways_out, limit=100) == mails
        return ids

    async def attempts(self, ids: list[UUID]) -> list[tuple[int, bool]]:
        rows = [await row_of(self.context.pool, id_) for id_ in ids]
        return [(row["attempts"], row["done_at"] is not None) for row in rows]


@pytest.fixture
async def sweeper(context: Context, server: MailServer, user: int) -> AsyncIterator[Sweeper]:
    by_smtp = over_smtp(context, server)
    async with open_ways_out(by_smtp.settings, HURRIED) as ways_out:
        yield Sweeper(by_smtp, list(ways_out), user)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mail begins with a look whether the server is still there, however long it has rested."""
    monkeypatch.setattr(post, "UNCHECKED", 0.0)


async def test_the_mails_of_several_sweeps_go_over_one_connection(sweeper: Sweeper, server: MailServer) -> None:
    for _ in range(3):
        await sweeper.sweep()

    assert len(server.received) == 3
    assert len(server.connections) == 1


async def test_tls_and_password_are_asked_for_once(context: Context, user: int, tmp_path: Path) -> None:
    async with mail_server(tls=self_signed(tmp_path), login=("club", "right")) as server:
        by_smtp = over_smtp(context, server, smtp_user="club", smtp_password="right")
        async with open_ways_out(by_smtp.settings) as ways_out:
            sweeper = Sweeper(by_smtp, list(ways_out), user)
            for _ in range(3):
                await sweeper.sweep()

    assert server.encrypted == [True] * 3
    assert len(server.connections) == 1


async def test_what_had_nothing_to_do_for_long_is_closed(
    sweeper: Sweeper, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "KEPT", 0.0)

    for _ in range(2):
        await sweeper.sweep()

    assert len(server.connections) == 2


async def test_a_connection_takes_so_many_mails_and_no_more_sweeps(
    sweeper: Sweeper, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "MAILS_A_CONNECTION", 3)

    for mails in (2, 2, 1):
        await sweeper.sweep(mails)

    assert len(server.received) == 5
    assert len(server.connections) == 2


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("end", ["closed", "busy", "silent"])
async def test_a_server_that_has_gone_meanwhile_costs_no_attempt(
    sweeper: Sweeper, server: MailServer, end: str
) -> None:
    first = await sweeper.sweep()
    if end == "closed":
        server.connections[0].abort()
    elif end == "busy":
        server.check_answer = "421 4.4.2 Idle for too long"
    else:
        server.check_answer = None

    second = await sweeper.sweep()

    assert await sweeper.attempts([*first, *second]) == [(1, True)] * 2
    assert len(server.received) == 2
    assert len(server.connections) == 2


async def test_control_without_the_look_a_mail_has_to_wait_for_a_server_that_has_gone(
    sweeper: Sweeper, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_there(_self: SmtpPost, _client: object) -> bool:
        return True

    monkeypatch.setattr(SmtpPost, "_is_there", is_there)
    await sweeper.sweep()
    server.connections[0].abort()

    second = await sweeper.sweep()

    assert await sweeper.attempts(second) == [(1, False)]


@pytest.mark.usefixtures("checked")
async def test_a_line_that_drops_after_the_content_is_no_reason_to_send_it_again_at_once(
    sweeper: Sweeper, server: MailServer
) -> None:
    await sweeper.sweep()
    server.drop_after_data = True

    (second,) = await sweeper.sweep()

    row = await row_of(sweeper.context.pool, second)
    assert (server.data_seen, row["attempts"], row["unknown"], row["done_at"]) == (2, 1, 1, None)
