"""Bookings while Redis is stopped or frozen, against bookings while it is up."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from tests.bench.client import connect
from tests.bench.clubs import BIG, Club, booking_requests, club_of, get_request, players_of, require_truths
from tests.bench.load import Outcome, send_once
from tests.bench.parts import CONNECTIONS, Pace
from tests.bench.report import Report
from tests.bench.stack import Server, Stack

RATE_LIMIT = 1_000_000
"""So that every request counts in Redis and none is refused; a user's own limit of 30 bookings a minute stays."""
BOOKINGS_PER_PLAYER = 25
ASKED = 32
"""Connections that must all say that Redis is back: enough to reach every process."""


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Every round: up, stopped, frozen, each from the moment of the change on, so that its first requests count."""
    figures = {
        state: report.compare(
            f"Redis {state}, p99 of bookings",
            f"Redis {state}",
            f"Redis up, {CONNECTIONS} connections",
            "ms",
            at_most=1.5,
        )
        for state in ("stopped", "frozen")
    }
    stack.copy("outage")
    players = 0
    with stack.serving("outage", rate_limit=RATE_LIMIT) as server:
        club = club_of(server, BIG)

        def sample() -> Outcome:
            nonlocal players
            # Players of its own for each sample: what they booked in the last minute is counted.
            count = -(-pace.redis_bookings // BOOKINGS_PER_PLAYER)
            outcome = _book(server, club, pace.redis_bookings, skip=players, count=count)
            players += count
            return outcome

        sample()
        for number in range(pace.rounds):
            samples: dict[str, Outcome] = {}
            for state in ("up", "stopped", "frozen") if number % 2 == 0 else ("frozen", "stopped", "up"):
                _change(stack, state)
                try:
                    samples[state] = sample()
                finally:
                    _restore(stack, state)
                uvloop.run(_until_redis_is_back(server))
            for state, figure in figures.items():
                figure.add(
                    samples[state].p99_ms,
                    samples["up"].p99_ms,
                    p50_ms=samples[state].p50_ms,
                    p50_ms_up=samples["up"].p50_ms,
                    bookings_per_second=samples[state].rate,
                    bookings_per_second_up=samples["up"].rate,
                )
        report.say(f"outage: rate limiting on for this part, at {RATE_LIMIT:,} a minute, {players} accounts")
        require_truths(report, "outage", server, BIG, club.walked)


def _book(server: Server, club: Club, bookings: int, *, skip: int, count: int) -> Outcome:
    requests = booking_requests(server, club, players_of(server, count, skip), bookings)
    club.walked += bookings
    outcome = send_once(server.host, server.port, requests, connections=CONNECTIONS)
    if outcome.statuses != {201: bookings} or outcome.errors:
        raise RuntimeError(f"Bookings were answered with {outcome.statuses}, and {outcome.errors} not at all.")
    return outcome


def _change(stack: Stack, state: str) -> None:
    if state == "stopped":
        stack.valkey.stop()
    elif state == "frozen":
        stack.valkey.child.send(signal.SIGSTOP)


def _restore(stack: Stack, state: str) -> None:
    if state == "stopped":
        stack.valkey.start()
    elif state == "frozen":
        stack.valkey.child.send(signal.SIGCONT)


async def _until_redis_is_back(server: Server) -> None:
    connections = await connect(server.host, server.port, ASKED)
    ask = get_request(server, "/health/ready")
    async with asyncio.timeout(30):
        while True:
            answers = [await connection.request(ask) for connection in connections]
            if all(b'"redis":"ok"' in answer.body for answer in answers):
                break
            await asyncio.sleep(0.1)
    for connection in connections:
        connection.close()
