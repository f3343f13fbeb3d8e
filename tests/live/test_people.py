"""Whoever is signed in on a socket hears at once that something of their own has changed, and nobody else does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from server.domain.people import Identity
from server.embedded.valkey import Valkey
from server.jobs.signals import Signals
from server.jobs.worker import tend
from server.usecases.api_keys import create_key
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.conftest import FrozenClock
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Json, Server, StartServer, Watching, bearer
from tests.live.test_fanout import PLAIN, Sleeper, flood, stalls, watchers_are
from tests.live.test_feed import feed_is, valkey

__all__ = ["valkey"]  # a fixture

PLAYER = "player@courtside.example"
ASKS = {"you": True}
SLOT: Json = {"start_ts": f"{DAY}T10:00", "end_ts": f"{DAY}T11:00"}


@pytest.fixture
async def ann(house: House) -> Identity:
    return await house.player("ann@club.example", "player")


@pytest.fixture
async def bob(house: House) -> Identity:
    return await house.player("bob@club.example", "player")


@pytest.fixture
async def staff(house: House) -> Identity:
    return await house.player("staff@club.example", "staff")


async def ask(server: Server, house: House, who: Identity, what: str, body: Json | None = None) -> Json:
    """A request of somebody's, `METHOD /path`, which must succeed."""
    method, path = what.split()
    answer = await server.http.request(method, path, json=body, headers=bearer(house, who))
    assert answer.is_success, answer.text
    found: Json = answer.json() if answer.content else {}
    return found


