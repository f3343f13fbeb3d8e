"""Who may watch, how much may be said, and how a socket ends."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.conftest import FrozenClock
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Server, StartServer


def topics(count: int) -> list[dict[str, Any]]:
    return [{"club": "riverside", "date": str(DAY + timedelta(days=n))} for n in range(count)]


PLAIN: list[Any] = [pytest.param(False, id="frames"), pytest.param(True, id="plain-asgi")]
HELLO = {"t": "hello", "topics": [TOPIC]}


@pytest.mark.parametrize("plain", PLAIN)
async def test_bad_manners_have_their_close_codes(start: StartServer, house: House, plain: bool) -> None:
    server = await start(plain=plain)
    bad: list[tuple[int, list[Any]]] = [
        (4501, ["{"]),
        (4501, [b"\x00"]),
        (4501, [json.dumps({"t": "hello", "topics": "all"})]),
        (4501, [json.dumps({"t": "dance"})]),
        (4501, ["x" * 70_000]),
        (4501, [json.dumps(HELLO), json.dumps({"t": "pong", "more": "x" * 9000})]),
        (4501, [json.dumps(HELLO), json.dumps(HELLO)]),
        (4002, [json.dumps({"t": "pong"})]),
        (4505, [json.dumps({"t": "hello", "topics": topics(17)})]),
        (4505, [json.dumps({"t": "hello", "topics": topics(10)}), json.dumps({"t": "sub", "topics": topics(17)[10:]})]),
        (4013, [json.dumps(HELLO), *[json.dumps({"t": "pong"})] * 11]),
        (4500, [json.dumps({**HELLO, "ticket": "forged"})]),
    ]
    for code, messages in bad:
        async with server.connected() as client:
            for message in messages:
                await client.connection.send(message)
            assert await client.close_code() == code, messages


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_message_may_be_as_long_as_the_limit_and_no_longer(
    start: StartServer, house: House, plain: bool
) -> None:
    server = await start(plain=plain)

    def padded(message: dict[str, Any], length: int) -> str:
        text = json.dumps({**message, "pad": ""})
        return text.replace('"pad": ""', f'"pad": "{"x" * (length - len(text))}"')

    for longest, said in ((64 * 1024, []), (8 * 1024, [json.dumps(HELLO)])):
        message = {"t": "sub", "topics": [TOPIC]} if said else HELLO
        for length, code in ((longest, 4501), (longest + 1, 4501)):
            async with server.connected() as client:
                for text in (*said, padded(message, length)):
                    await client.connection.send(text)
                if length == longest:
                    for _ in range(len(said) + 1):
                        assert (await client.hear())["t"] in ("welcome", "snap")
                    await client.connection.send("{")
                assert await client.close_code() == code


async def test_what_is_within_the_limits_is_fine(server: Server, house: House) -> None:
    have = {str(number): 1 for number in range(3000)}
    async with server.connected() as client:
        large = {"t": "hello", "topics": [{**TOPIC, "epoch": "x", "have": have}, *topics(16)[1:]], "later": "ignored"}
        assert 8192 < len(json.dumps(large)) < 65536
        await client.say(large)
        assert (await client.hear())["t"] == "welcome"
        assert len({(await client.hear())["date"] for _ in range(16)}) == 16
        for _ in range(10):
            await client.say({"t": "pong"})
        await client.say({"t": "nothing"})
        assert await client.close_code() in (4013, 4501)


@pytest.mark.parametrize("plain", PLAIN)
async def test_who_says_nothing_or_answers_no_ping_is_let_go(start: StartServer, house: House, plain: bool) -> None:
    server = await start(pace=replace(QUICK, hello=0.2, ping=0.2), plain=plain)
    async with server.connected() as client:
        assert await client.close_code() == 4002
    async with server.watching() as client:
        assert await client.close_code() == 4012


async def test_topics_that_cannot_be_watched_are_told_and_the_socket_stays(
    server: Server, house: House, clock: FrozenClock
) -> None:
    await house.context.pool.execute("INSERT INTO clubs (slug, name, zone, currency, grid_visibility) "
        "VALUES ('members', 'M', 'Europe/London', 'GBP', 'members')")  # fmt: skip
    today = clock.now.date()
    wrong = {
        "unknown_club": {"club": "nowhere", "date": str(DAY)},
        "forbidden_topic": {"club": "members", "date": str(DAY)},
    }
    async with server.watching() as client:
        for code, topic in wrong.items():
            await client.say({"t": "sub", "topics": [topic]})
            message = await client.hear()
            assert (message["t"], message["code"]) == ("error", code)
        for day in ("2031-13-01", "20310515", "", str(today - timedelta(days=2)), str(today + timedelta(days=62))):
            await client.say({"t": "sub", "topics": [{"club": "riverside", "date": day}]})
            assert (await client.hear())["code"] == "bad_date"
            await asyncio.sleep(0.2)  # not more than ten messages a second
        edges = [{"club": "riverside", "date": str(today + timedelta(days=n))} for n in (-1, 61)]
        await client.say({"t": "sub", "topics": edges})
        assert [(await client.hear())["t"] for _ in edges] == ["snap", "snap"]


async def test_too_many_are_refused_before_they_are_in(
    start: StartServer, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start(ws_max_per_ip=2, ws_max_connections=3)
    async with server.watching(), server.watching():
        with pytest.raises(InvalidStatus) as refused:
            await server.connected().__aenter__()
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["Retry-After"]) > 0
        assert refused.value.response.headers["Content-Type"] == "application/problem+json"
    small = await start(ws_max_connections=1)
    async with small.watching():
        with pytest.raises(InvalidStatus) as refused:
            await small.connected().__aenter__()
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) > 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    async with asyncio.timeout(5):
        while True:  # the place is free a moment after the last one left
            try:
                async with small.watching():
                    break
            except InvalidStatus:
                await asyncio.sleep(0.02)


async def test_behind_a_proxy_of_ours_each_client_has_its_own_address(start: StartServer, house: House) -> None:
    def client_of(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    trusting = await start(ws_max_per_ip=1, trusted_proxies=(ip_network("127.0.0.1"),))
    async with (
        trusting.watching(additional_headers=client_of("192.0.2.1")),
        trusting.watching(additional_headers=client_of("2001:db8::1")),
    ):
        for other in ("192.0.2.1", "2001:db8::2"):  # an IPv6 customer has a whole /64
            with pytest.raises(InvalidStatus) as refused:
                await trusting.connected(additional_headers=client_of(other)).__aenter__()
            assert refused.value.response.status_code == 429
    wary = await start(ws_max_per_ip=1)
    async with wary.watching(additional_headers=client_of("192.0.2.1")):
        with pytest.raises(InvalidStatus):
            await wary.connected(additional_headers=client_of("192.0.2.2")).__aenter__()


async def test_a_server_that_can_answer_no_handshake_closes_with_a_code(start: StartServer, house: House) -> None:
    async def knock(server: Server, **headers: str) -> list[dict[str, Any]]:
        """The handshake as a server without the denial extension passes it on."""
        incoming = iter([{"type": "websocket.connect"}])
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return next(incoming, {"type": "websocket.disconnect", "code": 1005})

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": "/ws/grid",
            "raw_path": b"/ws/grid", "query_string": b"", "root_path": "", "client": ("192.0.2.7", 1),
            "server": ("127.0.0.1", 80), "subprotocols": [], "state": {}, "extensions": {},
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        await server.app(scope, receive, send)
        return sent

    server = await start(ws_max_per_ip=0)
    full = await start(ws_max_connections=0)
    for there, headers, code in (
        (server, {"origin": "https://evil.example"}, 4503),
        (server, {}, 4505),
        (full, {}, 4001),
    ):
        accepted, closed = await knock(there, **headers)
        assert (accepted["type"], closed["type"], closed["code"]) == ("websocket.accept", "websocket.close", code)


@pytest.mark.parametrize("plain", PLAIN)
async def test_pages_of_other_origins_stay_outside(start: StartServer, house: House, plain: bool) -> None:
    server = await start(plain=plain, cors_origins=("https://app.example.com",))
    for origin in ("https://evil.example", "null", "https://app.example.com.evil.example", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await server.connected(origin=origin).__aenter__()
        assert refused.value.response.status_code == 403
    for origin in ("https://app.example.com", "http://127.0.0.1:8000", "http://localhost:8000"):
        async with server.watching(origin=origin):
            pass


# -- members and their sessions -------------------------------------------------------------------------------


@pytest.fixture
async def members(start: StartServer, house: House) -> Server:
    """A server with the demo accounts, where riverside's grid is for members."""
    await house.context.pool.execute("UPDATE clubs SET grid_visibility = 'members'")
    await seed_demo(house.context)
    return await start()


