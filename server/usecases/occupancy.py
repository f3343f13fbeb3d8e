"""What is taken on a club-day, as it is committed: the read side of bookings.

States are kept in the process and every question is checked against Postgres: waiting questions share the next
version query, and only what changed is read again. So an answer is never older than its question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.effects import Settlement
from server.domain.errors import NotFound, Unavailable
from server.domain.grid import DayState, grown
from server.domain.slots import day_interval
from server.sql import grid as sql
from server.sql.connection import Connection, acquire
from server.usecases.catalogue import Catalogues
from server.usecases.gathering import Gathering

KEPT_DAYS = 2000
"""Club-days that a process remembers; a day of a small club is some ten KiB."""
TRIES = 5

Key = tuple[int, date]


class Occupancy:
    """The states of club-days. Made once per process and event loop."""

    def __init__(self, context: Context, catalogues: Catalogues) -> None:
        self._context = context
        self._catalogues = catalogues
        self._kept: OrderedDict[Key, DayState] = OrderedDict()
        self._gathering: Gathering[Key, DayState | None] = Gathering(self._read)

    async def day(self, club_id: int, day: date) -> tuple[Catalogue, DayState]:
        """The state of a local day, never older than this call, and the configuration it belongs to.

        Raises `NotFound` for an unknown club.
        """
        catalogue, states = await self.days(club_id, [day])
        return catalogue, states[0]

    async def days(self, club_id: int, days: Sequence[date]) -> tuple[Catalogue, list[DayState]]:
        """As `day`, for several days of one club, all with the same configuration."""
        for _ in range(TRIES):
            keys = [(club_id, day) for day in days]
            if len(keys) == 1:
                found = [await self._gathering.get(keys[0])]
            else:
                found = await asyncio.gather(*(self._gathering.get(key) for key in keys))
            states = [state for state in found if state is not None]
            if len(states) < len(days):
                raise NotFound("There is no such club.", field="club")
            catalogue = self._catalogues.cached(club_id)
            if catalogue is None or catalogue.mark != states[0].mark:
                catalogue = await self._catalogues.current(club_id)
            if all(state.mark == catalogue.mark for state in states):
                return catalogue, states
        raise Unavailable("The club's settings are being changed at the moment. Try again.")

    def known(self, club_id: int, day: date) -> DayState | None:
        """What is kept of a day, however old."""
        return self._kept.get((club_id, day))

    def committed(self, club_id: int, settlement: Settlement) -> None:
        """Carry what this process has just committed over to the days that it keeps, so that they need no reading.

        A day that somebody else changed meanwhile is left as it is: the next question finds that it is old.
        """
        catalogue = self._catalogues.cached(club_id)
        if catalogue is None:
            return
        for key in {(club_id, day) for _, day in settlement.versions}:
            state = self._kept.get(key)
            after = grown(state, catalogue, settlement) if state is not None else None
            if after is not None:
                self._kept[key] = after

    async def _read(self, keys: Sequence[Key]) -> dict[Key, DayState | None]:
        states: dict[Key, DayState | None] = dict.fromkeys(keys)
        async with acquire(self._context.pool) as conn:
            # What was kept before the marks were read. What this process commits meanwhile may add as much to a sum as
            # somebody else's change that the marks have seen: the sums would be equal, and the states not.
            known = {key: self._kept.get(key) for key in keys}
            totals = {key: state.total if state is not None else -1 for key, state in known.items()}
            marks = await sql.list_marks(conn, totals)
            for key, mark in marks.items():
                state = await self._as_marked(conn, key, known[key], mark)
                if state is None:
                    continue
                states[key] = state
                if key in self._kept:
                    self._kept.move_to_end(key)
        while len(self._kept) > KEPT_DAYS:
            self._kept.popitem(last=False)
        return states

    async def _as_marked(
        self, conn: Connection, key: Key, before: DayState | None, mark: sql.DayMark
    ) -> DayState | None:
        """The state that has this mark or a later one; `before` was kept when the mark was asked for."""
        now = self._kept.get(key)
        if before is None or now is None or before.mark != now.mark or before.mark != (mark.epoch, mark.config_version):
            # Another configuration may have another zone or other units: its days are read afresh.
            now = None
        elif before.total == mark.total:
            return before
        elif now.versions == mark.versions:
            return now  # what has changed is what this process has committed meanwhile
        state = await self._fetch(conn, key, now)
        if state is not None:
            self._kept[key] = state
        return state

    async def _fetch(self, conn: Connection, key: Key, known: DayState | None) -> DayState | None:
        """The state of a club-day, cut at the midnights of the configuration that it belongs to."""
        club_id, day = key
        try:
            catalogue = self._catalogues.cached(club_id) or await self._catalogues.load(club_id, conn=conn)
            for _ in range(TRIES):
                state = await sql.fetch_day(conn, club_id, day, day_interval(day, catalogue.tz), known)
                if state is None:
                    return None
                if state.mark == catalogue.mark and (known is None or state.epoch == known.epoch):
                    return state
                known = None
                catalogue = await self._catalogues.load(club_id, conn=conn)
        except NotFound:
            return None  # retired a moment ago; others wait for the days of other clubs
        raise Unavailable("The club's settings are being changed at the moment. Try again.")
