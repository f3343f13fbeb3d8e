"""The days that a process keeps: carried on by what it commits itself, read again when somebody else changed them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from server.context import Context
from server.domain.errors import Refusal
from server.domain.grid import DayState
from server.sql import grid as sql
from server.usecases.occupancy import Occupancy
from server.usecases.wishes import Change, Wanted
from tests.house import DAY, House, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


@pytest.fixture
def days_read(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The days whose uses were read, one entry for each time."""
    read: list[date] = []
    fetch = sql.fetch_day

    async def noted(conn: Any, club_id: int, day: date, *rest: Any) -> DayState | None:
        read.append(day)
        return await fetch(conn, club_id, day, *rest)

    monkeypatch.setattr(sql, "fetch_day", noted)
    return read


async def kept(house: House, day: date = DAY) -> DayState:
    return (await house.occupancy.day(house.club_id, day))[1]


async def afresh(house: House, day: date = DAY) -> DayState:
    return (await Occupancy(house.context, house.catalogues).day(house.club_id, day))[1]


def shown(state: DayState) -> dict[str, object]:
    """What a state says; in which order a resource's uses stand means nothing, nor that it never had any."""
    return {
        "epoch": state.epoch,
        "config": state.config_version,
        "total": state.total,
        "versions": {resource: version for resource, version in state.versions.items() if version},
        "uses": {resource: sorted(uses, key=lambda use: use.ref) for resource, uses in state.uses.items() if uses},
    }


async def test_a_booking_of_this_process_is_known_without_reading_the_day_again(
    house: House, days_read: list[date]
) -> None:
    player = await house.player()
    await kept(house)
    days_read.clear()
    await house.book(player, "10:00", "11:00", coach_id=house.coach, rackets=2)
    await house.book(player, "11:00", "12:00", court_id=house.courts[1])
    known = await kept(house)
    assert days_read == []
    assert shown(known) == shown(await afresh(house))


@pytest.mark.parametrize("court", [0, 1], ids=["the same court", "another court"])
async def test_a_booking_of_another_process_is_read(house: House, days_read: list[date], court: int) -> None:
    player, other = await house.player(), house.another_process()
    await kept(house)
    await other.book(player, "10:00", "11:00")
    # Written on top of a day that this process has not seen; of another court it has the newest version.
    await house.book(player, "11:00", "12:00", court_id=house.courts[court])
    days_read.clear()
    known = await kept(house)
    assert days_read == [DAY]
    assert shown(known) == shown(await afresh(house))
    await other.close()


async def test_a_booking_of_this_process_while_a_question_runs_hides_none_of_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, other = await house.player(), house.another_process()
    await kept(house)
    await other.book(player, "10:00", "11:00")
    marks = sql.list_marks

    async def and_then_a_booking(conn: Any, known: Any) -> Any:
        seen = await marks(conn, known)
        monkeypatch.setattr(sql, "list_marks", marks)
        await house.book(player, "11:00", "12:00", court_id=house.courts[1])
        return seen

    monkeypatch.setattr(sql, "list_marks", and_then_a_booking)
    # One change of another court each: the sum that the question saw is the sum of what this process knows now.
    assert shown(await kept(house)) == shown(await afresh(house))


async def test_a_booking_of_this_process_that_a_running_question_sees_is_not_read(
    house: House, days_read: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await house.player()
    await kept(house)
    days_read.clear()
    marks = sql.list_marks

    async def after_a_booking(conn: Any, known: Any) -> Any:
        monkeypatch.setattr(sql, "list_marks", marks)
        await house.book(player, "10:00", "11:00", coach_id=house.coach, rackets=2)
        return await marks(conn, known)

    monkeypatch.setattr(sql, "list_marks", after_a_booking)
    known = await kept(house)
    assert days_read == []
    assert shown(known) == shown(await afresh(house))


async def test_a_booking_over_midnight_is_carried_to_both_days(house: House, days_read: list[date]) -> None:
    await house.context.pool.execute("UPDATE opening_hours SET closes = 1560 WHERE club_id = $1", house.club_id)
    player, tomorrow = await house.player(), DAY + timedelta(days=1)
    await kept(house)
    await kept(house, tomorrow)
    days_read.clear()
    wanted = Wanted(court_id=house.courts[0], start_ts=f"{DAY}T23:00:00", end_ts=f"{tomorrow}T00:30:00")
    await house.bookings.book(player, wanted, lambda _: None)
    known = [await kept(house, day) for day in (DAY, tomorrow)]
    assert days_read == []
    for state in known:
        assert len(state.uses[house.units[house.courts[0]]]) == 1
        assert shown(state) == shown(await afresh(house, state.day))


async def test_whatever_happens_what_is_kept_is_what_would_be_read_afresh(house: House) -> None:
    """The jewel: after each of many actions of two processes, the kept day equals the day read afresh."""
    rng = random.Random(20310515)  # noqa: S311 - no secret
    player, other = await house.player(), house.another_process()
    booked = []
    for _ in range(60):
        process = rng.choice([house, house, other])
        hour = rng.randrange(7, 22)
        action = rng.randrange(6)
        try:
            if action < 4:
                together = await asyncio.gather(
                    *(
                        process.book(
                            player, f"{hour:02}:00", f"{hour + 1:02}:00", court_id=court, rackets=rng.randrange(3)
                        )
                        for court in rng.sample(house.courts, rng.randrange(1, 3))
                    ),
                    return_exceptions=True,
                )
                booked += [one for one in together if not isinstance(one, BaseException)]
            elif booked and action == 4:
                await process.bookings.cancel(player, booked.pop(rng.randrange(len(booked))).id)
            elif booked:
                await process.bookings.move(player, rng.choice(booked).id, Change(court_id=rng.choice(house.courts)))
        except Refusal:
            pass
        if rng.random() < 0.5:
            continue  # what is kept grows over several changes
        for process in (house, other):
            assert shown(await kept(process)) == shown(await afresh(process))
    await other.close()
