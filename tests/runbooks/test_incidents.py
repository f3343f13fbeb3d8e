"""Incidents of the runbooks, caused, and ended by the pages' own commands."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyotp
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Refused

from server.context import Context
from server.domain.errors import SlotTaken
from server.domain.people import Identity
from server.embedded.process import free_port
from server.embedded.valkey import server_program
from server.recovery.backup import take_backup
from server.recovery.programs import RecoveryError
from server.settings import Settings
from server.sql.connection import create_pool
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from server.usecases.totp import begin_enrolment
from tests.blocks import ROOT, Blocks
from tests.edge.conftest import StartServer, eventually
from tests.edge.conftest import start_server as start_server  # noqa: PLC0414 - a fixture
from tests.house import local, open_house
from tests.live.conftest import QUICK
from tests.live.conftest import StartServer as StartLive
from tests.live.conftest import start as start  # noqa: PLC0414 - a fixture
from tests.mailing import add_booking, add_person, deliver_due, mail_server, make_due, put_out
from tests.recovery.conftest import PROGRAMS
from tests.runbooks.conftest import RunBlock, rows


@pytest.mark.timeout(120)
async def test_a_service_that_died_is_found_and_started_again(
    blocks: Blocks, run: RunBlock, settings: Settings, start_server: StartServer
) -> None:
    server = start_server(settings)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    port = str(server.port)

    said = await run(URL=server.url, PORT=port)
    assert said.startswith("live 000\n")
    assert "ok      database" in said

    await run(URL=server.url, PORT=port)
    assert '"status":"ready"' in await run(URL=server.url)


@pytest.mark.timeout(120)
async def test_a_backlog_of_the_waitlist_is_worked_off(blocks: Blocks, run: RunBlock, context: Context) -> None:
    """Worker and `promote` are processes of their own, so this takes place in two days and not in the tests' own time."""
    real = replace(context, clock=lambda: datetime.now(UTC))
    day = (datetime.now(UTC) + timedelta(days=2)).date()
    async with open_house(real) as house:
        booker, waiter = await house.player(), await house.player("waiter@club.example")
        outcome = await house.bookings.book(booker, house.wanted("10:00", "11:00", day=day), lambda _: None)
        entry = await house.wait(waiter, "10:00", "11:00", day=day, auto_book=True)
        await house.bookings.cancel(booker, outcome.booking.id)  # type: ignore[union-attr]
        await context.pool.execute("UPDATE outbox SET run_at = run_at - interval '1 minute'")

        (line,) = rows(await run())
        assert (line["queue_size"], line["held_for_the_worker"]) == ("1", "1")
        due = {row["kind"]: row["due"] for row in rows(await run())}
        assert due["job.promote"] == "1"

        await run()
        assert (await run()).startswith("Waiting: ")
        await eventually(lambda: _is(house.outcome(entry.id), "promoted"))
        await eventually(lambda: _is(house.count("outbox WHERE done_at IS NULL AND run_at < now()"), 0))
        assert rows(await run()) == [{"late": "0"}]


async def _is(asked: object, expected: object) -> bool:
    return bool(await asked == expected)  # type: ignore[misc]


@pytest.fixture
async def redis_port(tmp_path: Path) -> AsyncIterator[int]:
    port = free_port()
    yield port
    client = Redis(port=port)
    with suppress(Refused):
        await client.shutdown(nosave=True)
    await client.aclose()


async def test_a_redis_that_stopped_is_started_again(
    blocks: Blocks, start: StartLive, context: Context, redis_port: int, tmp_path: Path
) -> None:
    (tmp_path / "redis").mkdir()
    process = await asyncio.create_subprocess_exec(
        server_program(), "--port", str(redis_port), "--save", "", stdout=asyncio.subprocess.DEVNULL
    )
    url = f"redis://127.0.0.1:{redis_port}/0"
    async with open_house(context) as house:
        server = await start(pace=QUICK, redis_url=url)

        async def says(words: str) -> bool:
            return words in (await server.http.get("/health/ready")).text

        await eventually(lambda: says('"redis":"ok","feed":"ok"'))
        process.kill()
        await process.wait()
        await eventually(lambda: says('"redis":"degraded","feed":"degraded"'))
        env = {"URL": str(server.http.base_url), "REDIS_URL": url, "REDIS_FOLDER": str(tmp_path / "redis")}
        env["REDIS_PORT"] = str(redis_port)

        assert '"redis":"degraded"' in await asyncio.to_thread(blocks.run, ROOT, **env)
        await house.book(await house.player(), "10:00", "11:00")
        await asyncio.to_thread(blocks.run, ROOT, **env)
        await eventually(lambda: says('"redis":"ok","feed":"ok"'), patience=30)
        await asyncio.to_thread(blocks.run, ROOT, **env)


