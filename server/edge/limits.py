"""Rate limits: counted in Redis for all processes together, in this process alone while Redis is away.

The library `limits` counts, in fixed windows: one begins with its first request and lasts a minute. A stranger counts
against the address that the request comes from, a user against the account, and everybody against a wide ceiling per
address, since a club's wifi is one address. Logging in and its like have a tighter limit per address and account,
against guessing.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

import redis.exceptions
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from litestar import Litestar, Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from server.domain.errors import RateLimited
from server.live.redis import GuardedRedis
from server.settings import Settings, is_loopback

PER_USER = RateLimitItemPerMinute(300, namespace="user")
BOOKINGS_PER_USER = RateLimitItemPerMinute(30, namespace="book")
CEILING = 20
"""The ceiling of an address is this many times the limit of a stranger."""
GUESSES = RateLimitItemPerMinute(10, namespace="guess")
"""Tries at one account from one address, for routes that take a password or send mail."""
POLLS = RateLimitItemPerMinute(30, namespace="poll")
"""Questions about one pairing from one address; a screen that keeps to the interval needs twelve."""
REDIS_PATIENCE = 0.05
"""Seconds that a call to Redis may take before the request is counted in this process."""
LANES = 8
"""Calls of one process to Redis at once, fewer than it has connections: the limits leave some for others."""
MOST_COUNTERS = 10_000
"""Counters in this process; past that it starts afresh. `MemoryStorage` looks at all of them with each request."""

EXEMPT = ("/health/", "/metrics", "/docs", "/schema", "/assets/")


class Window(NamedTuple):
    """What one request counts against: a limit, and whom it holds for."""

    item: RateLimitItem
    whom: str


class Count(NamedTuple):
    """How a window stands after this request: its limit, the requests so far, seconds until it ends."""

    limit: int
    used: int
    left: float

    @property
    def is_over(self) -> bool:
        return self.used > self.limit

    @property
    def left_seconds(self) -> int:
        return max(1, round(self.left))


class Batch:
    """Requests that are counted against the same window by one call.

    `counting` gives the requests in the window, this batch included, and the seconds until it ends.
    """

    def __init__(self, counting: asyncio.Task[tuple[int, float]]) -> None:
        self.counting = counting
        self.size = 0


class RateLimiter:
    """Counts requests. One per process, made in the app's lifespan.

    A burst of requests that each called Redis took longer than `REDIS_PATIENCE` (measured), so those that wait for one
    of the `LANES` with the same window are counted by one call, and numbered here. That is why the counters are those
    of the library's storage: its `FixedWindowRateLimiter` says only whether a whole batch may pass.
    """

    def __init__(self, client: GuardedRedis) -> None:
        self._breaker = client.breaker
        self._shared = RedisStorage(
            "async+redis://",  # where that is, the pool knows
            implementation="redispy",
            key_prefix="courtside:rate",
            connection_pool=client.connection_pool,  # type: ignore[arg-type] # documented, but not in the type
        )
        self._local = MemoryStorage()
        self._lanes = asyncio.Semaphore(LANES)
        self._waiting: dict[str, Batch] = {}

    async def count(self, windows: list[Window]) -> list[Count]:
        """Count one request against all of the windows."""
        joined = [(window.item.amount, *self._join(window)) for window in windows]
        counts = []
        for limit, batch, turn in joined:
            used, left = await asyncio.shield(batch.counting)  # whoever waits may leave, and the others wait on
            counts.append(Count(limit, used - batch.size + turn, left))
        return counts

    async def peek(self, window: Window) -> int:
        """The requests in a window so far; counts none."""
        key = window.item.key_for(window.whom)
        try:
            async with self._breaker.within(REDIS_PATIENCE):
                return await self._shared.get(key)
        except redis.exceptions.RedisError:
            return await self._local.get(key)

    def _join(self, window: Window) -> tuple[Batch, int]:
        """Join the batch that waits with this window; gives it and the place in it."""
        key = window.item.key_for(window.whom)
        batch = self._waiting.get(key)
        if batch is None:
            counting = asyncio.create_task(self._count(key, window.item.get_expiry()))
            batch = self._waiting[key] = Batch(counting)
        batch.size += 1
        return batch, batch.size

    async def _count(self, key: str, expiry: int) -> tuple[int, float]:
        async with self._lanes:
            size = self._waiting.pop(key).size
            try:
                async with self._breaker.within(REDIS_PATIENCE):
                    used = await self._shared.incr(key, expiry, size)
                async with self._breaker.within(REDIS_PATIENCE):
                    ends = await self._shared.get_expiry(key)
            except redis.exceptions.RedisError:
                if len(self._local.storage) > MOST_COUNTERS:
                    await self._local.reset()
                used = await self._local.incr(key, expiry, size)
                ends = await self._local.get_expiry(key)
            return used, ends - time.time()


class LimitsMiddleware:
    """Counts, adds the RateLimit headers, and answers 429. Stands after `IdentityMiddleware`.

    Not installed at all when RATE_LIMIT_PER_MINUTE is 0.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._anonymous = RateLimitItemPerMinute(settings.rate_limit_per_minute, namespace="anon")
        self._ceiling = RateLimitItemPerMinute(settings.rate_limit_per_minute * CEILING, namespace="ip")
        self._proxies = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if (
            scope["type"] != ScopeType.HTTP
            or scope["method"] == "OPTIONS"
            or path.startswith(EXEMPT)
            or _is_uncounted(scope)
        ):
            await self.app(scope, receive, send)
            return
        app: Litestar = scope["litestar_app"]
        limiter: RateLimiter = app.state.rate_limiter
        counts = await limiter.count(self._windows(scope))
        tightest = min(counts, key=lambda count: count.limit - count.used)
        headers = _headers(tightest)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableScopeHeaders.from_message(message).update(headers)
            await send(message)

        if not tightest.is_over:
            await self.app(scope, receive, send_with_headers)
            return
        raise _refusal(counts, headers)

    def _windows(self, scope: HTTPScope) -> list[Window]:
        address = subject(client_address(scope, self._proxies))
        identity = scope["state"].get("identity")
        windows = [Window(self._ceiling, address)]
        path = scope["path"]
        screen = scope["state"].get("screen")
        if screen is not None:
            windows.append(Window(PER_USER, f"screen-{screen.screen_id}"))
        elif identity is None:
            windows.append(Window(self._anonymous, address))
        else:
            windows.append(Window(PER_USER, str(identity.user_id)))
            if path == "/api/bookings" and scope["method"] == "POST":
                windows.append(Window(BOOKINGS_PER_USER, str(identity.user_id)))
        return windows


