"""A mail server that accepts a connection and then says nothing, at each stage, until our time limits strike."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import asyncpg
import pytest

from server.context import Context
from server.jobs import worker
from server.jobs.signals import Signals
from server.usecases.post import Patience
from tests.mailing import (
    MailServer,
    Pool,
    Stage,
    add_person,
    deliver_due,
    mail_server,
    make_due,
    put_out,
    row_of,
    until,
)

TOKEN = "sEcReT-token_0123456789abcdefghijklmnop"
UNKNOWN = {Stage.CONTENT, Stage.END}
"""Where the mail was handed over, so nobody knows what became of it."""
HURRIED = Patience(command=0.1, mail=5, farewell=0.1)
HURRIED_AS_A_WHOLE = Patience(command=5, mail=0.1, farewell=0.1)
PATIENT = Patience(command=60, mail=60)
AT_MOST = 1.0
"""Seconds; a limit of 0.1 is meant to strike, and one of 5 never to be waited for."""


def over_smtp(context: Context, server: MailServer) -> Context:
    return replace(context, settings=replace(context.settings, smtp_host="127.0.0.1", smtp_port=server.port))


async def put_out_resets(pool: Pool, count: int) -> None:
    user = await add_person(pool)
    for _ in range(count):
        await put_out(pool, "mail.reset", user_id=user, token=TOKEN)


async def rows(pool: Pool) -> list[asyncpg.Record]:
    """The row that was tried, and those that were not."""
    return await pool.fetch("SELECT * FROM outbox ORDER BY attempts DESC")


@pytest.mark.parametrize("patience", [HURRIED, HURRIED_AS_A_WHOLE], ids=["an answer", "a mail"])
@pytest.mark.parametrize("stage", Stage)
async def test_a_server_that_hangs_costs_one_mail_one_attempt_and_holds_the_others_up_no_longer_than_the_limit(
    context: Context, stage: Stage, patience: Patience
) -> None:
    await put_out_resets(context.pool, 3)
    async with mail_server() as server:
        by_smtp = over_smtp(context, server)
        server.hangs_at = stage
        begun = time.monotonic()
        assert await deliver_due(by_smtp, limit=10, patience=patience) == 1
        assert time.monotonic() - begun < AT_MOST

        tried, *others = await rows(context.pool)
        assert (tried["attempts"], tried["unknown"]) == (1, int(stage in UNKNOWN))
        assert (tried["done_at"], tried["parked_at"], tried["lease"]) == (None, None, None)
        assert tried["run_at"] > context.clock()
        assert "Time" in tried["last_error"]
        assert [(row["attempts"], row["unknown"], row["lease"]) for row in others] == [(0, 0, None)] * 2

        server.hangs_at = None
        assert await deliver_due(by_smtp, limit=10, patience=PATIENT) == 2
        await make_due(context.pool)
        assert await deliver_due(by_smtp, limit=10, patience=PATIENT) == 1
    assert len({mail["Message-ID"] for mail in server.received}) == 3


@pytest.mark.parametrize("stage", Stage)
async def test_after_two_that_hung_a_mail_is_parked_only_if_it_may_have_been_sent(
    context: Context, stage: Stage
) -> None:
    await put_out_resets(context.pool, 1)
    async with mail_server() as server:
        server.hangs_at = stage
        for _ in range(2):
            await make_due(context.pool)
            await deliver_due(over_smtp(context, server), limit=10, patience=HURRIED)

    (row,) = await rows(context.pool)
    assert (row["parked_at"] is not None) == (stage in UNKNOWN)
    assert row["last_error"].startswith("It may have been sent") == (stage in UNKNOWN)


async def test_while_one_mail_hangs_the_others_go_out_over_other_connections(context: Context) -> None:
    slow = await add_person(context.pool, "slow@example.org")
    hanging = await put_out(context.pool, "mail.reset", user_id=slow, token=TOKEN)
    await put_out_resets(context.pool, 19)
    async with mail_server() as server:
        server.hangs_at, server.hangs_for = Stage.RCPT, "slow@example.org"
        delivering = asyncio.create_task(deliver_due(over_smtp(context, server), limit=50, patience=PATIENT))
        await until(lambda: context.pool.fetchval("SELECT count(*) = 1 FROM outbox WHERE done_at IS NULL"))
        assert (await row_of(context.pool, hanging))["lease"] is not None
        assert not delivering.done()
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
    assert len(server.received) == 19


@pytest.mark.parametrize("stage", Stage)
async def test_a_worker_stops_in_time_while_the_server_hangs_and_gives_back_what_was_not_handed_over(
    context: Context, stage: Stage
) -> None:
    await put_out_resets(context.pool, 3)
    signals = Signals()
    async with mail_server() as server:
        server.hangs_at = stage
        tending = asyncio.create_task(worker.tend(over_smtp(context, server), signals, grace=0.05))
        await asyncio.wait_for(server.holding.wait(), 10)
        begun = time.monotonic()
        signals.stop()
        await tending
        assert time.monotonic() - begun < AT_MOST

    tried, *others = await rows(context.pool)
    handed_over = int(stage in UNKNOWN)
    assert (tried["attempts"], tried["unknown"]) == (handed_over, handed_over)
    assert (tried["lease"] is None) == (not handed_over)
    assert [(row["attempts"], row["unknown"], row["lease"]) for row in others] == [(0, 0, None)] * 2
