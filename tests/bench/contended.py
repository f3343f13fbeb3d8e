"""A rush for one court-hour, against as many clients who want different ones."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import uvloop

from tests.bench.client import Answer, Connection, burst, connect
from tests.bench.clubs import (
    BIG,
    Club,
    Players,
    booking_request,
    club_of,
    get_request,
    players_of,
    problem_of,
    require_truths,
)
from tests.bench.load import percentile
from tests.bench.parts import Pace
from tests.bench.report import Report
from tests.bench.stack import Server, Stack

CLIENTS = 200


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Every round: all clients at one slot, all clients at slots of their own; which goes first changes."""
    figure = report.compare(
        "a contended slot, p99",
        f"{CLIENTS} clients at one court-hour",
        f"{CLIENTS} clients at {CLIENTS} court-hours",
        "ms",
        at_most=1.5,
    )
    stack.copy("contended")
    before = stack.postgres_says("deadlock detected")
    with stack.serving("contended") as server:
        club, players = club_of(server, BIG), players_of(server, CLIENTS)
        rounds = uvloop.run(_rounds(server, club, players, pace.contended_rounds))
        for contended, free in rounds:
            figure.add(_p99(contended), _p99(free), p50_ms=percentile([one.seconds for one in contended], 50) * 1000)
        winners = [sum(one.status == 201 for one in contended) for contended, _ in rounds]
        losers = Counter(
            f"{one.status} {problem_of(one.body)}"
            for one in chain.from_iterable(contended for contended, _ in rounds)
            if one.status != 201
        )
        others = Counter(one.status for one in chain.from_iterable(free for _, free in rounds))
        report.require(
            set(winners) == {1} and set(losers) == {"409 slot_taken"},
            f"contended: winners in each round {winners}, all others {dict(losers)}",
        )
        report.require(set(others) == {201}, f"contended: at slots of their own {dict(others)}")
        require_truths(report, "contended", server, BIG)
        deadlocks = stack.postgres_says("deadlock detected") - before
        deadlocks += server.log.read_text(errors="replace").count("deadlock detected")
        report.require(deadlocks == 0, f"contended: {deadlocks} deadlocks in the logs")


def _p99(answers: Sequence[Answer]) -> float:
    return percentile([one.seconds for one in answers], 99) * 1000


async def _rounds(server: Server, club: Club, players: Players, count: int) -> list[tuple[list[Answer], list[Answer]]]:
    connections = await connect(server.host, server.port, CLIENTS)
    # Everybody is known to the processes before it counts: a rush comes from people who look at the grid.
    await asyncio.gather(
        *[
            connection.request(get_request(server, "/api/auth/me", token))
            for connection, token in zip(connections, players.all_tokens, strict=True)
        ]
    )

    def wishes(slots: int) -> list[bytes]:
        wanted = club.next_slots(slots)
        club.walked += slots
        return [
            booking_request(server, wanted[number % slots], token) for number, token in enumerate(players.all_tokens)
        ]

    async def once(slots: int) -> list[Answer]:
        answers = await burst(connections, wishes(slots))
        await _settled(connections[0], server)
        return answers

    await once(CLIENTS)
    rounds = []
    for number in range(count):
        if number % 2:
            free, contended = await once(CLIENTS), await once(1)
        else:
            contended, free = await once(1), await once(CLIENTS)
        rounds.append((contended, free))
    for connection in connections:
        connection.close()
    return rounds


async def _settled(connection: Connection, server: Server) -> None:
    """One more request goes round, so that no sample begins in the wake of the one before."""
    await connection.request(get_request(server, "/health/live"))