async def limit_guesses(request: Request[Any, Any, Any], account: str, limit: RateLimitItem = GUESSES) -> None:
    """Count a try at `account` (an e-mail address, say) from this client; `RateLimited` after ten in a minute.

    For the handlers of login, register, forgot and their like, once the body is decoded. The address is hashed:
    Redis holds no personal data. Does nothing while limiting is switched off.
    """
    limiter: RateLimiter | None = request.app.state.rate_limiter
    if limiter is None:
        return
    settings = request.app.state.context.settings
    whom = hashlib.sha256(account.strip().lower().encode()).hexdigest()[:32]
    address = subject(client_address(request.scope, settings.trusted_proxies))
    counts = await limiter.count([Window(limit, f"{request.scope['path']}:{address}:{whom}")])
    if counts[0].is_over:
        raise _refusal(counts, {})


def client_address(scope: Scope, trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """Where the request comes from: the peer, or, while that is a trusted proxy, whom it says it speaks for.

    X-Forwarded-For is read from the right; the first address that is no trusted proxy of ours is the client.
    """
    client = scope["client"]
    address = client[0] if client else "unknown"
    if not trusted or not _is_in(address, trusted):
        return address
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for part in reversed(forwarded.decode("latin-1").split(",")):
        hop = part.strip()
        try:
            hop = str(ip_address(hop))
        except ValueError:
            break
        address = hop
        if not _is_in(hop, trusted):
            break
    return address


def is_from_here(scope: Scope, trusted: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether the request was made on this machine, to its loopback address.

    Both ends of the connection are looked at: the client's, behind trusted proxies whom they speak for, and our own,
    where it is an address (a test client gives a name).
    """
    here = scope["server"][0] if scope["server"] else ""
    try:
        ip_address(here)
    except ValueError:
        bound_here = True
    else:
        bound_here = is_loopback(here)
    return bound_here and is_loopback(client_address(scope, trusted))


@lru_cache(maxsize=4096)
def subject(address: str) -> str:
    """Whom an address stands for: an IPv6 customer has a whole /64 to change addresses in."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv4Address):
        return address
    return str(ip.ipv4_mapped or ip_network((int(ip) >> 64 << 64, 64)))


def _is_uncounted(scope: HTTPScope) -> bool:
    """Whether the handler says that its answers need no counting."""
    return bool(scope["route_handler"].opt.get("uncounted"))


def _is_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


def _headers(count: Count) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(count.limit),
        "RateLimit-Remaining": str(max(0, count.limit - count.used)),
        "RateLimit-Reset": str(count.left_seconds),
        "RateLimit-Policy": f"{count.limit};w=60",
    }


def _refusal(counts: list[Count], headers: dict[str, str]) -> RateLimited:
    wait = max(count.left_seconds for count in counts if count.is_over)
    return RateLimited(headers={**headers, "Retry-After": str(wait)})
