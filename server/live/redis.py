"""The Redis client: every call has a deadline, and a circuit breaker keeps a dead server from costing time.

redis-py alone waits for ever on a frozen server (tried). Whoever uses the client treats `redis.RedisError` as
"Redis is away" and goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import redis.exceptions
import structlog
from redis.asyncio import ConnectionPool, Redis

from server.settings import Settings

CALL_TIMEOUT = 0.25
"""Seconds that one command may take, connecting included."""
FAILURES_TO_OPEN = 3
PROBE_INTERVAL = 0.5

log = structlog.get_logger(__name__)


class RedisAway(redis.exceptions.ConnectionError):
    """Redis is known to be away; nothing was sent."""


class Breaker:
    """Open after a refused connection or a few calls running that timed out; a probe closes it again."""

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        self.is_open = False
        self._probe = probe
        self._failures = 0
        self._probing: asyncio.Task[None] | None = None

    def worked(self) -> None:
        self._failures = 0

    def failed(self, error: BaseException) -> None:
        """Count a failure. One late answer may be our own event loop's fault, a refused connection is not."""
        self._failures += 1
        late = isinstance(error, TimeoutError | redis.exceptions.TimeoutError)
        if not self.is_open and (not late or self._failures >= FAILURES_TO_OPEN):
            self.is_open = True
            log.warning("redis_away", error=f"{type(error).__name__}: {error}")
            self._probing = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _until_it_answers(self) -> None:
        while self.is_open:
            await asyncio.sleep(PROBE_INTERVAL)
            try:
                await self._probe()
            except (redis.exceptions.RedisError, OSError, TimeoutError):
                continue
            self._failures = 0
            self.is_open = False
            log.info("redis_back")


class GuardedRedis(Redis):
    """A `Redis` whose commands raise `redis.RedisError` within their deadline, at once while the breaker is open.

    Pipelines and pub/sub do not pass through here; they have the sockets' timeout alone.
    """

    def __init__(
        self, *, connection_pool: ConnectionPool, timeout: float = CALL_TIMEOUT, breaker: Breaker | None = None
    ) -> None:
        super().__init__(connection_pool=connection_pool)
        self.timeout = timeout
        self.breaker = breaker or Breaker(self._ping)

    def hurried(self, timeout: float) -> Self:
        """The same server, connections and breaker with a shorter deadline."""
        return type(self)(connection_pool=self.connection_pool, timeout=timeout, breaker=self.breaker)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.breaker.is_open:
            raise RedisAway("Redis is away.")
        try:
            async with asyncio.timeout(self.timeout):
                answer = await super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py
        except TimeoutError as error:
            self.breaker.failed(error)
            raise redis.exceptions.TimeoutError("Redis did not answer in time.") from None
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
            self.breaker.failed(error)
            raise
        self.breaker.worked()
        return answer

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own
        """Stop probing and close every connection."""
        await self.breaker.close()
        await super().aclose(close_connection_pool)
        await self.connection_pool.disconnect()

    async def _ping(self) -> None:
        async with asyncio.timeout(CALL_TIMEOUT):
            await super().execute_command("PING")  # type: ignore[no-untyped-call] # redis-py


def create_redis(settings: Settings) -> GuardedRedis:
    """A client of `REDIS_URL`. Nothing is connected yet, so this works with Redis away."""
    pool = ConnectionPool.from_url(settings.redis_url, socket_timeout=CALL_TIMEOUT, socket_connect_timeout=CALL_TIMEOUT)
    return GuardedRedis(connection_pool=pool)
