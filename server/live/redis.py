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
PROBE_INTERVAL = 0.5

log = structlog.get_logger(__name__)


class RedisAway(redis.exceptions.ConnectionError):
    """Redis is known to be away; nothing was sent."""


class Breaker:
    """Open from the first call that fails until the server answers a probe, which is asked at once and then steadily.

    So a frozen server costs one deadline, and a false alarm (our own loop was late) a round trip.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        self.is_open = False
        self._probe = probe
        self._probing: asyncio.Task[None] | None = None

    def trip(self) -> None:
        if not self.is_open:
            self.is_open = True
            self._probing = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _until_it_answers(self) -> None:
        told = False
        while True:
            try:
                await self._probe()
            except (redis.exceptions.RedisError, OSError) as error:  # a TimeoutError is an OSError
                if not told:
                    log.warning("redis_away", error=f"{type(error).__name__}: {error}")
                    told = True
                await asyncio.sleep(PROBE_INTERVAL)
            else:
                self.is_open = False
                if told:
                    log.info("redis_back")
                return


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
        except TimeoutError:
            self.breaker.trip()
            raise redis.exceptions.TimeoutError("Redis did not answer in time.") from None
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            self.breaker.trip()
            raise
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
