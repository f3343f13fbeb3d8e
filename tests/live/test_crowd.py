"""Many watchers at once. What is asserted here is not how fast it is: `make bench ARGS=live` measures that."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from server.live.fanout import GridProtocol
from server.live.feed import News
from server.sql import grid as sql
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Server, StartServer
from tests.live.crowd import Crowd
from tests.live.test_fanout import large_row, watchers_are

HELLO = {"t": "hello", "topics": [TOPIC]}


@pytest.mark.timeout(180)
async def test_two_thousand_who_come_back_at_once_are_answered_right_by_few_queries(
    start: StartServer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(ws_max_per_ip=2000)
    player = await house.player()
    await house.book(player, "08:00", "09:00")
    before = await server.grid()
    await house.book(player, "10:00", "11:00", court_id=house.courts[1])
    now = await server.grid()

    def resume(grid: dict[str, Any], **changes: Any) -> dict[str, Any]:
        have = {str(row["court"]): row["v"] for row in grid["rows"]}
        return {"t": "hello", "topics": [{**TOPIC, "epoch": grid["epoch"], "have": have, **changes}]}

    # What they come back with, and the courts that they must be sent; None is all of them.
    kinds: list[tuple[dict[str, Any], list[int] | None]] = [
        (resume(now), []),
        (resume(before), [house.courts[1]]),
        (resume(now, epoch="another"), None),
        (HELLO, None),
    ]
    queries = {"list_marks": 0, "fetch_day": 0}

    def counted(name: str) -> Any:
        real = getattr(sql, name)

        def call(*args: Any) -> Any:
            queries[name] += 1
            return real(*args)

        return call

    async with Crowd.connected(server.port, [kinds[number % 4][0] for number in range(2000)]) as crowd:
        for name in queries:
            monkeypatch.setattr(sql, name, counted(name))
        crowd.say_hello()
        await crowd.hear(2)
        for number, member in enumerate(crowd.members):
            welcome, snap = member.messages
            assert welcome["t"] == "welcome"
            expected = kinds[number % 4][1]
            rows = [row for row in now["rows"] if expected is None or row["court"] in expected]
            assert snap == {"t": "snap", "full": expected is None, **now, "rows": rows}
    assert queries["list_marks"] <= 200  # those who wait share the next one
    assert queries["fetch_day"] == 0  # the day is known


@pytest.mark.timeout(180)
async def test_a_hundred_stalled_readers_among_a_thousand_cost_the_others_no_row_and_leave_nothing_behind(
    start: StartServer, house: House
) -> None:
    server = await start(ws_max_per_ip=1000, pace=replace(QUICK, tick=0.0, stalled=0.5))
    async with AsyncExitStack() as all_:
        healthy = await all_.enter_async_context(Crowd.connected(server.port, [HELLO] * 900))
        healthy.say_hello()
        await healthy.hear(2)
        await watchers_are(server, 900)
        held_before = held(server)
        stalled = await all_.enter_async_context(Crowd.connected(server.port, [HELLO] * 100, receive_buffer=4096))
        stalled.say_hello()
        await stalled.hear(2)
        await watchers_are(server, 1000)
        stalled.stop_reading()
        state = server.hub.rooms[house.club_id, DAY].reading[1]
        rounds = 0
        while stalls(server) < len(server.hub.watchers) - 900:
            rounds += 1
            assert rounds < 100
            row = large_row(house.courts[0], rounds)
            server.hub.hear(News(house.club_id, DAY, state.epoch, state.config_version, [row]))
            await healthy.hear(2 + rounds)
        await watchers_are(server, 900)
        for member in healthy.members:
            assert [message["row"]["v"] for message in member.messages[2:]] == list(range(1, rounds + 1))
            assert not member.gone
        async with asyncio.timeout(10):
            while held(server) != held_before:  # noqa: ASYNC110 - the last of a hundred ends a moment later
                await asyncio.sleep(0.05)


def stalls(server: Server) -> int:
    return sum(watcher.pipe.stalled_since is not None for watcher in server.hub.watchers)


def held(server: Server) -> tuple[int, int, int]:
    """What the server holds for its watchers: bytes that wait to be written, connections, and what is owed."""
    gc.collect()
    connections = [found for found in gc.get_objects() if isinstance(found, GridProtocol)]
    return (
        sum(one.transport.get_write_buffer_size() for one in connections),
        len(connections),
        sum(len(watcher.owed) for watcher in server.hub.watchers),
    )
