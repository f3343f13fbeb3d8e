"""A watched club-day: the newest rows that this process knows, and who watches them.

What is kept is state, not a log: a newer version of a row replaces an older one, an equal or older is dropped. So
duplicates, reordering and loss followed by something newer are harmless, from wherever the rows come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from server.domain.catalogue import Catalogue
from server.domain.grid import DayState, Row, digest_of, open_of, row_of
from server.live.frames import Frame, frame_of
from server.live.protocol import RowChanged, Snap

if TYPE_CHECKING:
    from server.live.watcher import Watcher

Key = tuple[int, date]
"""Club id and local day."""


class Lane(NamedTuple):
    """Some watchers who are written to alike."""

    watchers: list[Watcher]
    sends: list[Callable[[bytes], int]]
    """Their ways out (`Straight`), in the same order; none where each must be asked."""
    writes: list[Callable[[bytes], None]]
    deflates: bool = False

    def tell(self, news: Frame) -> None:
        """Write news to all of them. Here the time of the live grid goes: some 2.5 µs for each, nearly all the kernel's."""
        data = news.deflated if self.deflates else news.plain
        whole = len(data)
        for number, send in enumerate(self.sends):  # with the watchers beside them 5,000 would not stay in the cache
            try:
                sent = send(data)
            except OSError:  # full or broken; the transport finds out which
                sent = 0
            if sent != whole:
                self.writes[number](data[sent:])

    def parts(self, size: int) -> Iterator[Lane]:
        """The same in parts of so many."""
        for at in range(0, len(self.watchers), size):
            to = at + size
            yield Lane(self.watchers[at:to], self.sends[at:to], self.writes[at:to], self.deflates)


