from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from server.context import Context
from server.domain.errors import InvalidRequest
from server.usecases.reminders import choose_reminders, put_out_reminders
from server.usecases.wishes import Change
from tests.conftest import FrozenClock
from tests.house import DAY, local, open_house
from tests.mailing import deliver_due, html_of, mails_in, text_of

LATER = DAY + timedelta(days=5)


async def reminded(context: Context, clock: FrozenClock, at: datetime) -> list[str]:
    """Let it be that time, do what the worker does then, and see the subjects of all reminders so far."""
    clock.now = at
    await put_out_reminders(context)
    while await deliver_due(context, limit=100):
        pass
    subjects = [str(message["Subject"]) for message in mails_in(context.settings.courtside_home)]
    return [subject for subject in subjects if subject.startswith("Reminder")]


async def test_one_is_reminded_a_day_and_two_hours_before_once_each(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        await house.book(await house.player(), "10:00", "11:00", day=LATER)
        start = local(10, day=LATER)

        assert await reminded(context, clock, start - timedelta(hours=24, seconds=1)) == []
        assert len(await reminded(context, clock, start - timedelta(hours=24))) == 1
        assert len(await reminded(context, clock, start - timedelta(hours=23))) == 1
        assert len(await reminded(context, clock, start - timedelta(hours=2))) == 2
        assert len(await reminded(context, clock, start + timedelta(hours=1))) == 2
        tomorrow, today = mails_in(context.settings.courtside_home)[-2:]
        assert tomorrow["Subject"] == "Reminder: Court 1, Tue 20 May, 10:00–11:00"
        assert "Your booking is tomorrow." in text_of(tomorrow)
        assert "Your booking is today." in html_of(today)
        assert list(tomorrow.iter_attachments()) == [], "nothing has changed for the calendar"


async def test_whoever_books_after_the_time_of_a_reminder_gets_none(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        start = local(10, day=LATER)
        clock.now = start - timedelta(hours=20)
        await house.book(await house.player(), "10:00", "11:00", day=LATER)

        assert await reminded(context, clock, clock.now) == []
        assert len(await reminded(context, clock, start - timedelta(hours=2))) == 1


async def test_a_cancelled_bookings_reminder_is_dropped_also_when_it_was_put_out_already(
    context: Context, clock: FrozenClock
) -> None:
    async with open_house(context) as house:
        player = await house.player()
        booking = await house.book(player, "10:00", "11:00", day=LATER)
        clock.now = local(10, day=LATER) - timedelta(hours=24)
        assert await put_out_reminders(context) == 1
        await house.bookings.cancel(player, booking.id)

        assert await reminded(context, clock, clock.now) == []
        assert await reminded(context, clock, local(8, day=LATER)) == []


async def test_a_moved_bookings_reminder_follows_it(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        player = await house.player()
        booking = await house.book(player, "10:00", "11:00", day=LATER)
        clock.now = local(10, day=LATER) - timedelta(hours=24)
        assert await put_out_reminders(context) == 1  # and before it is sent
        day = LATER + timedelta(days=2)
        await house.bookings.move(player, booking.id, Change(start_ts=f"{day}T12:00:00", end_ts=f"{day}T13:00:00"))

        assert await reminded(context, clock, clock.now) == []
        assert len(await reminded(context, clock, local(12, day=day) - timedelta(hours=24))) == 1
        assert "Thu 22 May, 12:00" in str(mails_in(context.settings.courtside_home)[-1]["Subject"])


async def test_whoever_moves_a_booking_nearer_than_the_reminders_time_knows_when_it_is(
    context: Context, clock: FrozenClock
) -> None:
    async with open_house(context) as house:
        player = await house.player()
        booking = await house.book(player, "10:00", "11:00", day=LATER)
        clock.now = local(20, day=LATER - timedelta(days=2))
        near = LATER - timedelta(days=1)
        await house.bookings.move(player, booking.id, Change(start_ts=f"{near}T18:00:00", end_ts=f"{near}T19:00:00"))

        assert await reminded(context, clock, clock.now) == []
        assert len(await reminded(context, clock, local(16, day=near))) == 1


async def test_after_an_outage_a_reminder_is_a_little_late_or_not_at_all(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        await house.book(await house.player(), "10:00", "11:00", day=LATER)
        start = local(10, day=LATER)

        assert len(await reminded(context, clock, start - timedelta(hours=18, seconds=-1))) == 0
        assert len(await reminded(context, clock, start - timedelta(minutes=91))) == 1


@pytest.mark.parametrize(("hours", "told"), [((), 0), ((24,), 1), ((2,), 1), ((24, 2), 2)])
async def test_a_player_chooses(context: Context, clock: FrozenClock, hours: tuple[int, ...], told: int) -> None:
    async with open_house(context) as house:
        player = await house.player()
        await choose_reminders(context, player.user_id, hours)
        await house.book(player, "10:00", "11:00", day=LATER)
        start = local(10, day=LATER)

        await reminded(context, clock, start - timedelta(hours=24))
        assert len(await reminded(context, clock, start - timedelta(hours=2))) == told


async def test_what_is_switched_off_is_not_sent_any_more(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        player = await house.player()
        await house.book(player, "10:00", "11:00", day=LATER)
        clock.now = local(10, day=LATER) - timedelta(hours=24)
        await put_out_reminders(context)
        await choose_reminders(context, player.user_id, ())

        assert await reminded(context, clock, clock.now) == []


async def test_there_are_two_reminders_and_no_others(context: Context) -> None:
    async with open_house(context) as house:
        with pytest.raises(InvalidRequest):
            await choose_reminders(context, (await house.player()).user_id, (24, 3))


@pytest.mark.parametrize(
    ("day", "told_at", "said"),
    [
        (date(2031, 10, 26), "2031-10-25T11:00:00+01:00", "Sun 26 Oct, 10:00"),  # a day of 25 hours
        (date(2032, 3, 28), "2032-03-27T09:00:00+00:00", "Sun 28 Mar, 10:00"),  # one of 23
    ],
)
async def test_a_day_before_is_24_hours_before_also_where_clocks_are_changed(
    context: Context, clock: FrozenClock, day: date, told_at: str, said: str
) -> None:
    clock.now = datetime.fromisoformat(f"{day - timedelta(days=10)}T09:00:00+00:00")
    async with open_house(context) as house:
        await house.book(await house.player(), "10:00", "11:00", day=day)
        at = datetime.fromisoformat(told_at)

        assert await reminded(context, clock, at - timedelta(seconds=1)) == []
        (subject,) = await reminded(context, clock, at)
        assert said in subject
        assert "Your booking is tomorrow." in text_of(mails_in(context.settings.courtside_home)[-1])


async def test_two_workers_put_a_reminder_out_once(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        await house.book(await house.player(), "10:00", "11:00", day=LATER)
        clock.now = local(10, day=LATER) - timedelta(hours=24)

        assert [await put_out_reminders(replace(context)), await put_out_reminders(context)] == [1, 0]
