"""Calendar feeds, read by vobject: the service writes them with another library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import vobject  # type: ignore[import-untyped] # it has no types
from litestar import Litestar

from server.usecases.accounts import purge_unverified
from tests.conftest import FrozenClock
from tests.edge.demo import People, booked, slot
from tests.edge.staff import Person
from tests.edge.test_waitlist import work
from tests.mailing import mails_in


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@dataclass
class Event:
    uid: str
    sequence: int
    summary: str
    start: datetime
    status: str


async def subscribe(person: Person, path: str = "/api/calendar-feed") -> str:
    """The path and the secret of a new feed."""
    made = await person.ask("POST", path)
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    return str(httpx.URL(made.json()["url"]).raw_path.decode())


def events_in(answer: httpx.Response) -> list[Event]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar: Any = vobject.readOne(answer.text)
    calendar.validate(raiseException=True)
    assert calendar.method.value == "PUBLISH"
    return [
        Event(
            event.uid.value,
            int(event.sequence.value),
            event.summary.value,
            event.dtstart.value,
            event.status.value if "status" in event.contents else "",
        )
        for event in calendar.contents.get("vevent", [])
    ]


async def test_a_players_feed_has_their_own_bookings_and_needs_no_session(
    client: httpx.AsyncClient, people: People
) -> None:
    mine = await booked(people.player, slot())
    await booked(people.player2, slot(court_id=2))
    feed = await subscribe(people.player)

    (event,) = events_in(await client.get(feed))

    assert (event.uid, event.sequence, event.status) == (f"{mine['id']}@courtside", 0, "CONFIRMED")
    assert event.start == datetime.fromisoformat(mine["start_ts"]).astimezone(UTC)
    assert event.summary.startswith("Court 1 · ")


async def test_a_feed_and_the_mails_speak_of_the_same_entry_in_the_same_state(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    mine = await booked(people.player, slot())
    feed = await subscribe(people.player)
    moved = await people.player.ask("PATCH", f"/api/bookings/{mine['id']}", {"court_id": 3})
    assert moved.status_code == 200
    await work(app)

    (event,) = events_in(await client.get(feed))

    mails = [m for m in mails_in(app.state.context.settings.courtside_home) if str(m["Subject"]).startswith("Moved")]
    (part,) = mails[0].iter_attachments()
    invited: Any = vobject.readOne(part.get_content())
    assert (event.uid, event.sequence) == (invited.vevent.uid.value, int(invited.vevent.sequence.value))
    assert event.sequence == 1


async def test_what_is_cancelled_is_gone_from_the_feed(client: httpx.AsyncClient, people: People) -> None:
    mine = await booked(people.player, slot())
    feed = await subscribe(people.player)
    await people.player.ask("POST", f"/api/bookings/{mine['id']}/cancel")

    assert events_in(await client.get(feed)) == []


async def test_a_feed_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, people: People) -> None:
    mine = await booked(people.player, slot())
    feed = await subscribe(people.player)
    tag = (await client.get(feed)).headers["etag"]

    again = await client.get(feed, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)

    await people.player.ask("PATCH", f"/api/bookings/{mine['id']}", {"court_id": 3})
    changed = await client.get(feed, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] == tag) == (200, False)


async def test_a_new_address_ends_the_old_one_and_either_can_be_ended(
    client: httpx.AsyncClient, people: People
) -> None:
    old = await subscribe(people.player)
    assert (await people.player.ask("GET", "/api/calendar-feed")).json()["active"] is True
    new = await subscribe(people.player)

    assert (await client.get(old)).status_code == 404
    assert events_in(await client.get(new)) == []
    for _ in range(2):
        assert (await people.player.ask("DELETE", "/api/calendar-feed")).status_code == 204
    assert (await client.get(new)).status_code == 404
    assert (await people.player.ask("GET", "/api/calendar-feed")).json() == {"active": False, "created_at": None}


async def test_the_secret_is_kept_as_a_digest_and_nothing_else_opens_a_feed(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    feed = await subscribe(people.player)
    secret = feed.partition("token=")[2]

    rows = await app.state.context.pool.fetch("SELECT * FROM calendar_feeds")
    assert [secret in str(dict(row)) for row in rows] == [False]
    for wrong in ("", secret[:-1], secret[::-1], "x" * 43):
        assert (await client.get("/calendar.ics", params={"token": wrong})).status_code == 404


async def test_a_suspended_accounts_feed_is_closed(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    feed = await subscribe(people.player)
    await app.state.context.pool.execute("UPDATE users SET suspended_at = now() WHERE email LIKE 'player@%'")

    assert (await client.get(feed)).status_code == 404


async def test_a_courts_feed_is_for_staff_and_names_nobody(client: httpx.AsyncClient, people: People) -> None:
    await booked(people.player, slot())
    await booked(people.player2, slot(court_id=2))
    closure = await people.staff.ask(
        "POST",
        "/api/admin/closures",
        {"court_ids": [1], "start_ts": "2031-05-20T08:00", "end_ts": "2031-05-20T09:00", "reason": "New carpet"},
    )
    assert closure.status_code == 201, closure.text
    path = "/api/admin/courts/1/calendar-feed"
    assert (await people.player.ask("POST", path)).status_code == 403
    feed = await subscribe(people.staff, path)

    answer = await client.get(feed)

    assert {event.summary.partition(" · ")[0] for event in events_in(answer)} == {"Booked", "Closed: New carpet"}
    for word in ("Pia", "player@", "player2@"):
        assert word not in answer.text


async def test_a_courts_feed_ends_with_its_owners_role(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    feed = await subscribe(people.staff, "/api/admin/courts/1/calendar-feed")
    assert (await client.get(feed)).status_code == 200
    await app.state.context.pool.execute("UPDATE memberships SET role = 'player' WHERE role = 'staff'")

    assert (await client.get(feed)).status_code == 404


async def test_an_account_that_was_never_confirmed_goes_with_its_feed(
    app: Litestar, people: People, clock: FrozenClock
) -> None:
    await subscribe(people.player)
    pool = app.state.context.pool
    await pool.execute(
        "UPDATE users SET verified_at = NULL, demo = false, created_at = $1 WHERE email = 'player@courtside.example'",
        clock.now,
    )
    clock.advance(timedelta(days=8))

    assert await purge_unverified(app.state.context, limit=5) == 1
    assert await pool.fetchval("SELECT count(*) FROM calendar_feeds") == 0


async def test_one_chooses_ones_reminders(client: httpx.AsyncClient, people: People) -> None:
    assert (await people.player.ask("GET", "/api/auth/me")).json()["reminders"] == [24, 2]

    changed = await people.player.ask("PATCH", "/api/auth/me", {"reminders": [2]})

    assert (changed.status_code, changed.json()["reminders"]) == (200, [2])
    assert (await people.player.ask("GET", "/api/auth/me")).json()["reminders"] == [2]
    assert (await people.player.ask("PATCH", "/api/auth/me", {"reminders": [3]})).status_code == 422
