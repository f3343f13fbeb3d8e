"""Rate limits: exact across processes, per person rather than per address, and never the reason to be slow."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from limits import RateLimitItemPerMinute
from litestar import Litestar
from litestar.types import Scope
from redis.asyncio import Redis

from server.edge import limits
from server.edge.limits import RateLimiter, Window, client_address
from server.embedded.process import free_port
from server.embedded.valkey import Valkey
from server.live.redis import MOST_CONNECTIONS, GuardedRedis, create_redis
from server.settings import Settings
from tests.edge.conftest import StartApp, StartServer, eventually
from tests.edge.serving import client_of
from tests.usecases.people import make_player

COUNTED = "/api/auth/me"
"""A route that a stranger is refused without a look at the database: 401 until the limit is reached, then 429."""
AT_ONCE = httpx.Limits(max_connections=100)


@pytest.fixture
def address() -> str:
    """An address that no other test counts against."""
    return "10." + ".".join(str(part) for part in secrets.token_bytes(3))


@pytest.fixture(autouse=True)
async def _leave_no_counters(valkey_url: str) -> AsyncIterator[None]:
    """The users of each test's own database have the same ids."""
    yield
    async with Redis.from_url(valkey_url) as redis:
        async for key in redis.scan_iter("courtside:rate:*"):
            await redis.delete(key)


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    """A Valkey of the test's own, to be stopped and frozen."""
    server = Valkey(tmp_path / "valkey")
    await asyncio.to_thread(server.start)
    yield server
    server.child.send(signal.SIGCONT)
    await asyncio.to_thread(server.stop)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count exactly: on a busy machine an answer of Redis may take longer than 50 ms."""
    monkeypatch.setattr(limits, "REDIS_PATIENCE", 10.0)


async def statuses(*clients: httpx.AsyncClient, times: int, path: str = COUNTED) -> Counter[int]:
    """How often each status came, of so many requests at once, dealt out to the clients in turn."""
    answers = await asyncio.gather(*(clients[turn % len(clients)].get(path) for turn in range(times)))
    return Counter(answer.status_code for answer in answers)


def app_of(client: httpx.AsyncClient) -> Litestar:
    transport = cast("httpx.ASGITransport", client._transport)
    return cast("Litestar", transport.app)


async def bearer_of(client: httpx.AsyncClient, email: str) -> dict[str, str]:
    """The header of a new player who is logged in."""
    session = await make_player(app_of(client).state.context, email)
    return {"Authorization": f"Bearer {session.access_token}"}


async def test_two_processes_on_one_redis_let_exactly_the_limit_through(
    start_server: StartServer, settings: Settings
) -> None:
    settings = replace(settings, rate_limit_per_minute=100)
    servers = [await asyncio.to_thread(start_server, settings) for _ in range(2)]
    async with (
        httpx.AsyncClient(base_url=servers[0].url, timeout=30, limits=AT_ONCE) as one,
        httpx.AsyncClient(base_url=servers[1].url, timeout=30, limits=AT_ONCE) as other,
    ):
        assert await statuses(one, other, times=150) == {401: 100, 429: 50}


@pytest.mark.usefixtures("patient")
async def test_two_apps_on_one_redis_share_their_counters(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    settings = replace(settings, rate_limit_per_minute=100)
    one = await start_app(settings, address=address)
    other = await start_app(settings, address=address)
    assert await statuses(one, other, times=150) == {401: 100, 429: 50}


@pytest.mark.usefixtures("patient")
async def test_a_burst_does_not_open_a_connection_for_each_request(
    start_app: StartApp, settings: Settings, address: str, valkey: Valkey
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=200, redis_url=valkey.url), address=address)
    async with Redis.from_url(valkey.url) as redis:
        before = len(await redis.client_list())
        assert await statuses(client, times=150) == {401: 150}
        assert before >= limits.LANES, "opened at the start"
        assert len(await redis.client_list()) <= MOST_CONNECTIONS + 1


@pytest.mark.usefixtures("patient")
async def test_every_counter_ends_within_a_minute_and_that_of_an_accounts_wrong_passwords_within_an_hour(
    start_app: StartApp, settings: Settings, address: str, valkey_url: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=100), address=address)
    await statuses(client, times=20)
    await client.post("/api/auth/login", json={"email": "nobody@example.com", "password": "wrong-password"})
    async with Redis.from_url(valkey_url) as redis:
        left = {key.decode(): await redis.ttl(key) async for key in redis.scan_iter("courtside:rate:*")}
    assert len(left) == 5, "the address as a stranger, its ceiling, the guesses, the wrong ones by address and account"
    longer = {name: seconds for name, seconds in left.items() if not 0 < seconds <= 60}
    assert [name.split("/")[0].rpartition(":")[2] for name in longer] == ["wrong"], left
    assert all(60 < seconds <= 3600 for seconds in longer.values())


@pytest.mark.usefixtures("patient")
async def test_a_refusal_says_when_to_come_back_and_each_answer_what_is_left(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=3), address=address)
    left = [(await client.get(COUNTED)).headers["ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = await client.get(COUNTED)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["ratelimit-limit"] == "3"
    assert answer.headers["ratelimit-remaining"] == "0"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["retry-after"] == answer.headers["ratelimit-reset"]
    assert answer.headers["x-request-id"]


@pytest.mark.usefixtures("patient")
async def test_health_documentation_page_and_preflights_are_not_counted(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=1), address=address)
    for path in ("/health/live", "/docs", "/schema/openapi.json"):
        assert await statuses(client, times=3, path=path) == {200: 3}
    assert 429 not in await statuses(client, times=3, path="/")
    assert (await client.options(COUNTED)).status_code == 204
    assert await statuses(client, times=2) == {401: 1, 429: 1}


async def test_zero_switches_all_limiting_off_and_asks_redis_for_nothing(
    start_app: StartApp, settings: Settings, address: str, valkey: Valkey
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=0, redis_url=valkey.url), address=address)
    answer = await client.get(COUNTED)
    assert "ratelimit-limit" not in answer.headers
    for _ in range(20):
        answer = await client.post(
            "/api/auth/login", json={"email": "nobody@example.com", "password": "wrong-password"}
        )
        assert answer.status_code == 401
    async with Redis.from_url(valkey.url) as redis:
        assert [key async for key in redis.scan_iter("courtside:rate:*")] == []


# -- people ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
async def test_users_behind_one_address_have_limits_of_their_own(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=20), address=address)
    ann, bob = [await bearer_of(client, email) for email in ("ann@example.com", "bob@example.com")]
    answers = [await client.get(COUNTED, headers=ann) for _ in range(302)]
    assert Counter(answer.status_code for answer in answers) == {200: 300, 429: 2}
    assert (await client.get(COUNTED, headers=bob)).status_code == 200
    # A stranger's own limit is untouched, but the ceiling of the address (20 × 20) is shared by all.
    assert await statuses(client, times=100) == {401: 20, 429: 80}
    assert (await client.get(COUNTED, headers=bob)).status_code == 429


@pytest.mark.usefixtures("patient")
async def test_a_user_may_try_thirty_bookings_a_minute_and_goes_on_reading(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=100), address=address)
    ann = await bearer_of(client, "ann@example.com")
    answers = [await client.post("/api/bookings", json={}, headers=ann) for _ in range(31)]
    assert Counter(answer.status_code for answer in answers) == {422: 30, 429: 1}
    assert (await client.get(COUNTED, headers=ann)).status_code == 200


@pytest.mark.usefixtures("patient")
async def test_guessing_at_one_account_is_limited_and_others_may_log_in(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=100), address=address)

    async def guess(email: str) -> int:
        body = {"email": email, "password": "wrong-password"}
        return (await client.post("/api/auth/login", json=body)).status_code

    assert [await guess("ann@example.com") for _ in range(11)] == [401] * 10 + [429]
    assert await guess("ANN@example.com") == 429
    assert await guess("bob@example.com") == 401


@pytest.mark.usefixtures("patient")
async def test_a_flood_with_broken_tokens_is_counted(start_app: StartApp, settings: Settings, address: str) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=5), address=address)
    answers = [await client.get(COUNTED, headers={"Authorization": f"Bearer {turn}"}) for turn in range(7)]
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 2}


# -- Redis away --------------------------------------------------------------------------------------------


async def test_without_redis_each_process_counts_for_itself(
    start_app: StartApp, settings: Settings, address: str
) -> None:
    settings = replace(settings, rate_limit_per_minute=100, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    client = await start_app(settings, address=address)
    assert await statuses(client, times=150) == {401: 100, 429: 50}


async def test_a_frozen_redis_costs_the_first_requests_a_moment_and_the_others_nothing(
    start_app: StartApp, settings: Settings, address: str, valkey: Valkey
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=100, redis_url=valkey.url), address=address)
    assert await statuses(client, times=10) == {401: 10}
    guarded = cast("GuardedRedis", app_of(client).state.context.redis)

    valkey.child.send(signal.SIGSTOP)
    began = time.perf_counter()
    for _ in range(4):
        assert (await client.get(COUNTED)).status_code == 401
    assert guarded.breaker.is_open
    assert time.perf_counter() - began < 1, "one request waited 50 ms"
    began = time.perf_counter()
    assert await statuses(client, times=146) == {401: 96, 429: 50}
    assert time.perf_counter() - began < 1

    valkey.child.send(signal.SIGCONT)

    async def is_back() -> bool:
        return not guarded.breaker.is_open

    await eventually(is_back)
    # Counted by Redis again, which knows of the first ten and of those that were on their way when it froze.
    left = int((await client.get(COUNTED)).headers["ratelimit-remaining"])
    assert 80 <= left <= 89


async def test_redis_that_restarts_is_used_again(
    start_app: StartApp, settings: Settings, address: str, valkey: Valkey
) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=100, redis_url=valkey.url), address=address)
    await client.get(COUNTED)
    await asyncio.to_thread(valkey.stop)
    assert (await client.get(COUNTED)).status_code == 401
    guarded = cast("GuardedRedis", app_of(client).state.context.redis)
    assert guarded.breaker.is_open
    await asyncio.to_thread(valkey.start)

    async def is_back() -> bool:
        return not guarded.breaker.is_open

    await eventually(is_back)
    assert await guarded.ping()


async def test_counters_of_a_process_begin_a_new_window_after_a_minute_and_stay_bounded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr("limits.aio.storage.memory.time", SimpleNamespace(time=lambda: now))
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now))
    monkeypatch.setattr(limits, "MOST_COUNTERS", 50)
    client = create_redis(replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    limiter = RateLimiter(client)
    window = Window(RateLimitItemPerMinute(2), "10.0.0.1")
    assert [(await limiter.count([window]))[0].is_over for _ in range(3)] == [False, False, True]
    now += 59
    assert (await limiter.count([window]))[0].left_seconds == 1
    now += 1
    assert (await limiter.count([window]))[0].used == 1
    for host in range(200):
        await limiter.count([Window(window.item, f"10.0.1.{host}")])
    assert len(limiter._local.storage) <= 51
    await client.aclose()


async def test_those_that_leave_do_not_take_the_others_along(settings: Settings, address: str) -> None:
    client = create_redis(settings)
    limiter = RateLimiter(client)
    window = Window(RateLimitItemPerMinute(100), address)
    tasks = [asyncio.create_task(limiter.count([window])) for _ in range(20)]
    await asyncio.sleep(0)  # all have begun to wait
    for task in tasks[::2]:
        task.cancel()
    counts = await asyncio.gather(*tasks[1::2])
    assert [count.used for (count,) in counts] == list(range(2, 21, 2))
    await client.aclose()


# -- whose request it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # nobody we trust says so
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.9, 198.51.100.1", "198.51.100.1"),  # what the client made up stands on the left
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_a_trusted_proxy_says_for_whom_it_asks(peer: str, forwarded: str | None, client: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = cast("Scope", {"type": "http", "client": (peer, 1234), "headers": headers})
    assert client_address(scope, (ip_network("10.0.0.0/8"),)) == client


@pytest.mark.usefixtures("patient")
async def test_an_ipv6_customer_is_counted_by_his_network(start_app: StartApp, settings: Settings) -> None:
    network = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    client = await start_app(replace(settings, rate_limit_per_minute=2), address=f"{network}::1")
    async with client_of(app_of(client), address=f"{network}::2") as neighbour:
        assert (await statuses(client, neighbour, times=4))[429] == 2
