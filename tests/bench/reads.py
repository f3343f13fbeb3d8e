"""Grid and availability with bookings mixed in, against a handler of the same app that does nothing."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import cycle
from typing import NamedTuple

import uvloop

from tests.bench.client import Connection, connect
from tests.bench.clubs import (
    HOURS,
    PLAYERS,
    SMALL,
    Club,
    Players,
    Slot,
    booking_request,
    club_of,
    get_request,
    players_of,
    require_truths,
    truths_of,
)
from tests.bench.load import Outcome, replay
from tests.bench.parts import CONNECTIONS, Cost, Pace, costed
from tests.bench.report import Report
from tests.bench.stack import PROCESSES, Server, Stack

NOTHING = "/health/live"
"""What a handler answers that does nothing. It is asked by the players who read, so that the handler is what differs: the
layers before it cost less for whoever shows no token."""
EVERY = 20
"""One request of so many is a booking."""
MIXED_DAYS = 14
"""Reads and bookings go to the same days, a fortnight at a time; more where bookings would fill them."""
FASTEST = 10_000
"""Requests a second for which the days must suffice."""
CHECKS_PAUSE = 0.1
"""Seconds between two checks of what the reads say; a check is three requests."""


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Reads of several processes, then of one: on a machine of two cores two processes that do nothing have both for
    themselves, while reads and bookings share them with Postgres."""
    for processes in (PROCESSES, 1):
        _compare(stack, pace, report, processes)
    report.say(f"reads: a club of the demo's size, {MIXED_DAYS} days or more at a time, {PLAYERS} accounts")


def _compare(stack: Stack, pace: Pace, report: Report, processes: int) -> None:
    """No-op, grid and availability by turns; what the reads say is checked meanwhile."""
    served = f"{processes} processes" if processes > 1 else "1 process"
    mixed, nothing = f"200s, 1 in {EVERY} requests a booking", f"no-op handler ({NOTHING})"
    grid = report.compare(f"GET /api/grid, {served}", mixed, nothing, "/s", at_least=0.6)
    availability = report.compare(f"GET /api/availability, {served}", mixed, nothing, "/s", at_least=0.3)
    alike = report.compare(f"GET /api/grid, {served}", mixed, "no-op handler, the same bookings between", "/s")
    name = f"reads{processes}"
    stack.copy(name)
    with stack.serving(name, processes=processes) as server:
        reader = Reader(stack, server, club_of(server, SMALL), players_of(server, PLAYERS))

        def noop() -> Outcome:
            idle = reader.idle()
            return replay(server.host, server.port, idle, connections=CONNECTIONS, seconds=pace.seconds)

        if pace.warm_up:
            noop()
            reader.load("grid", pace.warm_up)
            reader.load("availability", pace.warm_up)
        checked = 0
        for _ in range(pace.rounds):
            before = noop()
            samples = {path: reader.load(path, pace.seconds) for path in ("grid", "availability", NOTHING)}
            for path, figure in (("grid", grid), ("availability", availability)):
                sample = samples[path]
                figure.add(
                    sample.rate,
                    before.rate,
                    **sample.cost.extras(),
                    p99_ms=sample.outcome.p99_ms,
                    bytes_each=sample.outcome.received / max(1, sample.outcome.requests),
                    bookings_per_second=sample.bookings / sample.outcome.seconds,
                )
            alike.add(samples["grid"].rate, samples[NOTHING].rate, **samples[NOTHING].cost.extras())
            checked += sum(sample.checked for sample in samples.values())
        report.require(
            not reader.lies and checked > 0,
            f"reads, {served}: {checked} times a booking was on the grid and out of the availability that were asked for "
            f"after its 201, from other connections{''.join(f'; {lie}' for lie in reader.lies[:5])}",
        )
        require_truths(report, f"reads, {served}", server, SMALL)


class Sample(NamedTuple):
    """One load of reads with bookings mixed in."""

    outcome: Outcome
    cost: Cost
    reads: int
    """Answers 200."""
    bookings: int
    checked: int

    @property
    def rate(self) -> float:
        """Answers 200 a second."""
        return self.reads / self.outcome.seconds