async def logged_in(server: Server, **more: Any) -> dict[str, Any]:
    body = {"email": "player@courtside.example", "password": DEMO_PASSWORD, **more}
    answer = await server.http.post("/api/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_ticket_opens_a_members_grid_once(members: Server) -> None:
    token = (await logged_in(members))["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await members.http.post("/api/ws-ticket")).status_code == 401
    answer = await members.http.post("/api/ws-ticket", headers=bearer)
    assert answer.json()["expires_in"] <= 30
    ticket = answer.json()["ticket"]
    assert (await members.http.get("/api/auth/me", headers={"Authorization": f"Bearer {ticket}"})).status_code == 401
    async with members.connected() as client:
        await client.say({**HELLO, "ticket": ticket})
        assert [(await client.hear())["t"] for _ in range(2)] == ["welcome", "snap"]
    async with members.connected() as client:
        await client.say({**HELLO, "ticket": ticket})
        assert await client.close_code() == 4500
    async with members.connected() as client:
        await client.say({**HELLO, "ticket": token})
        assert await client.close_code() == 4500


async def test_a_ticket_is_stale_after_half_a_minute(members: Server, clock: FrozenClock) -> None:
    bearer = {"Authorization": f"Bearer {(await logged_in(members))['access_token']}"}
    ticket = (await members.http.post("/api/ws-ticket", headers=bearer)).json()["ticket"]
    clock.advance(timedelta(seconds=31))
    async with members.connected() as client:
        await client.say({**HELLO, "ticket": ticket})
        assert await client.close_code() == 4500


async def test_a_cookie_counts_with_an_origin_of_ours_only(members: Server) -> None:
    await logged_in(members, cookies=True)
    jar = {"Cookie": "; ".join(f"{name}={value}" for name, value in members.http.cookies.items())}
    async with members.watching(additional_headers=jar, origin="http://127.0.0.1:8000") as client:
        assert client.grids
    async with members.watching(additional_headers=jar) as client:
        assert not client.grids


async def test_a_session_that_ends_closes_its_sockets(members: Server) -> None:
    bearer = {"Authorization": f"Bearer {(await logged_in(members))['access_token']}"}
    async with members.watching(additional_headers=bearer) as client, members.watching() as stranger:
        assert client.grids
        assert not stranger.grids
        await members.http.post("/api/auth/logout", headers=bearer)
        assert await client.close_code(patience=10) == 4009
        await stranger.say({"t": "pong"})
        assert stranger.connection.close_code is None
    async with members.connected(additional_headers=bearer) as client:
        await client.say(HELLO)
        assert await client.close_code() == 4500


async def test_a_token_that_expires_closes_its_sockets(members: Server, clock: FrozenClock) -> None:
    bearer = {"Authorization": f"Bearer {(await logged_in(members))['access_token']}"}
    async with members.watching(additional_headers=bearer) as client:
        clock.advance(timedelta(days=2))
        assert await client.close_code() == 4009


async def test_a_grid_that_is_for_members_now_is_taken_from_strangers(server: Server, house: House) -> None:
    async with server.watching() as client:
        await house.context.pool.execute(
            "UPDATE clubs SET grid_visibility = 'members', config_version = config_version + 1"
        )
        server.app.state.catalogues.changed(house.club_id)
        message = await client.hear()
        assert (message["t"], message["code"]) == ("error", "forbidden_topic")
        assert not server.hub.rooms


# -- the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_server_that_stops_says_when_to_come_back(start: StartServer, house: House, plain: bool) -> None:
    server = await start(plain=plain)
    async with server.watching() as one, server.watching() as other:
        server.app.state.when_draining()
        byes = [await client.hear() for client in (one, other)]
        assert [(bye["t"], bye["code"]) for bye in byes] == [("bye", 4001)] * 2
        assert all(0 < bye["after_ms"] <= 30_000 for bye in byes)
        assert [await client.close_code() for client in (one, other)] == [4001, 4001]
    with pytest.raises(InvalidStatus) as refused:
        await server.connected().__aenter__()
    assert refused.value.response.status_code == 503


@pytest.mark.parametrize("plain", PLAIN)
async def test_without_a_database_a_newcomer_is_asked_to_come_back(start: StartServer, plain: bool) -> None:
    server = await start(plain=plain, database_url="postgresql://a:b@127.0.0.1:1/c")
    async with server.connected() as client:
        await client.say(HELLO)
        assert (await client.hear())["t"] == "welcome"
        bye = await client.hear()
        assert (bye["t"], bye["code"]) == ("bye", 4001)
        assert 1000 <= bye["after_ms"] < 2000
        assert await client.close_code() == 4001