async def logged_in(server: Server) -> dict[str, str]:
    """The header of the demo player's requests, in a session of their own."""
    answer = await server.http.post("/api/auth/login", json={"email": PLAYER, "password": DEMO_PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def word(client: Watching, patience: float = 5.0) -> list[str]:
    """What is to be read again, as the next word of it says."""
    while True:
        message = await client.hear(patience)
        if message["t"] == "you":
            said: list[str] = message["what"]
            return said


async def says_nothing_of_it(client: Watching) -> None:
    """Ask for something whose answer comes after whatever was said before, and hear no word of it until then."""
    await client.say({"t": "sub", "topics": [{**TOPIC, "epoch": "other", "have": {}}]})
    while True:
        message = await client.hear()
        assert message["t"] != "you"
        if message["t"] == "snap":
            return


async def test_only_the_one_whose_it_is_is_told(server: Server, house: House, ann: Identity, bob: Identity) -> None:
    async with AsyncExitStack() as all_:
        mine = [
            await all_.enter_async_context(server.watching(hello=ASKS, additional_headers=bearer(house, ann)))
            for _ in range(2)  # two tabs
        ]
        neighbours = [
            await all_.enter_async_context(server.watching(hello=ASKS, additional_headers=bearer(house, bob))),
            await all_.enter_async_context(server.watching(hello=ASKS)),  # nobody is signed in
            await all_.enter_async_context(server.watching(additional_headers=bearer(house, ann))),  # did not ask
        ]
        booking = await ask(server, house, ann, "POST /api/bookings", {"court_id": house.courts[0], **SLOT})
        assert [await word(client) for client in mine] == [["bookings"]] * 2
        for client in neighbours:
            await client.sees(server)  # the row is for everybody
            await says_nothing_of_it(client)
        await ask(server, house, ann, f"POST /api/bookings/{booking['id']}/cancel")
        assert [await word(client) for client in mine] == [["bookings"]] * 2
        for client in neighbours:
            await says_nothing_of_it(client)


@pytest.mark.parametrize("by", ["ticket", "cookie"])
async def test_it_is_told_however_one_has_signed_in(server: Server, house: House, ann: Identity, by: str) -> None:
    if by == "ticket":
        ticket = (await ask(server, house, ann, "POST /api/ws-ticket"))["ticket"]
        watching = server.watching(hello={**ASKS, "ticket": ticket})
    else:
        token = bearer(house, ann)["Authorization"].removeprefix("Bearer ")
        jar = {"Cookie": f"courtside_access={token}"}
        watching = server.watching(hello=ASKS, additional_headers=jar, origin="http://127.0.0.1:8000")
    async with watching as client:
        await house.another_process().book(ann, "10:00", "11:00")  # nobody here hears of that one
        await ask(server, house, ann, "POST /api/bookings", {"court_id": house.courts[1], **SLOT})
        assert await word(client) == ["bookings"]


async def test_what_staff_do_with_somebodys_booking_is_told_to_the_one_whose_it_is(
    server: Server, house: House, ann: Identity, staff: Identity
) -> None:
    async with (
        server.watching(hello=ASKS, additional_headers=bearer(house, ann)) as client,
        server.watching(hello=ASKS, additional_headers=bearer(house, staff)) as desk,
    ):
        body = {"court_id": house.courts[0], **SLOT, "user_email": ann.email}
        booking = await ask(server, house, staff, "POST /api/bookings", body)
        assert await word(client) == ["bookings"]
        await ask(server, house, staff, f"PATCH /api/bookings/{booking['id']}", {"court_id": house.courts[1]})
        assert await word(client) == ["bookings"]
        await ask(server, house, staff, f"POST /api/bookings/{booking['id']}/cancel")
        assert await word(client) == ["bookings"]
        await says_nothing_of_it(desk)


@asynccontextmanager
async def working(house: House) -> AsyncIterator[Signals]:
    """A worker beside the servers, until the end."""
    signals = Signals()
    worker = asyncio.create_task(tend(house.context, signals))
    try:
        yield signals
    finally:
        signals.stop()
        await worker


async def until(client: Watching, http: httpx.AsyncClient, headers: dict[str, str], status: str | None) -> Json:
    """Read the waitlist again whenever there is word of it, until the one entry has that status; None: is gone."""
    while True:
        said = await word(client, patience=10)
        items = (await http.get("/api/waitlist", headers=headers)).json()["items"]
        if [entry["status"] for entry in items] == ([] if status is None else [status]):
            return {"said": said, "entry": items[0] if items else None}


async def test_an_offer_of_the_worker_is_told_at_once_and_so_is_its_end(
    start: StartServer, house: House, ann: Identity, bob: Identity, clock: FrozenClock
) -> None:
    server = await start()  # it does not re-read by itself within the test
    await feed_is(server, works=True)
    headers = bearer(house, bob)
    booking = await ask(server, house, ann, "POST /api/bookings", {"court_id": house.courts[0], **SLOT})
    async with working(house) as signals, server.watching(hello=ASKS, additional_headers=headers) as client:
        await ask(server, house, bob, "POST /api/waitlist", {"court_id": house.courts[0], **SLOT})
        await until(client, server.http, headers, "waiting")
        await ask(server, house, ann, f"POST /api/bookings/{booking['id']}/cancel")
        signals.wake()  # as arq does
        found = await until(client, server.http, headers, "offered")
        assert found["said"] == ["waitlist"]
        clock.advance(timedelta(minutes=31))
        signals.wake()
        await until(client, server.http, headers, None)


async def test_who_is_booked_by_the_worker_reads_both_again(
    start: StartServer, house: House, ann: Identity, bob: Identity
) -> None:
    server = await start()
    await feed_is(server, works=True)
    headers = bearer(house, bob)
    booking = await ask(server, house, ann, "POST /api/bookings", {"court_id": house.courts[0], **SLOT})
    wish = {"court_id": house.courts[0], **SLOT, "auto_book": True}
    await ask(server, house, bob, "POST /api/waitlist", wish)
    async with working(house) as signals, server.watching(hello=ASKS, additional_headers=headers) as client:
        await ask(server, house, ann, f"POST /api/bookings/{booking['id']}/cancel")
        signals.wake()
        found = await until(client, server.http, headers, None)
        assert found["said"] == ["bookings", "waitlist"]


async def test_a_session_that_has_ended_is_told_nothing_more(start: StartServer, house: House, staff: Identity) -> None:
    await seed_demo(house.context)
    server = await start(pace=replace(QUICK, sessions=3600.0))  # nobody looks at sessions by the clock
    ended, still = [await logged_in(server) for _ in range(2)]
    async with (
        server.watching(hello=ASKS, additional_headers=ended) as client,
        server.watching(hello=ASKS, additional_headers=still) as other,
    ):
        await server.http.post("/api/auth/logout", headers=ended)
        body = {"court_id": house.courts[0], **SLOT, "user_email": PLAYER}
        await ask(server, house, staff, "POST /api/bookings", body)
        assert await word(other) == ["bookings"]
        await says_nothing_of_it(client)


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_socket_that_takes_nothing_is_told_once_when_it_does(
    start: StartServer, house: House, ann: Identity, plain: bool
) -> None:
    server = await start(plain=plain, pace=replace(QUICK, tick=0.0))
    async with Sleeper(server.url, hello=ASKS, headers=bearer(house, ann)) as sleeper:
        await watchers_are(server, 1)
        await flood(server, house, range(1, 301))
        assert stalls(server)
        [watcher] = server.hub.watchers
        for what in ("bookings", "waitlist", "bookings"):
            server.hub.people.concern({ann.user_id: {what}})
            async with asyncio.timeout(5):
                while what not in watcher.owed_you:  # noqa: ASYNC110 - it sets no event
                    await asyncio.sleep(0)
        await sleeper.wake_until(300)
        assert sleeper.heard.count("you") == 1
        assert watcher.owed_you == set()


async def test_what_could_not_be_told_for_a_frozen_redis_is_told_when_it_is_back_and_no_request_waited(
    start: StartServer, house: House, ann: Identity, valkey: Valkey
) -> None:
    one, other = await start(redis_url=valkey.url), await start(redis_url=valkey.url)
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    headers = bearer(house, ann)
    async with (
        one.watching(hello=ASKS, additional_headers=headers) as here,
        other.watching(hello=ASKS, additional_headers=headers) as there,
    ):
        valkey.child.send(signal.SIGSTOP)
        await feed_is(other, works=False)
        async with asyncio.timeout(1.0):
            await ask(one, house, ann, "POST /api/bookings", {"court_id": house.courts[0], **SLOT})
        assert await word(here) == ["bookings"]
        await says_nothing_of_it(there)
        valkey.child.send(signal.SIGCONT)
        await feed_is(other, works=True)
        assert await word(there, patience=20) == ["bookings"]


async def test_an_api_key_is_told_where_it_may_read_what_it_is_told_of(
    server: Server, house: House, ann: Identity
) -> None:
    keys = [
        (await create_key(house.context, user_id=ann.user_id, name=scopes[-1], scopes=scopes, days=1))[1]
        for scopes in (["read:grid"], ["read:grid", "read:bookings"])
    ]
    deaf, told = ({"Authorization": f"Bearer {key}"} for key in keys)
    async with (
        server.watching(hello=ASKS, additional_headers=deaf) as one,
        server.watching(hello=ASKS, additional_headers=told) as other,
    ):
        await ask(server, house, ann, "POST /api/bookings", {"court_id": house.courts[0], **SLOT})
        assert await word(other) == ["bookings"]
        await says_nothing_of_it(one)
