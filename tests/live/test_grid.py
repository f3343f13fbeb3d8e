"""Whoever watches sees the truth: what a watcher had and the rows that it received are the grid read afresh."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from server.domain.grid import Row
from server.domain.grid import row_of as row_of_state
from server.live.feed import News
from server.usecases.closures import WantedClosure
from server.usecases.wishes import Change
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Server, StartServer, Watching, by_court

DEFLATE: list[Any] = [pytest.param({}, id="deflate"), pytest.param({"compression": None}, id="no-deflate")]


@pytest.mark.parametrize("how", DEFLATE)
async def test_hello_is_answered_with_a_welcome_and_the_whole_day(server: Server, house: House, how: Any) -> None:
    await house.book(await house.player(), "10:00", "11:00")
    async with server.connected(**how) as client:
        assert client.connection.subprotocol == "courtside.v1.json"
        await client.say({"t": "hello", "topics": [TOPIC]})
        welcome = await client.hear()
        assert welcome == {"t": "welcome", "sid": welcome["sid"], "ping": 30.0}
        snap = await client.hear()
        fresh = await server.grid()
        assert snap == {"t": "snap", "full": True, **fresh}
        assert [len(row["cells"]) for row in snap["rows"]] == [1, 0, 0]


@pytest.mark.parametrize("within", [True, False], ids=["this-process", "another-process"])
@pytest.mark.parametrize("how", DEFLATE)
async def test_after_every_action_the_watchers_grid_is_the_fresh_grid(
    start: StartServer, house: House, within: bool, how: Any
) -> None:
    # From another process nothing comes through Redis in this test: anti-entropy has to find it.
    server = await start(pace=replace(QUICK, reread=0.1, reread_alone=0.1))
    state = server.app.state
    bookings: Any = state.bookings if within else house.bookings
    closures: Any = state.closures if within else house.closures
    player, staff = await house.player(), await house.player("staff@club.example", "staff")
    async with server.watching(**how) as client:
        booked = (await bookings.book(player, house.wanted("10:00", "11:00"), lambda _: None)).booking
        await client.sees(server)
        assert len(row_of(client, house.courts[0])["cells"]) == 1
        coached = house.wanted("12:00", "13:00", coach_id=house.coach, court_id=house.courts[1])
        lesson = (await bookings.book(player, coached, lambda _: None)).booking
        await client.sees(server)
        assert row_of(client, house.courts[1])["cells"][0]["k"] in ("booked", "coaching")
        ref = row_of(client, house.courts[0])["cells"][0]["ref"]
        await bookings.move(player, booked.id, Change(court_id=house.courts[2]))
        await client.sees(server)
        moved = row_of(client, house.courts[2])["cells"][0]
        assert moved["ref"] != ref
        await bookings.cancel(player, lesson.id)
        await client.sees(server)
        assert row_of(client, house.courts[1])["cells"] == []
        wanted = WantedClosure(court_ids=tuple(house.courts[:2]), start_ts=f"{DAY}T08:00", end_ts=f"{DAY}T20:00")
        closure = (await closures.close(staff, house.club_id, wanted)).closure
        await client.sees(server)
        assert [row_of(client, court)["cells"][-1]["k"] for court in house.courts[:2]] == ["closed", "closed"]
        await closures.reopen(staff, house.club_id, closure.id, closure.version)
        await client.sees(server)
        assert row_of(client, house.courts[0])["cells"] == []


def row_of(client: Watching, court: int) -> dict[str, Any]:
    row: dict[str, Any] = client.grids["riverside", str(DAY)]["rows"][court]
    return row


async def test_a_row_is_told_within_a_blink_and_carries_the_whole_day_of_its_court(
    server: Server, house: House
) -> None:
    player = await house.player()
    async with server.watching() as client:
        first = (await server.app.state.bookings.book(player, house.wanted("10:00", "11:00"), lambda _: None)).booking
        message = await client.hear(patience=2.0)
        assert message["t"] == "row"
        assert message["row"]["v"] == 1
        await server.app.state.bookings.book(player, house.wanted("12:00", "13:00"), lambda _: None)
        message = await client.hear(patience=2.0)
        assert [cell["s"] for cell in message["row"]["cells"]] == [
            "2031-05-15T10:00:00+01:00",
            "2031-05-15T12:00:00+01:00",
        ]
        assert message["row"]["cells"][0] == {
            "s": "2031-05-15T10:00:00+01:00",
            "e": "2031-05-15T11:00:00+01:00",
            "k": "booked",
            "ref": first.grid_ref,
        }


async def test_who_resumes_gets_only_the_rows_that_it_lacks(server: Server, house: House) -> None:
    player = await house.player()
    async with server.watching() as client:
        before = client.as_grid()
    await house.book(player, "10:00", "11:00", court_id=house.courts[1])
    have = {str(row["court"]): row["v"] for row in before["rows"]}
    async with server.connected() as client:
        topic = {**TOPIC, "epoch": before["epoch"], "have": have}
        await client.say({"t": "hello", "topics": [topic]})
        await client.hear()
        snap = await client.hear()
        assert (snap["full"], [row["court"] for row in snap["rows"]]) == (False, [house.courts[1]])
        for stranger in ({**topic, "epoch": "another"}, {**topic, "have": {**have, "999": 1}}, TOPIC):
            await client.say({"t": "sub", "topics": [stranger]})
            snap = await client.hear()
            assert (snap["full"], len(snap["rows"])) == (True, 3)


async def test_the_digest_of_a_ping_is_that_of_what_was_written_before(start: StartServer, house: House) -> None:
    server = await start(pace=replace(QUICK, ping=0.5))
    async with server.watching() as client:
        await server.app.state.bookings.book(await house.player(), house.wanted("10:00", "11:00"), lambda _: None)
        await client.sees(server)
        while (ping := await client.hear())["t"] != "ping":
            pass
        grid = client.as_grid()
        text = grid["epoch"] + "".join(f";{row['court']}:{row['v']}" for row in by_court(grid)["rows"])
        assert ping["digest"] == {f"riverside/{DAY}": hashlib.sha256(text.encode()).hexdigest()[:16]}
        await client.say({"t": "pong"})
        assert (await client.hear())["t"] == "ping"


async def test_other_hours_send_everybody_a_full_snap(server: Server, house: House) -> None:
    async with server.watching() as client:
        opening = client.as_grid()["open"]
        await house.context.pool.execute("UPDATE opening_hours SET opens = 480 WHERE club_id = $1", house.club_id)
        await house.context.pool.execute("UPDATE clubs SET config_version = config_version + 1")
        server.app.state.catalogues.changed(house.club_id)
        snap = await client.hear()
        assert (snap["t"], snap["full"], len(snap["rows"])) == ("snap", True, 3)
        assert snap["open"] != opening
        assert by_court(client.as_grid()) == by_court(await server.grid())


async def test_another_epoch_sends_everybody_a_full_snap(start: StartServer, house: House) -> None:
    """As after a restore: version numbers come again, with other contents."""
    server = await start(pace=replace(QUICK, reread=0.1, reread_alone=0.1))
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00")
    async with server.watching() as client:
        before = client.as_grid()
        pool = house.context.pool
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("UPDATE instance SET nonce = 'restored'")
            await conn.execute("UPDATE allocations SET active = false WHERE booking_id = $1", booking.id)
            await conn.execute("UPDATE resource_days SET version = 1")
        while (snap := await client.hear())["t"] != "snap":
            pass
        assert snap["full"] is True
        assert snap["epoch"] != before["epoch"]
        assert by_court(client.as_grid()) == by_court(await server.grid())


async def test_a_resync_is_answered_once_in_a_while(server: Server, house: House) -> None:
    async with server.watching() as client:
        for _ in range(3):
            await client.say({"t": "resync", "topics": [TOPIC]})
        snap = await client.hear()
        assert (snap["t"], snap["full"]) == ("snap", True)
        await client.say({"t": "sub", "topics": [{"club": "nowhere", "date": str(DAY)}]})
        assert (await client.hear())["t"] == "error"


async def test_days_can_be_added_and_dropped(server: Server, house: House) -> None:
    player = await house.player()
    other = {"club": "riverside", "date": "2031-05-16"}
    async with server.watching() as client:
        await client.say({"t": "sub", "topics": [other]})
        assert (await client.hear())["date"] == "2031-05-16"
        await client.say({"t": "unsub", "topics": [TOPIC]})
        await client.say({"t": "sub", "topics": [{"club": "nowhere", "date": str(DAY)}]})
        await client.hear()
        book = server.app.state.bookings.book
        await book(player, house.wanted("10:00", "11:00"), lambda _: None)
        await book(player, house.wanted("10:00", "11:00", day=DAY + timedelta(days=1)), lambda _: None)
        message = await client.hear()
        assert (message["t"], message["date"]) == ("row", "2031-05-16")
    async with asyncio.timeout(5):
        while server.hub.rooms or server.hub.watchers:  # noqa: ASYNC110 - the hub sets no event when it is empty
            await asyncio.sleep(0.01)


async def test_rows_in_any_order_and_twice_end_in_the_newest_state(server: Server, house: House) -> None:
    """The hub's own memory, as the feed fills it: nothing that comes late or again changes it."""
    player = await house.player()
    news = []
    catalogue, _ = await house.occupancy.day(house.club_id, DAY)
    for hour in range(8, 14):
        await house.book(player, f"{hour:02}:00", f"{hour + 1:02}:00")
        _, state = await house.occupancy.day(house.club_id, DAY)
        row = row_of_state(catalogue, catalogue.courts[0], state)
        news.append(News(house.club_id, DAY, state.epoch, state.config_version, [row]))
    async with server.watching() as client:
        room = server.hub.rooms[house.club_id, DAY]
        room.rows[house.courts[0]] = Row(house.courts[0], 0, ())
        shuffled = news * 2
        random.Random(5).shuffle(shuffled)  # noqa: S311 - a test's order
        for one in shuffled:
            server.hub.hear(one)
        assert room.rows[house.courts[0]].v == 6
        await client.sees(server)