class Reader:
    """Reads a club's days while they fill up, load by load, each on days that nobody has touched."""

    def __init__(self, stack: Stack, server: Server, club: Club, players: Players) -> None:
        self._stack = stack
        self._server = server
        self._club = club
        self._players = players
        self._first = 0
        self.lies: list[str] = []

    def idle(self) -> list[bytes]:
        """Requests for `NOTHING`, one of each player."""
        return [get_request(self._server, NOTHING, token) for token in self._players.all_tokens]

    def load(self, path: str, seconds: float, *, every: int = EVERY) -> Sample:
        """Read `path` (grid, availability or `NOTHING`) for so many seconds, every so-manieth request a booking; 0 for none."""
        server, club = self._server, self._club
        a_day = len(club.courts) * HOURS
        count = max(MIXED_DAYS, math.ceil(seconds * FASTEST / every / a_day)) if every else MIXED_DAYS
        checked_day, *days = club.days_of(self._first, count + 1)
        self._first += count + 1
        requests = self._requests(path, days, every)
        before = truths_of(server, club.slug).bookings
        with self._checking(checked_day) as checks:
            outcome, cost = costed(
                self._stack,
                server,
                lambda: replay(server.host, server.port, requests, connections=CONNECTIONS, seconds=seconds),
            )
        bookings = truths_of(server, club.slug).bookings - before - checks[0]
        # Statuses are not counted one by one, which would make wrk slower than for the no-op: what was refused is a
        # booking of a slot that was taken, what was booked stands in the database.
        if outcome.errors or outcome.refused * max(2, every) > outcome.requests:
            raise RuntimeError(f"Reads failed: {outcome}")
        return Sample(outcome, cost, outcome.requests - outcome.refused - bookings, bookings, checks[0])

    def _requests(self, path: str, days: list[date], every: int) -> list[bytes]:
        """As many requests as there are slots to book, times `every`; each day as often as any other."""
        hours = range(7, 23)
        slots = [Slot(court, day, hour) for hour in hours for court in self._club.courts for day in days]
        turns = cycle([Slot(0, day, hour) for hour in hours for day in days])
        requests = []
        for slot in slots:
            requests += [self._read(path, next(turns)) for _ in range((every or 2) - 1)]
            if every:
                requests.append(booking_request(self._server, slot, next(self._players.tokens)))
        return requests

    def _read(self, path: str, slot: Slot) -> bytes:
        return read_request(self._server, self._club, path, slot, next(self._players.tokens))

    @contextmanager
    def _checking(self, day: date) -> Iterator[list[int]]:
        """Meanwhile book one slot after another of a day, and see that whoever asks then is told of it."""
        ended, checks = threading.Event(), [0]
        slots = [Slot(court, day, hour) for hour in range(7, 23) for court in self._club.courts]

        async def check_all() -> None:
            connections = await connect(self._server.host, self._server.port, 8)
            token = self._players.all_tokens[0]
            for number, slot in enumerate(slots):
                if ended.is_set():
                    break
                book, grid, free = (connections[(number + step) % len(connections)] for step in (0, 3, 6))
                answer = await book.request(booking_request(self._server, slot, token))
                if answer.status != 201:
                    self.lies.append(f"{slot} was not to be had: {answer.status}")
                    continue
                if lie := await self._lie(grid, free, slot, token):
                    self.lies.append(lie)
                checks[0] += 1
                await asyncio.sleep(CHECKS_PAUSE)
            for connection in connections:
                connection.close()

        trouble: list[BaseException] = []

        def work() -> None:
            try:
                uvloop.run(check_all())
            except BaseException as error:  # noqa: BLE001 - told to the thread that waits
                trouble.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield checks
        finally:
            ended.set()
            thread.join()
        if trouble:
            raise trouble[0]

    async def _lie(self, grid: Connection, free: Connection, slot: Slot, token: str) -> str:
        """What an answer says that is not so; empty if there is nothing."""
        shown, offered = await asyncio.gather(
            grid.request(read_request(self._server, self._club, "grid", slot, token)),
            free.request(read_request(self._server, self._club, "availability", slot, token)),
        )
        if shown.status != 200 or offered.status != 200:
            return f"grid {shown.status}, availability {offered.status}"
        row = next(row for row in json.loads(shown.body)["rows"] if row["court"] == slot.court)
        if not any(cell["s"].startswith(slot.start) for cell in row["cells"]):
            return f"{slot} is booked and not on the grid"
        if any(court["id"] == slot.court for court in json.loads(offered.body)["courts"]):
            return f"{slot} is booked and offered as free"
        return ""


def read_request(server: Server, club: Club, path: str, slot: Slot, token: str) -> bytes:
    """GET of the grid of a slot's day, of what is free in its hour, or of `NOTHING`."""
    if path == NOTHING:
        return get_request(server, path, token)
    if path == "grid":
        return get_request(server, f"/api/grid?club={club.slug}&date={slot.day}", token)
    return get_request(server, f"/api/availability?club={club.slug}&start_ts={slot.start}&end_ts={slot.end}", token)
