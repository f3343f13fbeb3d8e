"""What an operator is told about one booking, and about the line."""

from __future__ import annotations

import pytest

from server.context import Context
from server.domain.errors import NotFound
from server.usecases.history import tell_history
from server.usecases.waitlist import look_through
from tests.house import open_house


async def test_a_bookings_history_is_told_with_its_mails_and_versions_and_without_addresses(context: Context) -> None:
    async with open_house(context) as house:
        player = await house.player()
        booking = await house.book(player, "10:00", "11:00")
        await house.bookings.cancel(player, booking.id)

        told = await tell_history(context, str(booking.id))

        assert "cancelled" in told[0]
        assert [line.split()[2] for line in told if " audit " in line] == ["confirmed", "cancelled"]
        assert [line.split()[2] for line in told if " outbox " in line] == ["booking.confirmed", "booking.cancelled"]
        assert told[-1].endswith("version 2")
        assert "@" not in "".join(told)


async def test_the_history_of_what_was_waited_for_begins_with_the_waiting(context: Context) -> None:
    async with open_house(context) as house:
        ann, bob = await house.player("ann@club.example"), await house.player("bob@club.example")
        booking = await house.book(ann, "10:00", "11:00")
        await house.wait(bob, "10:00", "11:00", auto_book=True)
        await house.bookings.cancel(ann, booking.id)
        await house.work()
        promoted = await context.pool.fetchval("SELECT id FROM bookings WHERE status = 'confirmed'")

        told = await tell_history(context, str(promoted))

        assert [line.split()[2] for line in told if " audit " in line] == ["waitlisted", "held", "promoted"]
        posted = [line.split()[2] for line in told if " outbox " in line]
        assert {"waitlist.joined", "job.promote", "booking.promoted"} <= set(posted)


@pytest.mark.parametrize("written", ["nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"])
async def test_a_history_of_nothing_is_refused(context: Context, written: str) -> None:
    with pytest.raises(NotFound):
        await tell_history(context, written)


async def test_looking_through_the_line_says_how_many_wait_and_for_how_many_something_is_held(context: Context) -> None:
    async with open_house(context) as house:
        ann, bob, cid = [await house.player(f"{name}@club.example") for name in ("ann", "bob", "cid")]
        await house.book(ann, "10:00", "11:00")
        for who in (bob, cid):
            await house.wait(who, "10:00", "11:00")
        assert await look_through(context, None) == (2, 0)
        await context.pool.execute("UPDATE allocations SET active = false")

        assert await look_through(context, "riverside") == (2, 1)
