"""What the parts share: how long they take, and a load whose cost is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.bench.clubs import Club, Players, booking_requests
from tests.bench.load import Outcome, replay
from tests.bench.report import Report
from tests.bench.stack import Server, Stack

CONNECTIONS = 32


@dataclass(frozen=True)
class Pace:
    """How long and how often. Quick is for trying the benchmark, not for its numbers."""

    rounds: int
    seconds: float
    warm_up: float
    """Seconds before the first sample; 0 for none."""
    history: int
    """Old bookings of the large club."""
    redis_bookings: int
    """Bookings of one sample with and without Redis."""
    contended_rounds: int
    watchers: tuple[int, ...]
    """Sizes of the crowds that watch one club-day; the first is that of the real server's."""
    deliveries: int
    """Rows × watchers of one sample."""
    live_bookings: int
    """Bookings of one sample under watchers."""
    mails: int
    """Mails of one sample."""
    waiting: int
    """Entries that wait while promotions are timed."""
    promotions: int
    """Promotions of one sample."""


THOROUGH = Pace(
    rounds=5,
    seconds=5,
    warm_up=3,
    history=1_000_000,
    redis_bookings=6000,
    contended_rounds=15,
    watchers=(1000, 5000),
    deliveries=300_000,
    live_bookings=60,
    mails=1000,
    waiting=200,
    promotions=60,
)
QUICK = Pace(
    rounds=1,
    seconds=0.3,
    warm_up=0,
    history=5_000,
    redis_bookings=400,
    contended_rounds=2,
    watchers=(60, 120),
    deliveries=1_200,
    live_bookings=4,
    mails=40,
    waiting=10,
    promotions=3,
)


class Part(NamedTuple):
    """One part of the benchmark."""

    run: Callable[[Stack, Pace, Report], None]
    about: str


class Cost(NamedTuple):
    """What a load cost on the side of the server, and how much memory the server's processes held then."""

    server_us: float
    """Processor time of the server's processes for one answer."""
    postgres_us: float
    memory_mib: float

    def extras(self) -> dict[str, float]:
        return {
            "server CPU µs/request": self.server_us,
            "Postgres CPU µs/request": self.postgres_us,
            "server MiB": self.memory_mib,
        }


def costed(stack: Stack, server: Server, load: Callable[[], Outcome]) -> tuple[Outcome, Cost]:
    """Run a load, and see what it cost."""
    before, postgres_before = server.usage(), stack.postgres_usage()
    outcome = load()
    after, postgres_after = server.usage(), stack.postgres_usage()
    microseconds = 1e6 / max(1, outcome.requests)
    return outcome, Cost(
        (after.processor - before.processor) * microseconds,
        (postgres_after.processor - postgres_before.processor) * microseconds,
        after.memory / 2**20,
    )


class Booker:
    """Books a club's slots one after another, load by load."""

    def __init__(self, stack: Stack, server: Server, club: Club, players: Players) -> None:
        self._stack = stack
        self._server = server
        self._club = club
        self._players = players
        self._fastest = 4000.0  # requests a second, a guess that the first load corrects
        self.sent = self.confirmed = 0

    def load(self, seconds: float) -> tuple[Outcome, Cost]:
        """Book for so many seconds. Only what was answered 201 counts as a request of the outcome's rate.

        Raises RuntimeError for an answer that is neither 201 nor a taken slot, and for a club that is too small.
        """
        club, server = self._club, self._server
        count = min(int(self._fastest * seconds * 1.5) + 200, club.size - club.walked)
        requests = booking_requests(server, club, self._players, count)
        outcome, cost = costed(
            self._stack,
            server,
            lambda: replay(server.host, server.port, requests, connections=CONNECTIONS, seconds=seconds, statuses=True),
        )
        if outcome.errors or set(outcome.statuses) - {201, 409}:
            raise RuntimeError(f"Bookings were answered with {outcome.statuses}, and {outcome.errors} not at all.")
        club.walked += min(count, outcome.requests + 2 * CONNECTIONS)
        self.sent += outcome.requests
        self.confirmed += outcome.statuses.get(201, 0)
        self._fastest = max(self._fastest, outcome.rate)
        return outcome, cost

    def warm_up(self, seconds: float) -> None:
        """Book without counting it as a sample."""
        if seconds:
            self.load(seconds)

    def confirmed_rate(self, outcome: Outcome) -> float:
        """Bookings a second of a load."""
        return outcome.statuses.get(201, 0) / outcome.seconds
