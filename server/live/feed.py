"""News between processes, by way of Redis: a wake-up path and nothing more.

Nobody waits for Redis: what goes out is put into a bounded queue in which newer replaces older, and a task of its own
sends it. What comes in comes through one subscription, which is watched by a heartbeat of our own (redis-py's health
check proves nothing, and on a frozen server it waits for ever). Whenever the subscription is new, something may have
been missed: `on_gap` is called, and the hub reads Postgres.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import msgspec
import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

from server.domain.grid import Row
from server.live.people import Concerns
from server.live.redis import CALL_TIMEOUT, create_redis
from server.metrics import FEED_LAG
from server.settings import Settings

if TYPE_CHECKING:
    from server.live.rooms import Room

log = structlog.get_logger(__name__)

HEARTBEAT = 1.0
MISSED = 3.5
"""Seconds without hearing our own heartbeat after which the subscription is dead."""
PAUSE = 0.5
LONGEST_PAUSE = 2.0
TICK = 0.02
"""Seconds between two messages: under a storm of bookings news are merged rather than sent one by one."""
MOST_WAITING = 2000
"""Club-days and people whose news wait for Redis; what is dropped is repaired by whoever reads again by itself."""
MOST_AT_ONCE = 200


class News(msgspec.Struct, frozen=True):
    """Rows of a club-day as somebody read them after a commit; without rows: something changed, read it. Without a
    day: the club's hours, courts or rules changed, which is about every day."""

    club: int
    day: date | None = None
    epoch: str = ""
    config: int = 0
    rows: list[Row] = []

    @classmethod
    def of(cls, room: Room, rows: list[Row]) -> Self:
        """These rows of a room; none of them: that it must be read."""
        if room.state is None or not rows:
            return cls(*room.key)
        return cls(*room.key, room.state.epoch, room.state.config_version, rows)


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    origin: str
    news: list[News] = []
    people: dict[int, list[str]] = {}
    """User id → what of theirs has changed."""
    sent: float = 0.0
    """By the clock of the process that sent it, for itself to compare."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Envelope).decode


def merged(older: News, newer: News) -> News:
    """What to send in place of both."""
    if not older.rows or not newer.rows or (older.epoch, older.config) != (newer.epoch, newer.config):
        return News(newer.club, newer.day)
    rows = {row.court: row for row in older.rows}
    for row in newer.rows:
        if row.court not in rows or rows[row.court].v < row.v:
            rows[row.court] = row
    return News(newer.club, newer.day, newer.epoch, newer.config, list(rows.values()))


class Feed:
    """Redis in and out, for one process and event loop."""

    def __init__(self, settings: Settings) -> None:
        self.works = False
        """Whether news of other processes reach us."""
        self._settings = settings
        # Pub/sub knows no databases: without this, installations that share a server would wake each other.
        database = urlsplit(settings.redis_url).path.strip("/") or "0"
        self._channel = f"courtside:grid:{database}"
        self._origin = secrets.token_hex(8)
        self._redis = create_redis(settings)
        self._waiting: OrderedDict[tuple[int, date | None], News] = OrderedDict()
        self._concerns: OrderedDict[int, set[str]] = OrderedDict()
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_news: Callable[[News], None] = lambda _: None
        self._on_people: Callable[[Concerns], None] = lambda _: None
        self._on_gap: Callable[[], None] = lambda: None
        self._heard = 0.0

    async def start(
        self, *, on_news: Callable[[News], None], on_people: Callable[[Concerns], None], on_gap: Callable[[], None]
    ) -> None:
        """Begin to listen and to send. Returns at once, whatever state Redis is in."""
        self._on_news, self._on_people, self._on_gap = on_news, on_people, on_gap
        await self.start_telling()
        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(job) for job in (self._listen(), self._beat())]

    async def start_telling(self) -> None:
        """Begin to send and not to listen: for a process that commits and in which nobody watches, as a worker does."""
        self._tasks = [asyncio.get_running_loop().create_task(self._send())]

    async def stop(self) -> None:
        """Stop, and let the connections go."""
        pending = set(self._tasks)
        while pending:  # once is not enough: redis-py swallows a cancellation that comes while it connects (tried)
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)
        await self._redis.aclose()

    def tell(self, news: News) -> None:
        """Have other processes told. Never waits."""
        key = (news.club, news.day)
        older = self._waiting.pop(key, None)
        self._waiting[key] = news if older is None else merged(older, news)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._wanted.set()

    def tell_people(self, concerns: Concerns) -> None:
        """Have people whose sockets are in other processes told what of theirs has changed. Never waits."""
        for user_id, what in concerns.items():
            self._concerns.setdefault(user_id, set()).update(what)
            if len(self._concerns) > MOST_WAITING:
                self._concerns.popitem(last=False)
            self._wanted.set()

    # -- out ---------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting or self._concerns:
                batch = [self._waiting.popitem(last=False)[1] for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
                named = [self._concerns.popitem(last=False) for _ in range(min(len(self._concerns), MOST_AT_ONCE))]
                people = {user_id: sorted(what) for user_id, what in named}
                if not await self._publish(_Envelope(self._origin, batch, people)):
                    # Kept for when it is back, each merged with what came meanwhile.
                    for news in batch:
                        newer = self._waiting.pop((news.club, news.day), None)
                        self.tell(news if newer is None else merged(news, newer))
                    self.tell_people(people)
                    await asyncio.sleep(PAUSE)
                await asyncio.sleep(TICK)

    async def _beat(self) -> None:
        while True:
            await self._publish(_Envelope(self._origin, sent=asyncio.get_running_loop().time()))
            await asyncio.sleep(HEARTBEAT)

    async def _publish(self, envelope: _Envelope) -> bool:
        try:
            await self._redis.publish(self._channel, _encode(envelope))
        except (RedisError, OSError):
            return False
        except Exception:
            # Whatever goes wrong in the client once: without its heartbeat this process would be deaf for ever.
            log.exception("feed_failed")
            return False
        return True

    # -- in ----------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Subscribe, and again whenever the subscription ends, for ever."""
        pause = PAUSE
        told = False
        while True:
            try:
                await self._subscribe()
            except (RedisError, OSError) as error:  # a TimeoutError is an OSError
                reason = f"{type(error).__name__}: {error}"
            except Exception:
                log.exception("feed_failed")
                reason = "see above"
            else:
                reason = "the subscription ended"
            if self.works:
                self.works = told = False
                pause = PAUSE
            if not told:
                log.warning("feed_away", error=reason)
                told = True
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def _subscribe(self) -> None:
        """One subscription, until it fails."""
        clock = asyncio.get_running_loop().time
        pool = ConnectionPool.from_url(
            self._settings.redis_url, socket_timeout=CALL_TIMEOUT, socket_connect_timeout=CALL_TIMEOUT
        )
        pubsub = Redis(connection_pool=pool).pubsub()
        try:
            async with asyncio.timeout(2 * CALL_TIMEOUT):
                await pubsub.subscribe(self._channel)
            self._heard = clock()
            while clock() - self._heard < MISSED:
                message = await pubsub.get_message(timeout=HEARTBEAT)
                if message is not None:
                    self._take(message, clock())
            raise TimeoutError("our own heartbeat is not heard")
        finally:
            with suppress(RedisError, OSError):
                async with asyncio.timeout(CALL_TIMEOUT):
                    await pubsub.aclose()  # type: ignore[no-untyped-call] # redis-py
            with suppress(RedisError, OSError):
                await pool.disconnect()

    def _take(self, message: dict[str, Any], now: float) -> None:
        if message["type"] == "subscribe":
            # Also redis-py's own reconnecting ends here: whatever was published meanwhile is lost.
            if not self.works:
                log.info("feed_works")
            self.works = True
            self._on_gap()
            return
        if message["type"] != "message":
            return
        try:
            envelope = _decode(message["data"])
        except msgspec.MsgspecError:
            return  # of another release; anti-entropy has what it says
        if envelope.origin == self._origin:
            self._heard = now
            if envelope.sent:
                FEED_LAG.observe(max(0.0, now - envelope.sent))
            return
        for news in envelope.news:
            self._on_news(news)
        self._on_people(envelope.people)
