"""After every action that the API has: what a watcher had, and the messages that it received, are the grid read afresh.

One server, one watcher, one club. What is not among the actions here must stand in `CHANGES_NO_GRID`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import get_args

import pytest
from litestar.routes import HTTPRoute

from server.app import create_app
from server.domain.bookings import (
    Book,
    Cancel,
    Claim,
    Close,
    Expire,
    Join,
    Leave,
    Move,
    Promote,
    Rematch,
    Reopen,
    Request,
)
from tests.conftest import BASE_SETTINGS
from tests.edge.conftest import demo, demo_database_url  # noqa: F401 - fixtures
from tests.edge.demo import DAY, Demo, People, booked, slot
from tests.edge.staff import Json, Person
from tests.live.conftest import StartServer, by_court
from tests.live.test_feed import feed_is

NEXT_DAY = "2031-05-16"
CLOSURE = {"court_ids": [1, 5], "start_ts": f"{DAY}T09:00", "end_ts": f"{DAY}T12:00", "reason": "new nets"}
WEEK = [{"weekday": day, "opens": "06:00", "closes": "23:30"} for day in range(7)]


@dataclass
class Club:
    """The people of the demo club, and what the actions have made so far."""

    people: People
    made: dict[str, Json] = field(default_factory=dict)

    async def make(self, name: str, path: str, body: Json, who: Person | None = None) -> None:
        answer = await (who or self.people.admin).ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        self.made[name] = answer.json() | {"etag": answer.headers.get("etag", "")}

    async def change(self, method: str, path: str, body: Json | None = None) -> None:
        """As an administrator, from what is there now."""
        read = await self.people.admin.ask("GET", path)
        answer = await self.people.admin.ask(method, path, body, If_Match=read.headers["etag"])
        assert answer.status_code in (200, 204), answer.text

    def path(self, folder: str, name: str) -> str:
        return f"/api/admin/{folder}/{self.made[name]['id']}"


async def book(club: Club) -> None:
    club.made["booking"] = await booked(club.people.player, slot("14:00", "15:00"))


async def book_a_lesson(club: Club) -> None:
    club.made["lesson"] = await booked(club.people.player, slot("15:00", "16:00", court=2, coach_id=1))


async def book_into_the_next_day(club: Club) -> None:
    """The club is open across midnight by then."""
    club.made["late"] = await booked(
        club.people.player, slot("23:30", "23:59", court=2) | {"end_ts": f"{NEXT_DAY}T00:30"}
    )


async def move(club: Club) -> None:
    path = f"/api/bookings/{club.made['booking']['id']}"
    answer = await club.people.player.ask(
        "PATCH", path, {"court_id": 3, "start_ts": f"{DAY}T10:00", "end_ts": f"{DAY}T11:00"}
    )
    assert answer.status_code == 200, answer.text


async def give_up_the_coach(club: Club) -> None:
    answer = await club.people.player.ask("PATCH", f"/api/bookings/{club.made['lesson']['id']}", {"coach_id": None})
    assert answer.status_code == 200, answer.text


async def cancel(club: Club) -> None:
    answer = await club.people.player.ask("POST", f"/api/bookings/{club.made['booking']['id']}/cancel")
    assert answer.status_code == 200, answer.text


async def book_a_court_made_of_two(club: Club) -> None:
    body = slot("18:00", "19:00", court=club.made["court"]["id"])
    club.made["both"] = await booked(club.people.player, body)


async def cancel_what_is_on_both(club: Club) -> None:
    answer = await club.people.staff.ask("POST", f"/api/bookings/{club.made['both']['id']}/cancel")
    assert answer.status_code == 200, answer.text


async def give_up_what_somebody_waits_for(club: Club) -> None:
    """It is held for the one who waits, in the same transaction."""
    body = slot("07:00", "08:00", court=4)
    given = await booked(club.people.player, body)
    joined = await club.people.player2.ask("POST", "/api/waitlist", body)
    assert joined.status_code == 201, joined.text
    club.made["entry"] = joined.json()
    answer = await club.people.player.ask("POST", f"/api/bookings/{given['id']}/cancel")
    assert answer.status_code == 200, answer.text


async def wait_no_more(club: Club) -> None:
    answer = await club.people.player2.ask("DELETE", f"/api/waitlist/{club.made['entry']['id']}")
    assert answer.status_code == 204, answer.text


async def promote_by_hand(club: Club) -> None:
    body = {"entry_id": club.made["entry"]["id"]}
    answer = await club.people.staff.ask("POST", "/api/admin/waitlist/promote", body)
    assert answer.status_code == 200, answer.text


async def claim(club: Club) -> None:
    answer = await club.people.player2.ask("POST", f"/api/waitlist/{club.made['entry']['id']}/claim")
    assert answer.status_code in (200, 201), answer.text


Action = Callable[[Club], Awaitable[None]]


def make(name: str, folder: str, body: Json) -> Action:
    return lambda club: club.make(name, f"/api/admin/{folder}", body)


def change(folder: str, name: str, body: Json) -> Action:
    return lambda club: club.change("PATCH", club.path(folder, name), body)


def end(folder: str, name: str) -> Action:
    return lambda club: club.change("DELETE", club.path(folder, name))


def open_hours(**times: str) -> Action:
    week = [{"weekday": day, **times} for day in range(7)]
    return lambda club: club.change("PUT", "/api/admin/hours", {"hours": week})


async def close_a_day(club: Club) -> None:
    await club.make("exception", "/api/admin/hours/exceptions", {"day": DAY, "reason": "Feast"})


async def open_it_for_some_hours(club: Club) -> None:
    windows = {"windows": [{"opens": "09:00", "closes": "20:00"}]}
    await club.change("PATCH", f"/api/admin/hours/exceptions/{DAY}", windows)


async def have_the_weeks_hours_again(club: Club) -> None:
    await club.change("DELETE", f"/api/admin/hours/exceptions/{DAY}")


async def rename_the_club(club: Club) -> None:
    await club.change("PATCH", "/api/admin/clubs/1", {"name": "Riverside Club"})


CENTRE = {"name": "Centre", "kind": "tennis", "indoor": True, "base_rate": 900, "units": [1, 2]}
RULE = {"name": "Early", "effect": "percent", "value": -10}

# In this order: later ones need what earlier ones made.
ACTIONS: list[tuple[str, Action]] = [
    ("POST /api/bookings", book),
    ("POST /api/bookings", book_a_lesson),
    ("PATCH /api/bookings/{booking_id}", move),
    ("PATCH /api/bookings/{booking_id}", give_up_the_coach),
    ("POST /api/bookings/{booking_id}/cancel", cancel),
    ("POST /api/waitlist", give_up_what_somebody_waits_for),
    ("DELETE /api/waitlist/{entry_id}", wait_no_more),
    ("POST /api/waitlist", give_up_what_somebody_waits_for),
    ("POST /api/waitlist/{entry_id}/claim", claim),
    ("POST /api/admin/closures", make("closure", "closures", CLOSURE)),
    ("PATCH /api/admin/closures/{closure_id}", change("closures", "closure", {"end_ts": f"{DAY}T13:00"})),
    ("DELETE /api/admin/closures/{closure_id}", end("closures", "closure")),
    ("PUT /api/admin/hours", open_hours(opens="06:00", closes="01:00")),
    ("POST /api/bookings", book_into_the_next_day),
    ("PUT /api/admin/hours", open_hours(opens="06:00", closes="23:30")),
    ("POST /api/admin/hours/exceptions", close_a_day),
    ("PATCH /api/admin/hours/exceptions/{day}", open_it_for_some_hours),
    ("DELETE /api/admin/hours/exceptions/{day}", have_the_weeks_hours_again),
    ("POST /api/admin/courts", make("court", "courts", CENTRE)),
    ("POST /api/bookings", book_a_court_made_of_two),
    ("PATCH /api/admin/courts/{court_id}", change("courts", "court", {"position": -1, "name": "Centre court"})),
    ("POST /api/bookings/{booking_id}/cancel", cancel_what_is_on_both),
    ("PATCH /api/admin/courts/{court_id}", change("courts", "court", {"units": [3, 4]})),
    ("DELETE /api/admin/courts/{court_id}", end("courts", "court")),
    ("POST /api/admin/coaches", make("coach", "coaches", {"name": "Kim", "rate": 4000})),
    ("PATCH /api/admin/coaches/{coach_id}", change("coaches", "coach", {"rate": 4100})),
    ("DELETE /api/admin/coaches/{coach_id}", end("coaches", "coach")),
    ("POST /api/admin/equipment", make("pool", "equipment", {"name": "Net", "quantity": 2, "price": 100})),
    ("PATCH /api/admin/equipment/{equipment_id}", change("equipment", "pool", {"quantity": 5})),
    ("DELETE /api/admin/equipment/{equipment_id}", end("equipment", "pool")),
    ("POST /api/admin/pricing-rules", make("rule", "pricing-rules", RULE)),
    ("PATCH /api/admin/pricing-rules/{rule_id}", change("pricing-rules", "rule", {"value": -20})),
    ("DELETE /api/admin/pricing-rules/{rule_id}", end("pricing-rules", "rule")),
    ("PATCH /api/admin/clubs/{club_id}", rename_the_club),
]
AT_THE_DESK: dict[type, str] = {
    Book: "POST /api/bookings",
    Move: "PATCH /api/bookings/{booking_id}",
    Cancel: "POST /api/bookings/{booking_id}/cancel",
    Close: "POST /api/admin/closures",
    Reopen: "DELETE /api/admin/closures/{closure_id}",
    Join: "POST /api/waitlist",
    Leave: "DELETE /api/waitlist/{entry_id}",
    Claim: "POST /api/waitlist/{entry_id}/claim",
}
WITHOUT_A_ROUTE = {
    Promote: "the worker's, and staff's by hand: books as a claim does; the worker's telling has its test in tests/live",
    Expire: "the worker's: gives back as leaving does",
    Rematch: "holds as a cancellation does",
}
CHANGES_NO_GRID = {
    "POST /api/quotes": "books nothing",
    "POST /claim": "the mailed link: the same claim",
    "POST /api/admin/waitlist/promote": "the same promotion, in a test of its own in tests/edge",
    "POST /api/admin/outbox/{row_id}/retry": "has the worker try again",
    "POST /api/admin/closures/preview": "closes nothing",
    "POST /api/admin/clubs": "a club that nobody watches yet",
    "DELETE /api/admin/clubs/{club_id}": "the topic is taken away: the test below",
    "POST /api/admin/users": "people are on no grid",
    "PATCH /api/admin/users/{user_id}": "people are on no grid",
    "DELETE /api/admin/users/{user_id}/totp": "people are on no grid",
    "POST /api/calendar-feed": "an address",
    "DELETE /api/calendar-feed": "an address",
    "POST /api/admin/courts/{court_id}/calendar-feed": "an address",
    "DELETE /api/admin/courts/{court_id}/calendar-feed": "an address",
    "DELETE /api/me": "the worker cancels what is to come as its owner would, in a test of its own",
    "POST /api/screens/pair": "a screen shows a grid, and is on none",
    "POST /api/admin/screens": "as its pairing",
    "PATCH /api/admin/screens/{screen_id}": "as its pairing",
    "DELETE /api/admin/screens/{screen_id}": "as its pairing; its socket is closed, which its own test sees",
}
ABOUT_SESSIONS = ("/api/auth/", "/api/api-keys", "/api/admin/api-keys", "/api/ws-ticket", "/reset", "/verify")


@pytest.fixture
def database_url(demo_database_url: str) -> str:  # noqa: F811 - the fixture of that name
    return demo_database_url


async def test_after_every_action_all_watchers_see_what_is_read_afresh(start: StartServer, demo: Demo) -> None:  # noqa: F811
    one, other = await start(), await start()  # neither re-reads by itself within the test
    await feed_is(one, works=True)
    await feed_is(other, works=True)
    club = Club(People(one.http, demo.tokens))
    async with one.watching() as here, other.watching() as there:
        known = by_court(await one.grid())
        for name, act in ACTIONS:
            await act(club)
            fresh = by_court(await one.grid())
            assert fresh != known, f"{name} changes nothing that is seen"
            known = fresh
            for watcher in (here, there):
                await watcher.hear_until(lambda: by_court(watcher.as_grid()) == fresh)  # noqa: B023 - called at once
        # Nothing more is on its way that would change it.
        for watcher in (here, there):
            await watcher.say({"t": "sub", "topics": [{"club": "nowhere", "date": DAY}]})
            while (await watcher.hear())["t"] != "error":
                pass
            assert by_court(watcher.as_grid()) == known


async def test_a_club_that_is_retired_is_taken_from_its_watchers(start: StartServer, demo: Demo) -> None:  # noqa: F811
    one, other = await start(), await start()
    await feed_is(other, works=True)
    club = Club(People(one.http, demo.tokens))
    async with one.watching() as here, other.watching() as there:
        await club.change("DELETE", "/api/admin/clubs/1")
        for watcher in (here, there):
            message = await watcher.hear()
            assert (message["t"], message["code"], message["date"]) == ("error", "unknown_club", DAY)


def test_every_route_that_changes_something_is_among_the_actions_or_has_its_reason() -> None:
    app = create_app(BASE_SETTINGS)
    routes = {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(ABOUT_SESSIONS)
        for method in route.methods
        if method not in {"GET", "HEAD", "OPTIONS"}
    }
    named = {name for name, _ in ACTIONS}
    assert routes == named | CHANGES_NO_GRID.keys()
    assert not named & CHANGES_NO_GRID.keys()


def test_everything_that_the_desk_settles_is_among_the_actions() -> None:
    assert set(get_args(Request)) == AT_THE_DESK.keys() | WITHOUT_A_ROUTE.keys()
    assert set(AT_THE_DESK.values()) <= {name for name, _ in ACTIONS}
