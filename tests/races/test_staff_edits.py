"""Staff change the club while somebody books: no booking that the configuration at its commit refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import pytest

from server.domain.capacity import Taken
from server.domain.catalogue import Window
from server.domain.configuration import RulePart
from server.domain.people import Identity
from server.sql import clubs
from server.sql import desk as sql
from server.sql.connection import Connection
from server.usecases import configuration
from server.usecases.courts import retire_court
from server.usecases.hours import change_week
from server.usecases.rules import create_rule
from tests.house import House
from tests.races.conftest import Meeting, Protection, refusals

Edit = Callable[[House, Identity], Awaitable[object]]


async def shorten_hours(house: House, staff: Identity) -> object:
    week = {day: [Window(7 * 60, 20 * 60)] for day in range(7)}
    return await change_week(house.catalogues, staff.user_id, house.club_id, 1, week)


async def retire_the_court(house: House, staff: Identity) -> None:
    await retire_court(house.catalogues, staff.user_id, house.courts[0], 1)


async def raise_the_price(house: House, staff: Identity) -> object:
    rule = RulePart(name="Evening", effect="override", value=9900)
    return await create_rule(house.catalogues, staff.user_id, house.club_id, rule)


EDITS = pytest.mark.parametrize(
    "edit",
    [
        pytest.param((shorten_hours, "outside_hours"), id="shorter hours"),
        pytest.param((retire_the_court, "unknown_court"), id="a court retired"),
        pytest.param((raise_the_price, "price_changed"), id="a higher price"),
    ],
)


async def edit_under_a_booking(first: House, second: House, meeting: Meeting, edit: Edit) -> list[str]:
    """Somebody books at nine in the evening at 10.00; staff begin while the booking has read and not decided."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")
    await second.catalogues.current(second.club_id)

    async def change() -> object:
        await meeting.begun.wait()
        return await edit(second, staff)

    book = first.book(anna, "21:00", "22:00", expected_total=1000)
    return refusals(await meeting.race(book, change(), last=first))


@EDITS
async def test_an_edit_waits_for_the_booking_that_was_decided_before_it(
    first: House, second: House, meeting: Meeting, edit: tuple[Edit, str]
) -> None:
    refused = await edit_under_a_booking(first, second, meeting, edit[0])

    assert not meeting.overtaken
    assert refused == (["capacity_in_use"] if edit[1] == "unknown_court" else [])
    assert await first.count("bookings") == 1


@EDITS
async def test_control_without_the_clubs_lock_a_booking_is_committed_under_rules_that_refuse_it(
    first: House, second: House, meeting: Meeting, protection: Protection, edit: tuple[Edit, str]
) -> None:
    protection.lock_no_club()

    assert await edit_under_a_booking(first, second, meeting, edit[0]) == []
    assert meeting.overtaken
    assert await first.count("bookings") == 1


async def book_under_an_edit(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> list[str]:
    """Somebody books by the rules that his process knows while staff's change of them is about to be committed."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")
    await first.catalogues.current(first.club_id)
    changed = asyncio.Event()
    update = clubs.update_config_version

    async def update_and_meet(conn: Connection, club_id: int) -> None:
        await update(conn, club_id)
        changed.set()
        await meeting.wait(second.context)

    monkeypatch.setattr(configuration, "update_config_version", update_and_meet)

    async def change() -> object:
        return await edit(second, staff)

    async def book() -> object:
        await changed.wait()
        return await first.book(anna, "21:00", "22:00", expected_total=1000)

    return refusals(await meeting.race(book(), change(), last=second))


@EDITS
async def test_a_booking_waits_for_an_edit_and_is_decided_by_what_it_made(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch, edit: tuple[Edit, str]
) -> None:
    assert await book_under_an_edit(first, second, meeting, monkeypatch, edit[0]) == [edit[1]]
    assert not meeting.overtaken
    assert await first.count("bookings") == 0


@EDITS
async def test_control_without_a_look_at_the_version_a_booking_is_decided_by_rules_of_the_past(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch, edit: tuple[Edit, str]
) -> None:
    read = sql.list_taken

    async def of_the_known_version(
        conn: Connection, club_id: int, spans: Sequence[tuple[int, datetime, datetime]]
    ) -> tuple[tuple[str, int], dict[int, list[Taken]]]:
        _, taken = await read(conn, club_id, spans)
        known = first.catalogues.cached(club_id)
        assert known is not None
        return known.mark, taken

    monkeypatch.setattr(sql, "list_taken", of_the_known_version)

    assert await book_under_an_edit(first, second, meeting, monkeypatch, edit[0]) == []
    assert await first.count("bookings") == 1