async def test_data_that_were_lost_are_restored(
    blocks: Blocks, run: RunBlock, context: Context, settings: Settings, tmp_path: Path
) -> None:
    keeping = replace(settings, backup_dir=tmp_path / "backups")
    async with await create_pool(settings) as pool, open_house(replace(context, pool=pool)) as house:
        await house.book(await house.player(), "10:00", "11:00")
        good = (await take_backup(keeping, PROGRAMS)).dump
        await pool.execute("UPDATE bookings SET status = 'cancelled'")  # somebody without a WHERE
        await pool.execute("DELETE FROM allocations")
    await context.pool.close()

    said = await run(GOOD=str(good))
    assert "can be restored" in said
    for _ in range(2):
        await run()
    assert "FAILED" not in await run(BACKUP_DIR=str(keeping.backup_dir))
    kept = [row["datname"] for row in rows(await run())]

    pool = await create_pool(settings)
    async with pool:
        assert await pool.fetchval("SELECT count(*) FROM bookings WHERE status = 'confirmed'") == 1
        assert await pool.fetchval("SELECT count(*) FROM allocations WHERE active") == 1
        assert await pool.fetchval("SELECT count(*) FROM outbox WHERE parked_at IS NULL AND kind LIKE 'booking.%'") == 0
        name = settings.database_url.rpartition("/")[2]
        for database in kept:
            if database.startswith(name):
                await pool.execute(f"DROP DATABASE {database} WITH (FORCE)")


def with_factor(phone: pyotp.TOTP, counter_offset: int) -> dict[str, str]:
    """What staff log in with; a code is good once, so each login takes the next one, which a clock may be ahead by."""
    code = phone.at(datetime.now(UTC), counter_offset=counter_offset)
    return {"email": "staff@courtside.example", "password": DEMO_PASSWORD, "totp": code}


async def second_factor(context: Context) -> pyotp.TOTP:
    """Give staff of the demo club a second factor; the phone."""
    real = replace(context, clock=lambda: datetime.now(UTC))
    user_id = await context.pool.fetchval("SELECT id FROM users WHERE email = 'staff@courtside.example'")
    staff = Identity(user_id=user_id, email="", name="", verified=True, session_version=1)
    phone = pyotp.TOTP((await begin_enrolment(real, staff)).secret)
    await context.pool.execute("UPDATE totp SET confirmed_at = now()")
    return phone


@pytest.mark.timeout(120)
async def test_a_leaked_secret_is_worth_nothing_once_it_is_changed(
    blocks: Blocks, run: RunBlock, context: Context, settings: Settings, start_server: StartServer
) -> None:
    await seed_demo(context)
    phone = await second_factor(context)
    server = start_server(settings)
    login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
    session = httpx.post(f"{server.url}/api/auth/login", json=login).json()
    token, renewing = session["access_token"], {"refresh_token": session["refresh_token"]}
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.url}/api/auth/me", headers=headers).status_code == 200
    server.stop()

    secret = (await run()).strip()
    await run(NEW_SECRET=secret)
    again = start_server(settings, JWT_SECRET=secret)
    assert httpx.get(f"{again.url}/api/auth/me", headers=headers).status_code == 401
    await run()
    assert httpx.post(f"{again.url}/api/auth/refresh", json=renewing).status_code == 401
    assert await run(URL=again.url, OLD_TOKEN=token) == "401\n"
    assert httpx.post(f"{again.url}/api/auth/login", json=with_factor(phone, 0)).status_code == 200


