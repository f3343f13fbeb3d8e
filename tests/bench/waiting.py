"""From a cancellation to the promoted booking on a watcher's grid, with many in line, beside a plain booking."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from queue import Queue
from statistics import median
from typing import Any

import asyncpg
import httpx
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

from server.embedded.process import Child
from server.live.protocol import SUBPROTOCOL
from server.usecases.tokens import read_access_token
from tests.bench.clubs import BIG, OPENS, Club, Slot, club_of, players_of
from tests.bench.load import percentile
from tests.bench.parts import Pace
from tests.bench.report import Report
from tests.bench.stack import PROGRAM, Server, Stack

LONGEST_MS = 500.0
PATIENCE = 30.0
BOOKED = """
SELECT id, user_id FROM bookings WHERE court_id = $1 AND status = 'confirmed'
    AND start_ts = ($2::date + make_interval(hours => $3)) AT TIME ZONE 'Europe/London'
"""


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """All wait for one hour; each promotion is given up again, so that the next one follows."""
    figure = report.compare(
        f"to a watcher's grid with {pace.waiting} in line, p99", "a promotion after a cancellation", "a booking", "ms"
    )
    stack.copy("waiting")
    with stack.serving("waiting") as server, _worker(stack, "waiting"):
        club = club_of(server, BIG)
        tokens = players_of(server, pace.waiting + pace.rounds * pace.promotions + 2).all_tokens
        day = club.first_day
        wanted = Slot(club.courts[0], day, OPENS)
        with httpx.Client(base_url=server.address, timeout=PATIENCE) as client, _watching(server, day) as watcher:
            _ask(client, tokens[0], "/api/bookings", wanted)
            for token in tokens[1:]:
                _ask(client, token, "/api/waitlist", wanted, auto_book=True)
            tokens_of = {
                read_access_token(server.settings, token.encode(), datetime.now(UTC)).user_id: token for token in tokens
            }
            others = _other_slots(club, day)
            slowest: list[float] = []
            booking, owner = asyncio.run(_booked(server, wanted))
            _promote(client, watcher, wanted, booking, tokens_of[owner])  # the worker is there now
            for _ in range(pace.rounds):
                promoted, booked = [], []
                for _ in range(pace.promotions):
                    booking, owner = asyncio.run(_booked(server, wanted))
                    promoted.append(_promote(client, watcher, wanted, booking, tokens_of[owner]))
                    other = next(others)
                    booked.append(_book(client, watcher, other, tokens[0]))
                slowest += promoted
                figure.add(percentile(promoted, 99), percentile(booked, 99))
        p99 = percentile(slowest, 99)
        report.say(
            f"waiting: p99 from a cancellation to the promoted booking on a grid over {len(slowest)}: {p99:.0f} ms "
            f"(goal ≤ {LONGEST_MS:.0f} ms: {'met' if p99 <= LONGEST_MS else 'missed'}), p50 {median(slowest):.0f} ms"
        )
        left, confirmed = asyncio.run(_left(server, wanted))
        given = pace.rounds * pace.promotions + 1
        report.require(
            (left, confirmed) == (len(tokens) - 1 - given, 1),
            f"waiting: {given} promotions, {left} still in line, {confirmed} booking of that hour",
        )


@contextmanager
def _worker(stack: Stack, database: str) -> Iterator[None]:
    child = Child(
        [*PROGRAM, "worker"],
        env=stack.environment(database),
        cwd=stack.home,
        log=stack.home / f"worker-{database}.log",
        death_signal=signal.SIGTERM,
    )
    try:
        yield
    finally:
        child.stop(signal.SIGTERM)


# -- what is asked ------------------------------------------------------------------------------------------


def _ask(client: httpx.Client, token: str, path: str, slot: Slot | None = None, **more: Any) -> None:
    body = {"court_id": slot.court, "start_ts": slot.start, "end_ts": slot.end, **more} if slot else None
    answer = client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
    if answer.is_error:
        raise RuntimeError(f"{path} was answered {answer.status_code} {answer.text}")


def _promote(client: httpx.Client, watcher: Watcher, slot: Slot, booking: str, token: str) -> float:
    """Give a booking up; milliseconds until another one is on the grid."""
    before = watcher.ref_at(slot)
    begun = time.perf_counter()
    _ask(client, token, f"/api/bookings/{booking}/cancel")
    return (watcher.until(slot, other_than=before) - begun) * 1000


def _book(client: httpx.Client, watcher: Watcher, slot: Slot, token: str) -> float:
    """Book; milliseconds until it is on the grid."""
    begun = time.perf_counter()
    _ask(client, token, "/api/bookings", slot)
    return (watcher.until(slot, other_than=None) - begun) * 1000


def _other_slots(club: Club, day: date) -> Iterator[Slot]:
    """Hours of the same day on other courts."""
    return (Slot(court, day, OPENS + hour) for hour in range(16) for court in club.courts[1:])


# -- what is seen -------------------------------------------------------------------------------------------


class Watcher:
    """One who watches the day; notes when each row came."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._rows: Queue[tuple[float, dict[str, Any]]] = Queue()
        self._booked: dict[tuple[int, str], str] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for said in self._socket:
            at, message = time.perf_counter(), json.loads(said)
            if message["t"] == "ping":
                self._socket.send('{"t":"pong"}')
            elif message["t"] == "row":
                self._rows.put((at, message["row"]))

    def ref_at(self, slot: Slot) -> str | None:
        """The booking that was seen at a slot."""
        while not self._rows.empty():
            self._note(self._rows.get()[1])
        return self._booked.get((slot.court, slot.start[:16]))

    def until(self, slot: Slot, *, other_than: str | None) -> float:
        """When another booking was seen at a slot."""
        while True:
            at, row = self._rows.get(timeout=PATIENCE)
            self._note(row)
            if self._booked.get((slot.court, slot.start[:16]), other_than) != other_than:
                return at

    def _note(self, row: dict[str, Any]) -> None:
        court = row["court"]
        self._booked = {place: ref for place, ref in self._booked.items() if place[0] != court}
        for cell in row["cells"]:
            if cell["k"] == "booked":
                self._booked[court, cell["s"][:16]] = cell["ref"]


@contextmanager
def _watching(server: Server, day: date) -> Iterator[Watcher]:
    with connect(
        f"ws://{server.host}:{server.port}/ws/grid", subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None
    ) as socket:
        socket.send(json.dumps({"t": "hello", "topics": [{"club": BIG, "date": str(day)}]}))
        yield Watcher(socket)


# -- what is true -------------------------------------------------------------------------------------------


async def _read(server: Server, statement: str, *arguments: Any) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(server.database_url)
    try:
        rows: list[asyncpg.Record] = await conn.fetch(statement, *arguments)
    finally:
        await conn.close()
    return rows


async def _booked(server: Server, slot: Slot) -> tuple[str, int]:
    """The booking of a slot and whose it is."""
    (row,) = await _read(server, BOOKED, slot.court, slot.day, slot.hour)
    return str(row["id"]), row["user_id"]


async def _left(server: Server, slot: Slot) -> tuple[int, int]:
    """How many still wait, and how many bookings of the slot stand."""
    (row,) = await _read(server, "SELECT count(*) AS left FROM waitlist_entries")
    return row["left"], len(await _read(server, BOOKED, slot.court, slot.day, slot.hour))
