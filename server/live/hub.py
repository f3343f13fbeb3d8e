"""The hub: every watched club-day of this process, kept true and told to its watchers.

Postgres is the truth and is asked for each watched day after every commit that we hear of, and every few seconds
anyway (anti-entropy), so that whatever a message would have said is known soon without it. Messages of other
processes only make it sooner.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import structlog

from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound
from server.domain.grid import DayState, Row
from server.live.feed import News
from server.live.frames import frame_of, joined
from server.live.people import People
from server.live.protocol import GOING_AWAY, NO_PONG, SESSION_ENDED, TOO_SLOW, Bye
from server.live.rooms import Key, Room
from server.live.watcher import Watcher
from server.metrics import DELIVERIES, FANOUT

log = structlog.get_logger(__name__)

WRITES_AT_A_TIME = 200
"""Sockets written to before others get their turn on the loop."""
LONGEST_SPREAD = 30_000
FOR_MEMBERS = "This club's grid is for its members."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast things go, in seconds (DESIGN 5)."""

    tick: float = 0.025
    """Rows that change within one are told together."""
    reread: float = 3.0
    """Anti-entropy while the feed works."""
    reread_alone: float = 1.0
    """Anti-entropy while it does not."""
    hello: float = 10.0
    ping: float = 25.0
    stalled: float = 10.0
    """A socket that took nothing for so long is closed when it takes something again, and cut off when it does not."""
    sessions: float = 2.0
    resync: float = 5.0
    sweep: float = 1.0


class Wish(NamedTuple):
    """A club-day that somebody wants to watch, and what of it is there already."""

    key: Key
    epoch: str | None = None
    have: Mapping[int, int] | None = None


