"""Bookings a second over HTTP, full logic, against one plain transaction for each booking by pgbench."""

from __future__ import annotations

from tests.bench.clubs import BIG, BIG_COURTS, DAYS, PLAYERS, club_of, players_of, require_truths
from tests.bench.parts import CONNECTIONS, Booker, Pace
from tests.bench.pgbench import Reference
from tests.bench.report import Report
from tests.bench.stack import Stack


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Both sides by turns on one Postgres, each on a copy of the same database; which goes first changes."""
    figure = report.compare("bookings", f"HTTP, {CONNECTIONS} connections", "pgbench, 32 clients", "/s", at_least=0.5)
    strict = report.compare("bookings, strictly", "the same", "pgbench, pipelined in one trip", "/s")
    stack.copy("bookings")
    reference = Reference.on(stack, "reference")
    with stack.serving("bookings") as server:
        booker = Booker(stack, server, club_of(server, BIG), players_of(server, PLAYERS))
        booker.warm_up(pace.warm_up)
        if pace.warm_up:
            reference.run(pace.warm_up)
        for number in range(pace.rounds):
            if number % 2:
                plain, piped = reference.run(pace.seconds), reference.run(pace.seconds, in_one_trip=True)
                outcome, cost = booker.load(pace.seconds)
            else:
                outcome, cost = booker.load(pace.seconds)
                plain, piped = reference.run(pace.seconds), reference.run(pace.seconds, in_one_trip=True)
            rate = booker.confirmed_rate(outcome)
            figure.add(rate, plain.per_second, **cost.extras(), p50_ms=outcome.p50_ms, p99_ms=outcome.p99_ms)
            strict.add(rate, piped.per_second)
        report.say(f"bookings: {PLAYERS} accounts, {BIG_COURTS} courts × {DAYS} days, fsync on for both sides")
        share = booker.confirmed / booker.sent
        report.require(share >= 0.95, f"bookings: {share:.2%} of {booker.sent:,} answers were 201")
        require_truths(report, "bookings", server, BIG, booker.confirmed)