class Room:
    """One club-day and its watchers."""

    __slots__ = (
        "_digest",
        "_lanes",
        "_row_frames",
        "_snap_frame",
        "catalogue",
        "changed",
        "key",
        "renewed",
        "rows",
        "state",
        "telling",
        "watchers",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.catalogue: Catalogue | None = None
        self.state: DayState | None = None
        """The last reading from Postgres; `rows` may be ahead of it. None until the first."""
        self.rows: dict[int, Row] = {}
        """Court number → row."""
        self.watchers: dict[Watcher, None] = {}
        self.changed: set[int] = set()
        """Courts whose rows are still to be told."""
        self.renewed = False
        """Everybody is to get a full snap: another epoch or configuration."""
        self.telling = False
        self._row_frames: dict[int, Frame] = {}
        self._snap_frame: Frame | None = None
        self._digest: str | None = None
        self._lanes: list[Lane] | None = None

    @property
    def name(self) -> str:
        """The topic's name in digests."""
        return f"{self.reading[0].slug}/{self.key[1]}"

    @property
    def reading(self) -> tuple[Catalogue, DayState]:
        """The last reading. Raises `LookupError` before the first; nobody has joined then."""
        if self.catalogue is None or self.state is None:
            raise LookupError("nothing was read yet")
        return self.catalogue, self.state

    @property
    def settled(self) -> bool:
        """Whether everything known has been told to every watcher that could be written to."""
        return not (self.changed or self.renewed or self.telling)

    # -- watchers ----------------------------------------------------------------------------------------

    def enter(self, watcher: Watcher) -> None:
        """Somebody watches."""
        self.watchers[watcher] = None
        self.disturb()

    def leave(self, watcher: Watcher) -> None:
        """Somebody watches no longer."""
        self.watchers.pop(watcher, None)
        self.disturb()

    # -- learning ----------------------------------------------------------------------------------------

    def learn(self, catalogue: Catalogue, state: DayState) -> list[Row]:
        """Take over a reading from Postgres; the rows that are news."""
        known = self.state
        if state is known and catalogue is self.catalogue:
            return []
        same_history = known is not None and known.epoch == state.epoch
        if known is not None and same_history and state.config_version < known.config_version:
            return []  # a reading that was overtaken
        renewed = known is None or not same_history or known.config_version != state.config_version
        news: list[Row] = []
        rows: dict[int, Row] = {}
        for court in catalogue.courts:
            old = self.rows.get(court.id) if same_history else None
            version = state.versions.get(court.resource_id, 0)
            if old is not None and (old.v > version or (old.v == version and not renewed)):
                rows[court.id] = old
                continue
            row = rows[court.id] = row_of(catalogue, court, state)
            if old is None or old.v != version:
                news.append(row)
        self.catalogue, self.state, self.rows = catalogue, state, rows
        if renewed:
            self._row_frames.clear()
            self._snap_frame = self._digest = None
            self.renewed = known is not None
            self.changed.clear()
            for watcher in self.watchers:
                if self in watcher.owed:
                    watcher.owe(self, None)  # rows of another epoch alone would be taken for the whole day
        else:
            self._note(news)
        return news

    def hear(self, epoch: str, config: int, rows: Iterable[Row]) -> bool:
        """Take over rows that another process read. False if they are of another epoch or configuration, or nothing
        was read yet: then Postgres must be asked."""
        if self.state is None or (epoch, config) != (self.state.epoch, self.state.config_version):
            return False
        news = [row for row in rows if row.court in self.rows and row.v > self.rows[row.court].v]
        for row in news:
            self.rows[row.court] = row
        self._note(news)
        return True

    def _note(self, news: Iterable[Row]) -> None:
        for row in news:
            self.changed.add(row.court)
            self._row_frames.pop(row.court, None)
            self._snap_frame = self._digest = None

    # -- telling -----------------------------------------------------------------------------------------

    def lanes(self, size: int) -> list[Lane]:
        """All watchers, sorted by how they are written to, in lanes of so many at most.

        Sorted anew only when one of them has come, gone, stalled or gone on: to look at each of them for each row
        costs a quarter of all that a delivery costs.
        """
        if self._lanes is None:
            plain, deflating, others = Lane([], [], []), Lane([], [], [], deflates=True), Lane([], [], [])
            for watcher in self.watchers:
                straight = None if watcher.owed else watcher.pipe.straight
                if straight is None:
                    others.watchers.append(watcher)
                    continue
                lane = deflating if straight.deflates else plain
                lane.watchers.append(watcher)
                lane.sends.append(straight.send)
                lane.writes.append(straight.write)
            self._lanes = [part for lane in (plain, deflating, others) for part in lane.parts(size)]
        return self._lanes

    def are_straight(self, lanes: list[Lane]) -> bool:
        """Whether these lanes still hold."""
        return self._lanes is lanes

    def disturb(self) -> None:
        """Forget the lanes: one of the watchers is to be looked at again."""
        self._lanes = None

    def row_frame(self, court: int) -> Frame:
        """The frame of a court's row as it is now."""
        frame = self._row_frames.get(court)
        if frame is None:
            catalogue, state = self.reading
            message = RowChanged(club=catalogue.slug, date=self.key[1], epoch=state.epoch, row=self.rows[court])
            frame = self._row_frames[court] = frame_of(message)
        return frame

    def snap_frame(self) -> Frame:
        """The frame of the whole day."""
        if self._snap_frame is None:
            self._snap_frame = frame_of(self._snap(list(self.rows.values()), full=True))
        return self._snap_frame

    def resume_frame(self, epoch: str | None, have: Mapping[int, int] | None) -> Frame:
        """What somebody needs who has these versions of that epoch."""
        if have is None or epoch != self.reading[1].epoch or have.keys() - self.rows.keys():
            return self.snap_frame()  # of another history; or a court is gone, which only a full snap tells
        return frame_of(self._snap([row for row in self.rows.values() if have.get(row.court) != row.v], full=False))

    def digest(self) -> str:
        """The digest of all rows."""
        if self._digest is None:
            epoch = self.reading[1].epoch
            self._digest = digest_of(epoch, ((row.court, row.v) for row in self.rows.values()))
        return self._digest

    def _snap(self, rows: list[Row], *, full: bool) -> Snap:
        catalogue, state = self.reading
        return Snap(
            club=catalogue.slug,
            date=self.key[1],
            epoch=state.epoch,
            config=state.config_version,
            open=open_of(catalogue, self.key[1]),
            full=full,
            rows=rows,
        )
