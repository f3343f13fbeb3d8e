"""Rate limits: counted in Redis for all processes together, in this process alone while Redis is away.

A window begins with its first request and lasts a minute. A stranger counts against the address that the request
comes from, a user against the account, and everybody against a wide ceiling per address, since a club's wifi is
one address. Logging in and its like have a tighter limit per address and account, against guessing. All of a
request's windows are counted by one script in one round trip; the library `limits` takes two for each window to
know what the headers say.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

import redis.exceptions
from litestar import Litestar, Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from server.domain.errors import RateLimited
from server.live.redis import GuardedRedis
from server.settings import Settings

WINDOW = 60
"""Seconds."""
PER_USER = 300
BOOKINGS_PER_USER = 30
CEILING = 20
"""The ceiling of an address is this many times the limit of a stranger."""
GUESSES = 10
"""Tries a minute at one account from one address, for routes that take a password or send mail."""
REDIS_PATIENCE = 0.05
"""Seconds that a request waits for its counters before it is counted in this process."""
MOST_AT_ONCE = 500
"""Requests counted by one call."""

EXEMPT = ("/health/", "/metrics", "/docs", "/schema", "/assets/")

_COUNT = """
local answer = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    left = tonumber(ARGV[1])
  end
  answer[2 * i - 1] = count
  answer[2 * i] = left
end
return answer
"""


class Window(NamedTuple):
    """What one request counts against."""

    key: str
    limit: int


class Count(NamedTuple):
    """How a window stands after this request: its limit, the requests so far, milliseconds until it ends."""

    limit: int
    used: int
    left_ms: int

    @property
    def is_over(self) -> bool:
        return self.used > self.limit

    @property
    def left_seconds(self) -> int:
        return max(1, -(-self.left_ms // 1000))


class LocalCounters:
    """The counters of this process, while Redis is away. Bounded: it starts afresh when too many came by."""

    MOST = 100_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    def count(self, windows: list[Window]) -> list[Count]:
        now = self._clock()
        if len(self._counts) > self.MOST:
            self._counts = {key: value for key, value in self._counts.items() if value[1] > now}
            if len(self._counts) > self.MOST:
                self._counts.clear()
        counted = []
        for window in windows:
            count, ends = self._counts.get(window.key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + WINDOW
            self._counts[window.key] = (count + 1, ends)
            counted.append(Count(window.limit, count + 1, int((ends - now) * 1000)))
        return counted


class RateLimiter:
    """Counts requests. One per process, made in the app's lifespan.

    Requests that wait at the same time are counted together, by one call over one connection: a burst of 150 that
    each opened a connection took longer than `REDIS_PATIENCE` (measured).
    """

    def __init__(self, client: GuardedRedis, prefix: str = "courtside:rate") -> None:
        self._redis = client.hurried(REDIS_PATIENCE)
        self._script = self._redis.register_script(_COUNT)
        self._local = LocalCounters()
        self._prefix = prefix
        self._waiting: list[tuple[list[Window], asyncio.Future[list[Count]]]] = []
        self._counting: asyncio.Task[None] | None = None

    async def count(self, windows: list[Window]) -> list[Count]:
        """Count one request against all of the windows."""
        counted: asyncio.Future[list[Count]] = asyncio.get_running_loop().create_future()
        self._waiting.append((windows, counted))
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count_waiting())
        return await counted

    async def _count_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            counts = iter(await self._count([window for windows, _ in batch for window in windows]))
            for windows, counted in batch:
                result = [next(counts) for _ in windows]
                if not counted.done():  # whoever waited may have left
                    counted.set_result(result)

    async def _count(self, windows: list[Window]) -> list[Count]:
        try:
            keys = [f"{self._prefix}:{window.key}" for window in windows]
            answer = await self._script(keys=keys, args=[WINDOW * 1000])
        except redis.exceptions.RedisError:
            return self._local.count(windows)
        return [Count(window.limit, answer[2 * index], answer[2 * index + 1]) for index, window in enumerate(windows)]


class LimitsMiddleware:
    """Counts, adds the RateLimit headers, and answers 429. Stands after `IdentityMiddleware`.

    Not installed at all when RATE_LIMIT_PER_MINUTE is 0.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._anonymous = settings.rate_limit_per_minute
        self._ceiling = settings.rate_limit_per_minute * CEILING
        self._proxies = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["type"] != ScopeType.HTTP or scope["method"] == "OPTIONS" or path.startswith(EXEMPT):
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
        address = _subject(client_address(scope, self._proxies))
        identity = scope["state"].get("identity")
        windows = [Window(f"ip:{address}", self._ceiling)]
        path = scope["path"]
        if identity is None:
            windows.append(Window(f"anon:{address}", self._anonymous))
        else:
            windows.append(Window(f"user:{identity.user_id}", PER_USER))
            if path == "/api/bookings" and scope["method"] == "POST":
                windows.append(Window(f"book:{identity.user_id}", BOOKINGS_PER_USER))
        return windows


async def limit_guesses(request: Request[Any, Any, Any], account: str) -> None:
    """Count a try at `account` (an e-mail address) from this client; `RateLimited` after ten in a minute.

    For the handlers of login, register, forgot and their like, once the body is decoded. The address is hashed:
    Redis holds no personal data. Does nothing while limiting is switched off.
    """
    limiter: RateLimiter | None = request.app.state.rate_limiter
    if limiter is None:
        return
    settings = request.app.state.context.settings
    whom = hashlib.sha256(account.strip().lower().encode()).hexdigest()[:32]
    address = _subject(client_address(request.scope, settings.trusted_proxies))
    counts = await limiter.count([Window(f"guess:{request.scope['path']}:{address}:{whom}", GUESSES)])
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


@lru_cache(maxsize=4096)
def _subject(address: str) -> str:
    """Whom an address stands for: an IPv6 customer has a whole /64 to change addresses in."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv4Address):
        return address
    return str(ip.ipv4_mapped or ip_network((int(ip) >> 64 << 64, 64)))


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
        "RateLimit-Policy": f"{count.limit};w={WINDOW}",
    }


def _refusal(counts: list[Count], headers: dict[str, str]) -> RateLimited:
    wait = max(count.left_seconds for count in counts if count.is_over)
    return RateLimited(headers={**headers, "Retry-After": str(wait)})
