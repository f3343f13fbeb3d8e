"""What the audit trail says of a waitlist: every step, who did it, whom and what it was about, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from server.context import Context
from tests.conftest import FrozenClock
from tests.house import House, local, open_house

STEPS = ("waitlisted", "held", "offered", "expired", "promoted", "left")


async def trail(context: Context, entry_id: object) -> list[tuple[str, int | None]]:
    """Step and actor of all that the trail says of an entry."""
    rows = await context.pool.fetch(
        "SELECT event_type, actor_id FROM audit_events WHERE payload->>'entry_id' = $1::text ORDER BY created_at, id",
        str(entry_id),
    )
    return [(row["event_type"], row["actor_id"]) for row in rows]


async def give_up(house: House, who: Any, booking: Any) -> None:
    await house.bookings.cancel(who, booking.id)


async def test_every_step_is_in_the_trail_with_actor_user_resources_and_times(
    context: Context, clock: FrozenClock
) -> None:
    async with open_house(context) as house:
        ann, bob = await house.player("ann@club.example"), await house.player("bob@club.example")
        cat, dan = await house.player("cat@club.example"), await house.player("dan@club.example")
        wish = {"coach_id": house.coach}
        booking = await house.book(ann, "10:00", "11:00", **wish)
        missed = await house.wait(bob, "10:00", "11:00", **wish)
        clock.advance(timedelta(seconds=1))
        got = await house.wait(cat, "10:00", "11:00", auto_book=True, **wish)
        clock.advance(timedelta(seconds=1))
        gone = await house.wait(dan, "10:00", "11:00", **wish)
        await house.waitlist.leave(dan, gone.id)
        await give_up(house, ann, booking)
        await house.work()  # offered to bob
        clock.advance(timedelta(minutes=31))
        await house.work()  # who misses it; booked for cat

        assert await trail(context, missed.id) == [
            ("waitlisted", bob.user_id), ("held", None), ("offered", None), ("expired", None),
        ]  # fmt: skip
        assert await trail(context, got.id) == [("waitlisted", cat.user_id), ("held", None), ("promoted", None)]
        assert await trail(context, gone.id) == [("waitlisted", dan.user_id), ("left", dan.user_id)]

        rows = await context.pool.fetch("SELECT * FROM audit_events WHERE event_type = ANY($1)", STEPS)
        assert {row["event_type"] for row in rows} == set(STEPS)
        for row in rows:
            said = row["payload"]
            assert said["user_id"] in {bob.user_id, cat.user_id, dan.user_id}
            assert said["actor_id"] == row["actor_id"]
            assert (said["court_id"], said["coach_id"], said["equipment"]) == (house.courts[0], house.coach, [])
            assert datetime.fromisoformat(said["start_ts"]) == local(10)
            assert datetime.fromisoformat(said["end_ts"]) == local(11)
            assert row["created_at"] <= clock.now
            assert "@" not in str(said), "ids, never an address"


async def test_a_claim_and_a_decline_are_their_owners_doing(context: Context, clock: FrozenClock) -> None:
    async with open_house(context) as house:
        ann, bob = await house.player("ann@club.example"), await house.player("bob@club.example")
        cat = await house.player("cat@club.example")
        booking = await house.book(ann, "10:00", "11:00")
        declined = await house.wait(bob, "10:00", "11:00")
        clock.advance(timedelta(seconds=1))
        claimed = await house.wait(cat, "10:00", "11:00")
        await give_up(house, ann, booking)
        await house.work()
        await house.waitlist.leave(bob, declined.id)
        await house.work()
        await house.waitlist.claim(cat, claimed.id)

        assert (await trail(context, declined.id))[-1] == ("left", bob.user_id)
        assert (await trail(context, claimed.id))[-1] == ("promoted", cat.user_id)