class Hub:
    """The rooms and watchers of one process and event loop.

    `read` gives a club-day never older than the call; it raises `NotFound` for a club that is gone. `publish` takes
    news for other processes and never waits. `feed_works` says whether theirs reach us.
    """

    def __init__(
        self,
        read: Callable[[int, date], Awaitable[tuple[Catalogue, DayState]]],
        *,
        publish: Callable[[News], None] = lambda _: None,
        feed_works: Callable[[], bool] = lambda: False,
        pace: Pace | None = None,
    ) -> None:
        self.pace = pace or Pace()
        self.rooms: dict[Key, Room] = {}
        self.watchers: dict[Watcher, None] = {}
        self.people = People()
        self.leaving = False
        """Whether everybody was told to go."""
        self._read_day = read
        self._publish = publish
        self._feed_works = feed_works
        self._joining: dict[Room, int] = {}
        self._stale: dict[Key, None] = {}
        self._own: set[Key] = set()
        """Days in which this process committed something that others do not know of yet."""
        self._untold: dict[Room, float] = {}
        """Rooms with news, and since when."""
        self._wanted = asyncio.Event()
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to keep what is watched true."""
        loop = asyncio.get_running_loop()
        jobs = (self._keep_reading, self._reread_all, self._keep_telling, self._sweep, self._check_sessions)
        self._tasks = [loop.create_task(_forever(job)) for job in (*jobs, self.people.keep_telling)]

    async def stop(self) -> None:
        """Say goodbye to whoever is still there, and stop."""
        self.say_bye()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- watchers ----------------------------------------------------------------------------------------

    def enter(self, watcher: Watcher) -> None:
        """Count a socket in after its hello."""
        self.watchers[watcher] = None
        self.people.enter(watcher)
        watcher.pipe.on_change(partial(self._turned, watcher))
        watcher.ping_due = time.monotonic() + self.pace.ping

    def leave(self, watcher: Watcher) -> None:
        """A socket is gone."""
        watcher.lost = True
        self.watchers.pop(watcher, None)
        self.people.leave(watcher)
        for room in list(watcher.rooms):
            self.part(watcher, room)

    def part(self, watcher: Watcher, room: Room) -> None:
        """A socket watches this no longer."""
        room.leave(watcher)
        watcher.rooms.pop(room, None)
        watcher.owed.pop(room, None)
        watcher.resyncs.pop(room, None)
        self._drop_if_empty(room)

    async def join(self, watcher: Watcher, wishes: Iterable[Wish]) -> None:
        """Have a socket watch these days and send it what it lacks of them, never older than this call.

        A day whose club is gone is refused, and one that it may not see. With the database out of reach the answer is
        what is known; raises what the database raised if nothing is.
        """
        wanted = [(wish, self._room(wish.key)) for wish in wishes]
        for _, room in wanted:
            self._joining[room] = self._joining.get(room, 0) + 1
        try:
            results = await asyncio.gather(*(self._read(room) for _, room in wanted), return_exceptions=True)
            for (wish, room), result in zip(wanted, results, strict=True):
                if isinstance(result, NotFound):
                    watcher.refuse("unknown_club", result.detail)
                elif room.state is None and isinstance(result, BaseException):
                    raise result
                elif not watcher.may_watch(room.reading[0]):
                    self._expel(watcher, room, "forbidden_topic", FOR_MEMBERS)
                elif not watcher.lost:
                    self._seat(watcher, room, wish)
        finally:
            for _, room in wanted:
                self._joining[room] -= 1
                if not self._joining[room]:
                    del self._joining[room]
                self._drop_if_empty(room)

    async def resync(self, watcher: Watcher, rooms: Iterable[Room]) -> None:
        """Send full snaps of these days, read afresh; each once in a while."""
        granted = [room for room in rooms if watcher.may_resync(room, self.pace.resync)]
        await self.join(watcher, [Wish(room.key) for room in granted])

    def say_bye(self) -> None:
        """Tell everybody to come back in a while, each at another moment, and close."""
        self.leaving = True
        spread = min(LONGEST_SPREAD, 1000 + 2 * len(self.watchers))
        for watcher in list(self.watchers):
            watcher.pipe.write(frame_of(Bye(GOING_AWAY, 200 + random.randrange(spread))))  # noqa: S311 - no secret
            watcher.pipe.close(GOING_AWAY, "going away")
            self.leave(watcher)

    def _seat(self, watcher: Watcher, room: Room, wish: Wish) -> None:
        room.enter(watcher)
        watcher.rooms[room] = None
        if watcher.owed or not watcher.pipe.writable:
            watcher.owe(room, None)
        else:
            watcher.pipe.write(room.resume_frame(wish.epoch, wish.have))

    def _room(self, key: Key) -> Room:
        room = self.rooms.get(key)
        if room is None:
            room = self.rooms[key] = Room(key)
        return room

    def _drop_if_empty(self, room: Room) -> None:
        if not room.watchers and room not in self._joining:
            self._untold.pop(room, None)
            if self.rooms.get(room.key) is room:
                del self.rooms[room.key]

    # -- news --------------------------------------------------------------------------------------------

    def committed(self, club_id: int, days: Iterable[date]) -> None:
        """This process committed changes of these days. Costs next to nothing; what is watched is read soon after."""
        for day in days:
            key = (club_id, day)
            if key in self.rooms:
                self._own.add(key)
                self.wake(key)
            else:
                self._publish(News(club_id, day))

    def reconfigured(self, club_id: int) -> None:
        """This process changed the club's hours, courts or rules."""
        self._wake_club(club_id)
        self._publish(News(club_id))

    def hear(self, news: News) -> None:
        """Another process committed something."""
        if news.day is None:
            self._wake_club(news.club)
            return
        key = (news.club, news.day)
        room = self.rooms.get(key)
        if room is None:
            return
        if news.rows and room.hear(news.epoch, news.config, news.rows):
            self._tell_soon(room)
        else:
            self.wake(key)

    def wake(self, key: Key) -> None:
        """Have a watched day read again."""
        self._stale[key] = None
        self._wanted.set()

    def _wake_club(self, club_id: int) -> None:
        for key in self.rooms:
            if key[0] == club_id:
                self.wake(key)

    def wake_all(self) -> None:
        """Have every watched day read again: something may have been missed."""
        for key in self.rooms:
            self.wake(key)

    async def _keep_reading(self) -> None:
        loop = asyncio.get_running_loop()
        failing = False
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            stale, self._stale = self._stale, {}
            own, self._own = self._own, set()
            rooms = [self.rooms[key] for key in stale if key in self.rooms]
            results = await asyncio.gather(*(self._read(room) for room in rooms), return_exceptions=True)
            failed = None
            for room, result in zip(rooms, results, strict=True):
                if isinstance(result, NotFound):
                    self._close_room(room, "unknown_club", "There is no such club.")
                elif isinstance(result, BaseException):
                    failed = result
                    # Later, by a timer: other days must not wait for this one.
                    loop.call_later(self.pace.reread_alone, self.wake, room.key)
                if room.key in own:
                    self._publish(News.of(room, [] if isinstance(result, BaseException) else result))
            for key in own - {room.key for room in rooms}:
                self._publish(News(*key))
            if failed is not None and not failing:
                log.warning("grid_unread", error=f"{type(failed).__name__}: {failed}")
            failing = failed is not None

    async def _reread_all(self) -> None:
        while True:
            await asyncio.sleep(self.pace.reread if self._feed_works() else self.pace.reread_alone)
            self.wake_all()

    async def _read(self, room: Room) -> list[Row]:
        catalogue, state = await self._read_day(*room.key)
        news = room.learn(catalogue, state)
        self._tell_soon(room)
        return news

    def _close_room(self, room: Room, code: str, detail: str) -> None:
        for watcher in list(room.watchers):
            self._expel(watcher, room, code, detail)

    def _expel(self, watcher: Watcher, room: Room, code: str, detail: str) -> None:
        slug = room.catalogue.slug if room.catalogue else None
        self.part(watcher, room)
        watcher.refuse(code, detail, club=slug, date=str(room.key[1]))

    # -- telling -----------------------------------------------------------------------------------------

    def _tell_soon(self, room: Room) -> None:
        if room.changed or room.renewed:
            self._untold.setdefault(room, time.monotonic())
            self._due.set()

    async def _keep_telling(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._due.wait()
            self._due.clear()
            began = clock()
            untold, self._untold = self._untold, {}
            for room, since in untold.items():
                await self._tell(room)
                FANOUT.observe(time.monotonic() - since)
            await asyncio.sleep(max(0.0, began + self.pace.tick - clock()))

    async def _tell(self, room: Room) -> None:
        """Write what is new in a room to all of its watchers."""
        renewed, room.renewed = room.renewed, False
        courts, room.changed = room.changed & room.rows.keys(), set()
        if not (renewed or courts):
            return
        news = room.snap_frame() if renewed else joined(room.row_frame(court) for court in sorted(courts))
        room.telling = True
        try:
            DELIVERIES.inc(len(room.watchers))
            for number, lane in enumerate(lanes := room.lanes(WRITES_AT_A_TIME)):
                if number:
                    await asyncio.sleep(0)
                    if room.renewed:
                        return  # rows of what is over must not follow the new snap, which goes to all
                if lane.sends and not renewed and room.are_straight(lanes):
                    lane.tell(news)
                    continue
                for watcher in lane.watchers:
                    if renewed and room.catalogue is not None and not watcher.may_watch(room.catalogue):
                        self._expel(watcher, room, "forbidden_topic", FOR_MEMBERS)
                    elif room in watcher.rooms:
                        watcher.tell(room, news, None if renewed else courts)
        finally:
            room.telling = False

    async def _sweep(self) -> None:
        """Ping who is due, and drop who does not answer or does not read."""
        while True:
            await asyncio.sleep(self.pace.sweep)
            now = time.monotonic()
            for number, watcher in enumerate(list(self.watchers), 1):
                self._look_after(watcher, now)
                if number % WRITES_AT_A_TIME == 0:
                    await asyncio.sleep(0)

    def _turned(self, watcher: Watcher, stalled: float | None) -> None:
        """A socket takes nothing more, or something again: what it is owed, or word that it was too slow."""
        for room in watcher.rooms:
            room.disturb()
        if watcher.lost or stalled is None:
            return
        if stalled < self.pace.stalled:
            watcher.flush()
        else:
            watcher.pipe.close(TOO_SLOW, "too slow")
            self.leave(watcher)

    def _look_after(self, watcher: Watcher, now: float) -> None:
        stalled = watcher.pipe.stalled_since
        if stalled is not None:
            if now - stalled >= self.pace.stalled:
                watcher.pipe.abort()  # a close code would wait behind what is not read
                self.leave(watcher)
        elif now >= watcher.ping_due and not watcher.lost:
            if watcher.pinged:
                watcher.pipe.close(NO_PONG, "no pong")
                self.leave(watcher)
            else:
                watcher.ping()
                watcher.ping_due = now + self.pace.ping

    async def _check_sessions(self) -> None:
        """Close the sockets of sessions that have ended, and take away what a membership gave."""
        while True:
            await asyncio.sleep(self.pace.sessions)
            for number, watcher in enumerate([watcher for watcher in self.watchers if watcher.check is not None], 1):
                if number % WRITES_AT_A_TIME == 0:
                    await asyncio.sleep(0)  # what is known of a session is asked without a pause
                if watcher.check is None or watcher.lost:
                    continue
                if not await watcher.check():
                    watcher.pipe.close(SESSION_ENDED, "session ended")
                    self.leave(watcher)
                    continue
                for room in list(watcher.rooms):
                    if room.catalogue is not None and not watcher.may_watch(room.catalogue):
                        self._expel(watcher, room, "forbidden_topic", FOR_MEMBERS)


async def _forever(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a job that never ends; what goes wrong in it once must not end the live grid."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("live_job_failed", job=getattr(job, "__name__", ""))
            await asyncio.sleep(0.5)
