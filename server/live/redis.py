"""The Redis client: every call has a deadline, and a circuit breaker keeps a dead server from costing time.

redis-py alone waits for ever on a frozen server (tried). Whoever uses the client treats `redis.RedisError` as
"Redis is away" and goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import redis.exceptions
import structlog
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis

from server.metrics import REDIS_CALL, REDIS_FAILURES
from server.settings import Settings

CALL_TIMEOUT = 0.25
"""Seconds that one command may take, connecting included."""
TICKS = 5
"""A deadline is so many ticks of our loop's own timer: when the loop is late, that is one tick and not Redis's fault."""
PROBE_INTERVAL = 0.5
MOST_CONNECTIONS = 16
"""Of one process. A command waits for one rather than that each of a burst opens its own."""

log = structlog.get_logger(__name__)


class RedisAway(redis.exceptions.ConnectionError):
    """Redis is away."""


class Breaker:
    """Open from the first call that fails until the server answers a probe, which is asked at once and then steadily.

    So a frozen server costs one deadline, and a false alarm (our own loop was late) a round trip.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        self.is_open = False
        self._probe = probe
        self._probing: asyncio.Task[None] | None = None

    def trip(self) -> None:
        REDIS_FAILURES.inc()
        if not self.is_open:
            self.is_open = True
            self._probing = asyncio.get_running_loop().create_task(self._until_it_answers())

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Give what is inside so long to hear from Redis, and trip if it does not.

        Raises `redis.RedisError`: at once and with nothing sent while open, else at the deadline or sooner.
        """
        if self.is_open:
            raise RedisAway("Redis is away.")
        loop = asyncio.get_running_loop()
        asked = perf_counter()
        timer: asyncio.TimerHandle

        def tick(left: int) -> None:
            nonlocal timer
            if left:
                timer = loop.call_later(seconds / TICKS, tick, left - 1)
            else:
                deadline.reschedule(loop.time())

        try:
            async with asyncio.timeout(None) as deadline:
                timer = loop.call_later(seconds / TICKS, tick, TICKS - 1)
                try:
                    yield
                    REDIS_CALL.observe(perf_counter() - asked)
                finally:
                    timer.cancel()
        except TimeoutError:
            self.trip()
            raise redis.exceptions.TimeoutError("Redis did not answer in time.") from None
        except OSError as error:
            self.trip()
            raise RedisAway(str(error)) from error
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            self.trip()
            raise

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

    def __init__(self, *, connection_pool: ConnectionPool) -> None:
        super().__init__(connection_pool=connection_pool)
        self.breaker = Breaker(self._ping)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with self.breaker.within(CALL_TIMEOUT):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py

    async def connect(self, count: int) -> None:
        """Open so many connections, if Redis is there, so that the first burst finds them."""
        await asyncio.gather(*(self.ping() for _ in range(count)), return_exceptions=True)

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
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=MOST_CONNECTIONS,
        timeout=CALL_TIMEOUT,
        lib_name=None,  # two round trips less to connect
        lib_version=None,
        socket_timeout=CALL_TIMEOUT,
        socket_connect_timeout=CALL_TIMEOUT,
    )
    return GuardedRedis(connection_pool=pool)
