"""Whatever is lost, late, twice or out of order: every watcher ends with the newest committed version of each row.

The hub's rooms and watchers against a database that is a dictionary and the client of docs/live-protocol.md. Nothing
runs by itself here: readings, news, telling (watcher by watcher), stalled sockets and resumes come in an order that
Hypothesis makes up.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.catalogue import Catalogue
from server.domain.grid import DayState, Use, row_of
from server.live import hub as hub_module
from server.live.feed import News
from server.live.frames import WINDOW_BITS, Frame
from server.live.hub import Hub, Wish
from server.live.rooms import Room
from server.live.watcher import Straight, Watcher
from tests.domain.builders import club, court
from tests.house import DAY
from tests.live.crowd import frames_in
from tests.live.sample import sample_day

Day = sample_day()
COURTS = (1, 2, 3)
CLUB = 1
MORNING = datetime(2031, 5, 15, 6, tzinfo=UTC)


def inflated(payload: bytes) -> bytes:
    return zlib.decompressobj(wbits=-WINDOW_BITS).decompress(payload + b"\0\0\xff\xff")


class Wire:
    """A `Pipe` that ends in a client; `writable` is what the machine makes it.

    One that `offers` to be written to straight may be, for as long as it is writable and its client is there.
    """

    def __init__(self, *, offers: bool = False, deflates: bool = False) -> None:
        self.day = Day("riverside", str(DAY))
        self.offers = offers
        self.deflates = deflates
        self.writable = True
        self.stalled_since: float | None = None
        self.change: Any = lambda _: None
        self.pings: list[dict[str, str]] = []
        self._sent, self._begun = 0, b""

    @property
    def straight(self) -> Straight | None:
        return Straight(self._send, self._take_rest, self.deflates) if self.offers and self.writable else None

    def on_change(self, call: Any) -> None:
        self.change = call

    def put(self, frame: Frame) -> bool:
        if self.writable:
            self.write(frame)
        return self.writable

    def write(self, frame: Frame) -> None:
        for text in frame.texts:
            self._hear(text)

    def _send(self, data: bytes) -> int:
        """Take by turns all, half and nothing of it."""
        assert self.writable, "written to straight while it must be asked"
        assert not self._begun, "the rest was forgotten"
        self._sent += 1
        if self._sent % 3 == 0:
            raise BlockingIOError
        if self._sent % 3 == 1:
            self._take(data)
            return len(data)
        self._begun = data[: len(data) // 2]
        return len(self._begun)

    def _take_rest(self, data: bytes) -> None:
        begun, self._begun = self._begun, b""
        self._take(begun + data)

    def _take(self, data: bytes) -> None:
        begin = 0
        for payload, end in frames_in(data):
            compressed = data[begin] & 0x40
            self._hear(inflated(payload) if compressed else payload)
            begin = end

    def _hear(self, text: bytes) -> None:
        message = json.loads(text)
        if message["t"] in ("snap", "row"):
            self.day.take(message)
        elif message["t"] == "ping":
            self.pings.append(message["digest"])

    def close(self, code: int, reason: str) -> None:
        raise AssertionError("nobody is to be closed here")

    def abort(self) -> None:
        raise AssertionError("nobody is to be cut off here")


class Database:
    """What is committed. Every row that ever was is kept, by its history."""

    def __init__(self) -> None:
        self.epoch, self.config, self.number = "e1", 1, 1
        self.courts: tuple[int, ...] = COURTS
        self.versions = dict.fromkeys(COURTS, 0)
        self.refs = dict.fromkeys(COURTS, "")
        self.backup: Any = None
        self.rows: dict[tuple[str, int, int], Any] = {}
        self.news: list[News] = []
        self._remember()

    def commit(self, number: int) -> None:
        self.number += 1
        self.versions = {**self.versions, number: self.versions[number] + 1}
        self.refs = {**self.refs, number: f"ref{self.number}"}
        self._remember()
        _, state = self.read()
        row = row_of(self._catalogue(), self._catalogue().court_by_id[number], state) if number in self.courts else None
        self.news.append(News(CLUB, DAY, self.epoch, self.config, [] if row is None else [row]))

    def reconfigure(self, courts: tuple[int, ...]) -> None:
        self.config += 1
        self.courts = courts

    def back_up(self) -> None:
        self.backup = (self.config, self.courts, self.versions, self.refs)

    def restore(self) -> None:
        self.number += 1
        self.epoch = f"e{self.number}"
        self.config, self.courts, self.versions, self.refs = self.backup
        self._remember()

    def read(self) -> tuple[Catalogue, DayState]:
        uses: dict[int, tuple[Use, ...]] = {
            number: (Use(ref, "booked", MORNING, MORNING + timedelta(hours=1), 1, None, None),) if ref else ()
            for number, ref in self.refs.items()
        }
        state = DayState(
            club_id=CLUB, day=DAY, epoch=self.epoch, config_version=self.config, versions=self.versions, uses=uses,
            total=sum(self.versions.values()),
        )  # fmt: skip
        return self._catalogue(), state

    def fresh(self) -> dict[int, tuple[int, str]]:
        return {number: (self.versions[number], self.refs[number]) for number in self.courts}

    def _catalogue(self) -> Catalogue:
        courts = tuple(court(number, resource_id=number, units=(number,)) for number in self.courts)
        return club(epoch=self.epoch, config_version=self.config, courts=courts)

    def _remember(self) -> None:
        for number in COURTS:
            self.rows[self.epoch, number, self.versions[number]] = self.refs[number]


def as_known(rows: dict[int, Any]) -> dict[int, tuple[int, str]]:
    return {number: (row["v"], "".join(cell["ref"] for cell in row["cells"])) for number, row in rows.items()}


class World:
    """One club-day, three clients, and what may happen. Each happening takes a number, of which it makes what it needs."""

    def __init__(self) -> None:
        self.database = Database()
        self.hub = Hub(self._never)
        self.room = self.hub.rooms[CLUB, DAY] = Room((CLUB, DAY))
        self.read: list[tuple[Catalogue, DayState]] = []
        self.telling: Coroutine[Any, Any, None] | None = None
        self.wires = [Wire(), Wire(offers=True), Wire(offers=True, deflates=True)]
        self.watchers: list[Watcher | None] = [None] * 3
        for number in range(3):
            self.one_leaves_or_comes_back(number)

    async def _never(self, *_: Any) -> Any:
        raise AssertionError("readings are delivered by hand")

    # -- the club --------------------------------------------------------------------------------------------

    def somebody_books(self, number: int) -> None:
        self.database.commit(COURTS[number % 3])

    def staff_change_the_courts(self, number: int) -> None:
        self.database.reconfigure(COURTS if number % 2 else COURTS[:2])

    def somebody_makes_a_backup(self, _: int) -> None:
        self.database.back_up()

    def the_backup_is_restored(self, _: int) -> None:
        if self.database.backup is not None:
            self.database.restore()
            self.read.clear()

    # -- what the hub hears ----------------------------------------------------------------------------------

    def postgres_is_asked_and_answers(self, _: int) -> None:
        self._learn(*self.database.read())

    def postgres_is_asked(self, _: int) -> None:
        self.read.append(self.database.read())

    def an_answer_of_postgres_comes(self, number: int) -> None:
        """Of one history in any order."""
        if self.read:
            self._learn(*self.read[number % len(self.read)])

    def some_news_come_through_redis(self, number: int) -> None:
        if self.database.news:
            self.hub.hear(self.database.news[-1 - number % len(self.database.news)])

    def _learn(self, catalogue: Catalogue, state: DayState) -> None:
        self.room.learn(catalogue, state)
        self.hub._tell_soon(self.room)

    # -- what the hub tells ----------------------------------------------------------------------------------

    def it_tells_one_more_watcher(self, _: int = 0) -> None:
        if self.telling is None:
            self.telling = self._tell()
        try:
            self.telling.send(None)
        except StopIteration:
            self.telling = None

    def it_tells_everybody(self, _: int = 0) -> None:
        while self.telling is not None or self.hub._untold:
            self.it_tells_one_more_watcher()

    async def _tell(self) -> None:
        untold, self.hub._untold = self.hub._untold, {}
        for room in untold:
            await self.hub._tell(room)

    # -- who watches -----------------------------------------------------------------------------------------

    def one_leaves_or_comes_back(self, number: int) -> None:
        """With what it has; who comes back is told what Postgres says now."""
        number %= 3
        watcher, wire = self.watchers[number], self.wires[number]
        if watcher is not None:
            self.hub.leave(watcher)
            self.hub.rooms[self.room.key] = self.room  # kept, as if others watched
            self.watchers[number] = None
            return
        wire.writable = True
        watcher = self.watchers[number] = Watcher(wire)
        self.hub.enter(watcher)
        self._learn(*self.database.read())
        topic = wire.day.topic()
        have = {int(court): version for court, version in topic["have"].items()} if "have" in topic else None
        self.hub._seat(watcher, self.room, Wish(self.room.key, topic.get("epoch"), have))

    def one_asks_for_all_of_it(self, number: int) -> None:
        watcher = self.watchers[number % 3]
        if watcher is not None:
            self._learn(*self.database.read())
            self.hub._seat(watcher, self.room, Wish(self.room.key))

    def one_stalls_or_reads_on(self, number: int) -> None:
        wire = self.wires[number % 3]
        wire.writable = not wire.writable
        if self.watchers[number % 3] is not None:
            wire.change(0.0 if wire.writable else None)

    # -- what must hold --------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nobody sees a row that never was, or half a day; and a ping describes what was written before it."""
        for watcher, wire in zip(self.watchers, self.wires, strict=True):
            for number, (version, ref) in as_known(wire.day.rows).items():
                assert self.database.rows[wire.day.epoch, number, version] == ref
            assert tuple(sorted(wire.day.rows)) in (COURTS[:2], COURTS)
            if watcher is not None and wire.writable:
                watcher.ping()
                assert not wire.day.is_off(wire.pings.pop())
                assert wire.day.mismatches == 0

    def check_the_end(self) -> None:
        """When all sockets drain and Postgres is asked once more, everybody has what it says."""
        for wire in self.wires:
            wire.writable = True
            wire.change(0.0)
        self._learn(*self.database.read())
        self.it_tells_everybody()
        for watcher, wire in zip(self.watchers, self.wires, strict=True):
            if watcher is not None:
                assert as_known(wire.day.rows) == self.database.fresh()
                watcher.ping()
                assert f"riverside/{DAY}" in wire.pings[-1]
                assert not wire.day.is_off(wire.pings[-1])
                assert wire.day.mismatches == 0


