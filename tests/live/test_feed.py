"""Redis is the wake-up path and nothing more: with it rows are there at once, without it within seconds."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from server.context import Context
from server.domain.bookings import Accepted
from server.domain.effects import Settlement
from server.domain.grid import Row
from server.embedded.valkey import Valkey
from server.live.feed import Feed, News, merged
from server.usecases.bookings import Bookings
from server.usecases.desk import Desks
from tests.house import DAY, House
from tests.live.conftest import QUICK, Server, StartServer, by_court

PATIENT = replace(QUICK, reread=0.3, reread_alone=0.3)


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    """A Valkey of the test's own, to be hurt."""
    made = Valkey(tmp_path / "valkey")
    made.start()
    yield made
    made.child.send(signal.SIGCONT)
    made.stop()


async def feed_is(server: Server, works: bool, patience: float = 15.0) -> None:
    async with asyncio.timeout(patience):
        while server.app.state.live.feed.works is not works:  # noqa: ASYNC110 - the feed sets no event
            await asyncio.sleep(0.02)


async def book(server: Server, house: House, hour: int, court: int = 0) -> None:
    player = await house.player(f"player{hour}-{court}@club.example")
    wanted = house.wanted(f"{hour:02}:00", f"{hour + 1:02}:00", court_id=house.courts[court])
    async with asyncio.timeout(1.0):  # whatever state Redis is in
        await server.app.state.bookings.book(player, wanted, lambda _: None)


@pytest.mark.parametrize("watched_there", [True, False])
async def test_what_one_process_commits_the_watchers_of_another_see_at_once(
    start: StartServer, house: House, watched_there: bool
) -> None:
    one, other = await start(), await start()  # neither re-reads by itself within the test
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    async with other.watching() as client:
        if watched_there:
            async with one.watching() as neighbour:
                await book(one, house, 10)
                await neighbour.sees(one)
                await client.sees(other)
        else:
            await book(one, house, 10)
            await client.sees(other)
        message = client.as_grid()
        assert [len(row["cells"]) for row in message["rows"]] == [1, 0, 0]


async def test_a_watcher_that_hops_between_processes_misses_nothing(start: StartServer, house: House) -> None:
    one, other = await start(), await start()
    async with one.watching() as client:
        for hour in range(8, 12):
            await book(one, house, hour)
        await client.sees(one)
        had = client.as_grid()
    for hour in range(12, 15):
        await book(one, house, hour, court=1)
    have = {str(row["court"]): row["v"] for row in had["rows"]}
    topic = {"club": "riverside", "date": str(DAY), "epoch": had["epoch"], "have": have}
    async with other.connected() as hopped:
        hopped.grids = client.grids
        await hopped.say({"t": "hello", "topics": [topic]})
        await hopped.hear()
        snap = await hopped.hear()
        assert (snap["full"], [row["court"] for row in snap["rows"]]) == (False, [house.courts[1]])
        await hopped.sees(other)


async def test_a_watcher_that_hops_after_each_booking_sees_it_at_once_wherever_it_goes(
    start: StartServer, house: House
) -> None:
    """Without Redis, and nobody re-reads by itself: what a hello is answered with is never older than the hello."""
    nowhere = "redis://127.0.0.1:1/0"
    one, other = await start(redis_url=nowhere), await start(redis_url=nowhere)
    async with one.watching() as first, other.watching():  # both processes know the day as it was
        grids = first.grids
    for hour in range(8, 16):
        here, there = (one, other) if hour % 2 else (other, one)
        await book(here, house, hour, court=hour % 3)
        had = grids["riverside", str(DAY)]
        have = {str(court): row["v"] for court, row in had["rows"].items()}
        async with there.connected() as client:
            client.grids = grids
            topic = {"club": "riverside", "date": str(DAY), "epoch": had["epoch"], "have": have}
            await client.say({"t": "hello", "topics": [topic]})
            await client.hear()
            assert (await client.hear())["full"] is False
            assert by_court(client.as_grid()) == by_court(await here.grid())


async def test_a_frozen_redis_costs_nobody_anything_and_the_grid_goes_on(
    start: StartServer, house: House, valkey: Valkey
) -> None:
    one, other = await start(pace=PATIENT, redis_url=valkey.url), await start(pace=PATIENT, redis_url=valkey.url)
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    async with other.watching() as client, one.watching() as neighbour:
        valkey.child.send(signal.SIGSTOP)
        for hour in range(8, 11):
            await book(one, house, hour)
            await neighbour.sees(one)
            await client.sees(other)
        await feed_is(one, works=False)
        await book(one, house, 12)
        await client.sees(other)
        valkey.child.send(signal.SIGCONT)
        await feed_is(one, works=True)
        await feed_is(other, works=True)
        await book(one, house, 13)
        await client.sees(other)


