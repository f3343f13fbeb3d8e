"""Waking the worker: after a commit that put work into the outbox, through arq, without ever waiting for Redis.

A wake-up is a hint. The worker finds the row in Postgres, and finds it a little later when the hint is lost.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from server.settings import Settings

QUEUE = "courtside:queue"
JOB = "drain_outbox"
JOB_EXPIRES = 60
"""Seconds. The job's id is its name, so that one is queued at most; a lost one must not stand in the way for long."""
INTERVAL = 0.25
TIMEOUT = 0.25
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0

serialize = msgspec.msgpack.Encoder().encode
deserialize = msgspec.msgpack.Decoder().decode

log = structlog.get_logger(__name__)


def arq_client(settings: Settings, *, timeout: float, connections: int) -> ArqRedis:
    """arq's client of REDIS_URL; each read and each connect may take `timeout` seconds. Nothing is connected yet."""
    pool = ConnectionPool.from_url(
        settings.redis_url, socket_timeout=timeout, socket_connect_timeout=timeout, max_connections=connections
    )
    return ArqRedis(pool_or_conn=pool, job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE)


class Waker:
    """Wakes the worker, at most once in `INTERVAL` seconds. One for each process that commits work."""

    def __init__(self, settings: Settings) -> None:
        self._redis = arq_client(settings, timeout=TIMEOUT, connections=1)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._pause = FIRST_PAUSE
        self._away_until = 0.0

    def wake(self) -> None:
        """Have the worker look into the outbox soon. Returns at once, whatever state Redis is in."""
        self._wanted.set()

    async def start(self) -> None:
        """Begin to pass wake-ups on; those from before are passed on too."""
        self._stopping = False
        self._task = asyncio.get_running_loop().create_task(self._pass_on())

    async def stop(self) -> None:
        """Stop passing wake-ups on, and let the connection go."""
        if self._task is not None:
            # redis-py loses a cancellation that meets a call (63 of 600 tried), and the task would live on.
            self._stopping = True
            self._wanted.set()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._redis.connection_pool.disconnect()

    async def _pass_on(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._wanted.wait()
            if self._stopping:
                return
            self._wanted.clear()
            if clock() >= self._away_until:
                try:
                    async with asyncio.timeout(TIMEOUT):
                        await self._redis.enqueue_job(JOB, _job_id=JOB, _expires=JOB_EXPIRES)
                    self._pause = FIRST_PAUSE
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("wake_up_lost", error=f"{type(error).__name__}: {error}", pause=self._pause)
                    self._away_until = clock() + self._pause
                    self._pause = min(self._pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(INTERVAL)