@pytest.mark.timeout(120)
async def test_a_key_is_changed_as_planned_and_nobody_is_logged_out(
    blocks: Blocks, run: RunBlock, context: Context, settings: Settings, start_server: StartServer
) -> None:
    await seed_demo(context)
    phone = await second_factor(context)
    server = start_server(settings)
    folder = server.log.parent  # where the blocks are run
    (folder / "serve.pid").write_text(str(server.process.pid))
    reaped = asyncio.create_task(
        asyncio.to_thread(server.process.wait)
    )  # it is our child: without that it stays a zombie
    port, me = str(server.port), f"{server.url}/api/auth/me"
    login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
    first = httpx.post(f"{server.url}/api/auth/login", json=login).json()
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:

        def is_in(session: dict[str, str]) -> bool:
            return client.get(me, headers={"Authorization": f"Bearer {session['access_token']}"}).status_code == 200

        await run(PORT=port)
        await reaped
        assert is_in(first)
        await run(PORT=port)
        assert is_in(first)
        second = client.post(f"{server.url}/api/auth/login", json=login).json()
        assert client.post(f"{server.url}/api/auth/login", json=with_factor(phone, 0)).status_code == 200
        assert (await run(PORT=port)).startswith("ok      second factors are sealed")
        assert is_in(second)
        assert not is_in(first), "a day has passed, as far as the old key is concerned"
        assert client.post(f"{server.url}/api/auth/login", json=with_factor(phone, 1)).status_code == 200
    assert not (folder / "key.old").exists()


async def test_a_rush_for_one_hour_settles_and_leaves_no_queue(blocks: Blocks, run: RunBlock, context: Context) -> None:
    async with open_house(context) as house:
        people = [await house.player(f"p{number}@club.example") for number in range(40)]
        processes = [house, house.another_process()]
        rush = [processes[number % 2].book(who, "18:00", "19:00") for number, who in enumerate(people)]
        outcomes = await asyncio.gather(*rush, return_exceptions=True)
        await processes[1].close()
        assert len([one for one in outcomes if not isinstance(one, BaseException)]) == 1
        assert len([one for one in outcomes if isinstance(one, SlotTaken)]) == 39
        (seen,) = rows(await run())
        assert (seen["waiting"], seen["active"]) == ("0", "0")


async def test_wal_that_is_kept_for_nobody_is_let_go(blocks: Blocks, run: RunBlock, context: Context) -> None:
    await context.pool.execute("SELECT pg_create_physical_replication_slot('gone_for_good', true)")
    (room,) = rows(await run())
    assert room["wal"]
    assert "gone_for_good" in {row["slot_name"] for row in rows(await run())}
    await run()
    assert rows(await run()) == [{"kept_for_nobody": "0"}]


async def test_a_backup_that_failed_is_taken_again(
    blocks: Blocks, run: RunBlock, context: Context, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_text("in the way: no folder can be made here")
    keeping = replace(settings, backup_dir=tmp_path / "disk" / "backups")
    await context.pool.execute("SELECT 1")
    with pytest.raises(RecoveryError, match="cannot be made"):
        await take_backup(keeping, PROGRAMS)
    (last,) = rows(await run())
    assert (last["kind"], last["ok"]) == ("backup", "f")
    assert "cannot be made" in last["error"]
    assert "can be restored" in await run(BACKUP_DIR=str(tmp_path / "backups"))
    assert {row["kind"]: row["ok"] for row in rows(await run())} == {"backup": "t", "verify": "t"}


async def test_mails_that_were_refused_are_sent_again(blocks: Blocks, run: RunBlock, context: Context) -> None:
    async with mail_server() as server:
        settings = replace(context.settings, smtp_host="127.0.0.1", smtp_port=server.port)
        sending = replace(context, settings=settings)
        user = await add_person(context.pool)
        booking = await add_booking(context.pool, user, local(10), local(11))
        await put_out(context.pool, "booking.confirmed", user_id=user, booking_id=str(booking))
        server.answer = "550 5.7.1 Sender not allowed"
        await deliver_due(sending, limit=10)
        (refused,) = rows(await run())
        assert (refused["kind"], refused["set_aside"]) == ("booking.confirmed", "1")
        assert "Sender not allowed" in refused["last_error"]

        server.answer = "250 OK"
        await run()
        await make_due(context.pool)
        await deliver_due(sending, limit=10)

        assert len(server.received) == 1
        assert rows(await run()) == [{"with_an_error": "0"}]