async def test_a_redis_that_dies_and_returns_in_the_middle_of_a_burst_loses_nothing(
    start: StartServer, house: House, valkey: Valkey
) -> None:
    # Nobody re-reads by itself while the feed works: what the new subscription missed must be read because it is new.
    pace = replace(QUICK, reread=60.0, reread_alone=60.0)
    one, other = await start(pace=pace, redis_url=valkey.url), await start(pace=pace, redis_url=valkey.url)
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    async with other.watching() as client:
        for hour in range(8, 18):
            if hour == 11:
                valkey.child.send(signal.SIGKILL)
            await book(one, house, hour)
        await feed_is(other, works=False)
        await book(one, house, 19)
        valkey.start()
        await feed_is(other, works=True)
        await client.sees(other)


async def test_without_redis_at_all_the_grid_lives_at_the_pace_of_anti_entropy(
    start: StartServer, house: House, context: Context
) -> None:
    server = await start(pace=PATIENT, redis_url="redis://127.0.0.1:1/0")
    async with server.watching() as client:
        await house.book(await house.player(), "10:00", "11:00")
        await client.sees(server)
    checks = (await server.http.get("/health/ready")).json()["checks"]
    assert checks["feed"] == "degraded"


@asynccontextmanager
async def another_desk(house: House, redis_url: str) -> AsyncIterator[Bookings]:
    """Bookings as a process without a hub makes them, a worker say: it tells what it commits, and hears nothing."""
    feed = Feed(replace(house.context.settings, redis_url=redis_url))
    await feed.start_telling()

    def after_commit(club_id: int, settlement: Settlement) -> None:
        for day in {day for _, day in settlement.writes.touched}:
            feed.tell(News(club_id, day))

    desks = Desks(house.context, house.catalogues, after_commit=after_commit)
    try:
        yield Bookings(house.context, house.catalogues, desks)
    finally:
        await desks.close()
        await feed.stop()


async def test_what_a_process_without_watchers_commits_is_seen_at_once(
    start: StartServer, house: House, valkey: Valkey
) -> None:
    server = await start(redis_url=valkey.url)  # it does not re-read by itself within the test
    await feed_is(server, works=True)
    async with server.watching() as client, another_desk(house, valkey.url) as bookings:
        player = await house.player()
        accepted = await bookings.book(player, house.wanted("10:00", "11:00"), lambda _: None)
        await client.sees(server)
        assert isinstance(accepted, Accepted)
        assert accepted.booking is not None
        await bookings.cancel(player, accepted.booking.id)
        await client.sees(server)
        assert [row["cells"] for row in client.as_grid()["rows"]] == [[], [], []]


async def test_what_a_process_without_watchers_commits_is_seen_soon_without_redis(
    start: StartServer, house: House, valkey: Valkey
) -> None:
    server = await start(pace=PATIENT, redis_url=valkey.url)
    valkey.child.send(signal.SIGKILL)
    await feed_is(server, works=False)
    async with server.watching() as client, another_desk(house, valkey.url) as bookings:
        player = await house.player()
        async with asyncio.timeout(1.0):  # whatever state Redis is in
            await bookings.book(player, house.wanted("10:00", "11:00"), lambda _: None)
        await client.sees(server)
        assert [len(row["cells"]) for row in client.as_grid()["rows"]] == [1, 0, 0]


def test_news_that_wait_are_merged_and_the_newest_row_wins(context: Context) -> None:
    def news(*rows: tuple[int, int], epoch: str = "e") -> News:
        return News(1, DAY, epoch, 1, [Row(court, version, ()) for court, version in rows])

    assert merged(news((1, 4), (2, 1)), news((1, 3), (3, 1))) == news((1, 4), (2, 1), (3, 1))
    for older, newer in ((news((1, 1)), news((1, 1), epoch="f")), (News(1, DAY), news((1, 1)))):
        assert merged(older, newer) == News(1, DAY)  # whoever hears it reads Postgres


async def test_what_waits_for_redis_is_bounded(context: Context) -> None:
    feed = Feed(replace(context.settings, redis_url="redis://127.0.0.1:1/0"))
    for club in range(5000):
        feed.tell(News(club, DAY))
    assert len(feed._waiting) == 2000
    assert (4999, DAY) in feed._waiting
    await feed.stop()
