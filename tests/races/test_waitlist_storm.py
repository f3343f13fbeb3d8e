"""Fifty cancellations against five hundred who wait, in two server processes and two workers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from server.domain.people import Identity
from server.domain.waitlist import Entry
from server.settings import Settings
from server.sql.connection import create_pool
from server.usecases.promotion import work_off_due
from tests.house import DAY, House
from tests.races.conftest import double_bookings

DAYS = 4
HOURS = range(8, 21)


def hour_of(entry_or_booking: Entry) -> tuple[int | None, object]:
    return entry_or_booking.court_id, entry_or_booking.interval.start


async def fill(house: House, people: Sequence[Identity], rng: random.Random) -> tuple[list[object], list[Entry]]:
    """All hours of some days are taken, and about five hundred wait, each for one of them."""
    owner = people[0]
    bookings = []
    for day in range(DAYS):
        for court in house.courts:
            for hour in HOURS:
                wanted = house.wanted(
                    f"{hour:02}:00", f"{hour + 1:02}:00", day=DAY + timedelta(days=day), court_id=court
                )
                outcome = await house.bookings.book(owner, wanted, lambda _: None)
                bookings.append(outcome.booking)  # type: ignore[union-attr] # it has no key, so it is no replay
    entries = []
    # Each waits for hours of their own, so that nobody is passed over for another booking: then first come, first served.
    for who in people[1:]:
        slots = rng.sample([(day, hour) for day in range(DAYS) for hour in HOURS], 18)
        for day, hour in slots:
            entries.append(
                await house.wait(
                    who, f"{hour:02}:00", f"{hour + 1:02}:00", day=DAY + timedelta(days=day), auto_book=True,
                    court_id=rng.choice(house.courts),
                )
            )  # fmt: skip
    return bookings, entries


async def until_done(house: House, cancelled: asyncio.Event) -> None:
    """A worker: works on until all is cancelled and nothing is due."""
    while True:
        over = cancelled.is_set()
        if not await work_off_due(house.context, house.desks, limit=16) and over:
            return
        await asyncio.sleep(0)


@pytest.mark.timeout(150)  # five hundred joins come first
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_freed_hour_goes_once_to_the_first_who_waited_for_it(
    first: House, second: House, settings: Settings, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    people = [await first.player(f"p{number}@club.example") for number in range(29)]
    bookings, entries = await fill(first, people, rng)
    assert len(entries) > 500
    freed = rng.sample(bookings, 50)
    pools = [await create_pool(replace(settings, db_pool_size=4)) for _ in range(2)]
    workers = [
        House(replace(first.context, pool=pool), first.club_id, first.courts, first.coach, first.pool, first.units)
        for pool in pools
    ]
    cancelled = asyncio.Event()
    working = [asyncio.create_task(until_done(worker, cancelled)) for worker in workers]

    await asyncio.gather(
        *(
            (first if index % 2 else second).bookings.cancel(people[0], booking.id)  # type: ignore[attr-defined]
            for index, booking in enumerate(freed)
        )
    )
    cancelled.set()
    await asyncio.gather(*working)

    # The model: one hour each, so whoever came first for it has it.
    lines: dict[object, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.rank):
        lines.setdefault(hour_of(entry), entry)
    expected = {
        (b.court_id, b.interval.start, lines[b.court_id, b.interval.start].user_id)  # type: ignore[attr-defined]
        for b in freed
        if (b.court_id, b.interval.start) in lines  # type: ignore[attr-defined]
    }
    rows = await first.context.pool.fetch(
        "SELECT court_id, start_ts, user_id FROM bookings WHERE status = 'confirmed' AND user_id <> $1",
        people[0].user_id,
    )
    assert {tuple(row) for row in rows} == expected
    assert len(rows) == len(expected)
    assert await double_bookings(first) == 0
    pool = first.context.pool
    assert await pool.fetchval("SELECT count(*) FROM allocations WHERE active AND kind = 'held'") == 0
    assert await pool.fetchval("SELECT count(*) FROM waitlist_entries WHERE held_ref IS NOT NULL") == 0
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE kind = 'job.promote' AND done_at IS NULL") == 0
    for worker, own_pool in zip(workers, pools, strict=True):
        await worker.close()
        own_pool.terminate()