OFTEN: list[Callable[[World, int], None]] = [
    World.somebody_books,
    World.postgres_is_asked,
    World.an_answer_of_postgres_comes,
    World.some_news_come_through_redis,
    World.it_tells_one_more_watcher,
    World.it_tells_everybody,
    World.one_leaves_or_comes_back,
    World.one_stalls_or_reads_on,
]
SELDOM: list[Callable[[World, int], None]] = [
    World.staff_change_the_courts,
    World.somebody_makes_a_backup,
    World.the_backup_is_restored,
    World.postgres_is_asked_and_answers,
    World.one_asks_for_all_of_it,
]


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling may be overtaken by whatever happens after each single watcher."""
    monkeypatch.setattr(hub_module, "WRITES_AT_A_TIME", 1)


@pytest.mark.usefixtures("one_at_a_time")
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    happenings=st.lists(
        st.tuples(st.sampled_from([*OFTEN, *OFTEN, *SELDOM]), st.integers(0, 11)), min_size=50, max_size=100
    )
)
def test_every_watcher_ends_with_the_newest_rows_whatever_order_things_come_in(
    happenings: list[tuple[Callable[[World, int], None], int]],
) -> None:
    world = World()
    for happens, number in happenings:
        happens(world, number)
        world.check()
    world.check_the_end()


@pytest.mark.usefixtures("one_at_a_time")
def test_a_socket_that_drains_while_another_epoch_is_told_gets_the_whole_day_and_no_row_alone() -> None:
    world = World()
    world.one_stalls_or_reads_on(2)
    world.somebody_makes_a_backup(0)
    world.somebody_books(0)
    world.postgres_is_asked_and_answers(0)
    world.it_tells_everybody()
    world.the_backup_is_restored(0)
    world.postgres_is_asked_and_answers(0)
    world.it_tells_one_more_watcher()
    world.one_stalls_or_reads_on(2)
    world.check()
    world.check_the_end()


@pytest.mark.usefixtures("one_at_a_time")
def test_rows_that_are_being_told_when_the_epoch_changes_do_not_follow_the_new_snap() -> None:
    world = World()
    world.somebody_makes_a_backup(0)
    world.somebody_books(0)
    world.postgres_is_asked_and_answers(0)
    world.it_tells_one_more_watcher()
    world.the_backup_is_restored(0)
    world.one_asks_for_all_of_it(1)
    world.it_tells_one_more_watcher()
    world.check()
    world.check_the_end()
