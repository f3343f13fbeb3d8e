"""What goes wrong in one place stays there, and what is old here is not believed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from server.domain.errors import Unavailable
from server.usecases.hours import change_week
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Server, StartServer, by_court
from tests.live.test_fanout import Sleeper, flood, stalls, watchers_are
from tests.live.test_feed import book, feed_is

NEXT_DAY = DAY + timedelta(days=1)
ELSEWHERE = "UPDATE clubs SET grid_visibility = $1, config_version = config_version + 1"
"""A change of another process that this one has not heard of."""


async def test_a_stranger_is_refused_by_what_the_club_is_now_and_not_by_an_old_copy(
    server: Server, house: House
) -> None:
    await server.grid()  # the copy is there, and says that everybody may
    await house.context.pool.execute(ELSEWHERE, "members")
    async with server.connected() as client:
        await client.say({"t": "hello", "topics": [TOPIC]})
        await client.hear()
        message = await client.hear()
        assert (message["t"], message["code"]) == ("error", "forbidden_topic")
        assert not server.hub.rooms
        await house.context.pool.execute(ELSEWHERE, "public")
        await client.say({"t": "sub", "topics": [TOPIC]})
        assert (await client.hear())["t"] == "snap"


async def test_other_hours_are_told_at_once_also_by_a_process_that_has_no_watchers(
    start: StartServer, house: House
) -> None:
    one, other = await start(), await start()  # neither re-reads by itself within the test
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    staff = await house.player("staff@club.example", "staff")
    async with other.watching() as client:
        before = client.as_grid()
        catalogues = one.app.state.catalogues
        version = await house.context.pool.fetchval("SELECT version FROM clubs")
        await change_week(catalogues, staff.user_id, house.club_id, version, dict.fromkeys(range(7), ()))
        snap = await client.hear()
        assert (snap["t"], snap["full"], snap["open"]) == ("snap", True, [])
        assert before["open"]
        assert by_court(client.as_grid()) == by_court(await other.grid())


async def test_a_day_that_cannot_be_read_keeps_no_other_day_waiting(
    start: StartServer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(pace=replace(QUICK, reread_alone=60.0, reread=60.0))
    read = server.hub._read_day

    async def read_but_one(club_id: int, day: date) -> Any:
        if day == NEXT_DAY:
            raise Unavailable
        return await read(club_id, day)

    async with server.watching(TOPIC, {**TOPIC, "date": str(NEXT_DAY)}) as client:
        monkeypatch.setattr(server.hub, "_read_day", read_but_one)
        server.hub.wake((house.club_id, NEXT_DAY))
        for hour in range(8, 11):
            await book(server, house, hour)
            message = await client.hear()
            assert (message["t"], message["row"]["v"]) == ("row", hour - 7)


async def test_a_redis_client_that_breaks_once_makes_nobody_deaf_or_dumb(
    start: StartServer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start(), await start()
    await feed_is(other, works=True)
    redis = one.app.state.live.feed._redis
    publish = redis.publish
    broken = 0

    async def break_once(*args: Any) -> Any:
        nonlocal broken
        broken += 1
        if broken <= 2:
            raise RuntimeError("read() called while another coroutine is already waiting for incoming data")
        return await publish(*args)

    async with other.watching() as client:
        monkeypatch.setattr(redis, "publish", break_once)
        await book(one, house, 10)
        await client.sees(other)
        while broken < 4:  # noqa: ASYNC110 - its heartbeat goes on too, and sets no event
            await asyncio.sleep(0.05)


async def test_who_pings_and_does_not_read_is_kept_no_pongs(start: StartServer, house: House) -> None:
    server = await start(pace=replace(QUICK, tick=0.0))
    async with Sleeper(server.url) as sleeper:
        await watchers_are(server, 1)
        await flood(server, house, range(1, 301))
        assert stalls(server)
        [watcher] = server.hub.watchers
        transport = watcher.pipe._protocol.transport  # type: ignore[attr-defined] # of the real pipe
        before = transport.get_write_buffer_size()
        for number in range(2000):
            sleeper.protocol.send_ping(b"%0125d" % number)
        sleeper.protocol.send_text(json.dumps({"t": "unsub", "topics": [TOPIC]}).encode())
        await sleeper._send()
        await watchers_are(server, 0)  # the pings are read
        assert transport.get_write_buffer_size() <= before
