"""A club of 60 courts with a long history, against a club of the demo's size without one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import asyncpg

from tests.bench.clubs import BIG, BIG_COURTS, HOURS, OPENS, PLAYERS, SMALL, club_of, players_of, require_truths
from tests.bench.load import Outcome
from tests.bench.parts import Booker, Pace
from tests.bench.reads import EVERY, Reader
from tests.bench.report import Comparison, Report
from tests.bench.stack import Stack

# As old as the number of bookings asks for: every court, every hour, from yesterday back.
INSERT_HISTORY = f"""
WITH players AS (SELECT array_agg(id) AS ids FROM users WHERE email LIKE '%@bench.example'),
slots AS (
    SELECT number, c.id AS court_id, c.club_id, c.resource_id, players.ids[1 + number % cardinality(players.ids)] AS user_id,
           (timezone(clubs.zone, now())::date - 1 - (number / ({BIG_COURTS} * {HOURS}))::int
            + make_interval(hours => {OPENS} + ((number / {BIG_COURTS}) % {HOURS})::int)) AT TIME ZONE clubs.zone AS start_ts
    FROM generate_series(0, $1::bigint - 1) AS number
    CROSS JOIN players
    JOIN clubs ON clubs.slug = $2
    JOIN (SELECT *, row_number() OVER (PARTITION BY club_id ORDER BY id) - 1 AS place FROM courts) c
      ON c.club_id = clubs.id AND c.place = number % {BIG_COURTS}
),
booked AS (
    INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, price_currency, price_total,
        price_lines, cancel_until, created_by, created_at)
    SELECT gen_random_uuid(), club_id, court_id, user_id, start_ts, start_ts + interval '1 hour', md5(number::text), 'GBP',
        2400, '[{{"label": "Court", "amount": 2400}}]', start_ts - interval '1 day', user_id, start_ts - interval '2 days'
    FROM slots
    RETURNING id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, created_at
),
audited AS (
    INSERT INTO audit_events (id, club_id, event_type, actor_id, payload, created_at)
    SELECT gen_random_uuid(), club_id, 'confirmed', user_id,
        jsonb_build_object('booking_id', id, 'court_id', court_id, 'user_id', user_id), created_at FROM booked
)
INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)
SELECT b.club_id, c.resource_id, true, b.id, 'booked', tstzrange(b.start_ts, b.end_ts), b.grid_ref
FROM booked b JOIN courts c ON c.id = b.court_id
"""
INSERT_DAYS = """
INSERT INTO resource_days (resource_id, day, version)
SELECT a.resource_id, timezone(clubs.zone, lower(a.during))::date, count(*)
FROM allocations a JOIN clubs ON clubs.id = a.club_id GROUP BY 1, 2
"""
# What superusers may: rows go past indexes that are not ready, and VACUUM FULL makes those anew without looking for what
# they forbid (checking a million rows by the exclusion constraint takes minutes).
FILLED = ("bookings", "allocations", "audit_events")
SET_READY = "UPDATE pg_index SET indisready = $1 WHERE indrelid = ANY ($2::text[]::regclass[])"


LOAD = 3.0
"""Seconds of one load, at most: there are six in a round."""


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Two servers on two databases, by turns. What is compared is the time that an answer takes of the machine."""
    titles = {
        "booking": "booking",
        "grid": f"grid, 1 in {EVERY} requests a booking",
        "quiet": "grid, nothing booked meanwhile",
    }
    figures = {
        key: report.compare(
            f"large club, {title}", f"60 courts, {pace.history:,} old bookings", "6 courts, none", "µs", at_most=1.3
        )
        for key, title in titles.items()
    }
    pace = replace(pace, seconds=min(pace.seconds, LOAD))
    stack.copy("small")
    seconds = asyncio.run(_make_history(stack.copy("large"), pace.history))
    report.say(f"large: {pace.history:,} old bookings, made by SQL in {seconds:.0f} s")
    with stack.serving("small") as small, stack.serving("large") as large:
        sides = []
        for server, slug in ((large, BIG), (small, SMALL)):
            players = players_of(server, PLAYERS)
            booked, read = club_of(server, slug), club_of(server, slug)
            booked.days = 330  # what is read lies behind what is booked
            read.first_day = read.days_of(booked.days, 1)[0]
            sides.append((Booker(stack, server, booked, players), Reader(stack, server, read, players)))
        for booker, reader in sides:
            booker.warm_up(pace.warm_up)
            if pace.warm_up:
                reader.load("grid", pace.warm_up)
        for number in range(pace.rounds):
            _round(sides if number % 2 == 0 else sides[::-1], figures, pace, reverse=number % 2 == 1)
        lies = [lie for _, reader in sides for lie in reader.lies]
        report.require(not lies, f"large: answers that were not true: {lies[:5]}")
        require_truths(report, "large", small, SMALL)
        require_truths(report, "large", large, BIG)


def _round(sides: list[tuple[Booker, Reader]], figures: dict[str, Comparison], pace: Pace, *, reverse: bool) -> None:
    def both(key: str, measure: list[tuple[float, dict[str, float]]]) -> None:
        (ours, extras), (reference, _) = reversed(measure) if reverse else measure
        figures[key].add(ours, reference, **extras)

    def booked(booker: Booker) -> tuple[float, dict[str, float]]:
        outcome, cost = booker.load(pace.seconds)
        return 1e6 / booker.confirmed_rate(outcome), cost.extras()

    def read(reader: Reader, every: int) -> tuple[float, dict[str, float]]:
        sample = reader.load("grid", pace.seconds, every=every)
        return _microseconds(sample.outcome), sample.cost.extras()

    both("booking", [booked(booker) for booker, _ in sides])
    both("grid", [read(reader, EVERY) for _, reader in sides])
    both("quiet", [read(reader, 0) for _, reader in sides])


def _microseconds(outcome: Outcome) -> float:
    return 1e6 / outcome.rate


async def _make_history(url: str, count: int) -> float:
    """Insert old bookings with all that belongs to them; the seconds that it took.

    Neither keys nor the exclusion constraint are looked at: they hold by construction, and at the end of the part
    `require_truths` counts overlaps among all rows.
    """
    begun = time.monotonic()
    conn = await asyncpg.connect(url, command_timeout=None)
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL session_replication_role = replica")
            await conn.execute(SET_READY, False, FILLED)
            await conn.execute(INSERT_HISTORY, count, BIG)
            await conn.execute(INSERT_DAYS)
            await conn.execute(SET_READY, True, FILLED)
        await conn.execute("SET maintenance_work_mem = '256MB'")
        for table in FILLED:
            await conn.execute(f"VACUUM FULL {table}")
        await conn.execute("VACUUM ANALYZE")
        await conn.execute("CHECKPOINT")
    finally:
        await conn.close()
    return time.monotonic() - begun
