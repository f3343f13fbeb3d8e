"""/api/grid, /api/days and /api/prices: what is taken as it is committed, on local days of any zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from server.context import Context
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD
from tests.conftest import FrozenClock
from tests.edge.conftest import StartApp
from tests.edge.demo import DAY, Demo, People, booked, row_of, slot
from tests.edge.staff import Person, problem

Json = dict[str, Any]


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def make_club(
    admin: Person, zone: str, *, slug: str = "hill", opens: str = "07:00", closes: str = "23:00"
) -> int:
    """A club with one court; its id. Open every day."""
    club = {"slug": slug, "name": slug, "zone": zone, "currency": "AUD"}
    answer = await admin.ask("POST", "/api/admin/clubs", club)
    assert answer.status_code == 201, answer.text
    hours = await admin.ask("GET", f"/api/admin/hours?club={slug}")
    week = [{"weekday": day, "opens": opens, "closes": closes} for day in range(7)]
    put = await admin.ask("PUT", f"/api/admin/hours?club={slug}", {"hours": week}, If_Match=hours.headers["etag"])
    assert put.status_code == 200, put.text
    court = {"name": "One", "kind": "tennis", "indoor": False, "surface": "clay", "base_rate": 1200}
    made = await admin.ask("POST", f"/api/admin/courts?club={slug}", court)
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


async def read(client: httpx.AsyncClient, path: str) -> Json:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


# -- the grid -----------------------------------------------------------------------------------------------


async def test_an_untouched_day_has_a_row_for_every_court(people: People) -> None:
    grid = await read(people.stranger, f"/api/grid?club=riverside&date={DAY}")
    assert len(grid.pop("epoch")) >= 8
    assert grid.pop("config") >= 1
    assert grid == {
        "club": "riverside",
        "date": DAY,
        "open": [[f"{DAY}T07:00:00+01:00", f"{DAY}T23:00:00+01:00"]],
        "rows": [{"court": number, "v": 0, "cells": []} for number in range(1, 7)],
    }


async def test_the_grid_without_a_date_is_that_of_the_clubs_today(people: People, clock: FrozenClock) -> None:
    assert (await read(people.stranger, "/api/grid"))["date"] == "2031-05-14"
    clock.now = datetime.fromisoformat("2031-05-14T23:30:00+00:00")
    assert (await read(people.stranger, "/api/grid"))["date"] == "2031-05-15"


async def test_a_booking_is_a_cell_without_names_and_its_owner_knows_its_ref(people: People) -> None:
    made = await booked(people.player, slot())
    coached = await booked(people.player2, slot("11:00", "12:00", coach_id=1))
    row = await row_of(people.stranger, 1)
    assert row["v"] == 2
    assert row["cells"] == [
        {"s": f"{DAY}T10:00:00+01:00", "e": f"{DAY}T11:00:00+01:00", "k": "booked", "ref": made["grid_ref"]},
        {"s": f"{DAY}T11:00:00+01:00", "e": f"{DAY}T12:00:00+01:00", "k": "coaching", "ref": coached["grid_ref"]},
    ]
    assert made["grid_ref"] != made["id"]
    text = (await people.stranger.get(f"/api/grid?date={DAY}")).text
    assert made["id"] not in text
    assert "layer" not in text.lower()


async def test_a_booking_in_one_process_is_on_the_grid_of_another_at_once_with_redis_gone(
    start_app: StartApp, settings: Settings, demo: Demo
) -> None:
    away = replace(settings, redis_url="redis://127.0.0.1:1/0")
    one, other = People(await start_app(away), demo.tokens), People(await start_app(away), demo.tokens)
    for hour in range(10, 14):
        made = await booked(one.player, slot(f"{hour}:00", f"{hour + 1}:00"))
        assert (await row_of(other.stranger, 1))["cells"][-1]["ref"] == made["grid_ref"]
        await other.player.ask("PATCH", f"/api/bookings/{made['id']}", {"court_id": 2})
        assert (await row_of(one.stranger, 1))["cells"] == []
        assert len((await row_of(one.stranger, 2))["cells"]) == hour - 9


async def test_versions_grow_with_every_change_of_that_court_alone(people: People) -> None:
    made = await booked(people.player, slot())
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    assert (await row_of(people.stranger, 1)) == {"court": 1, "v": 2, "cells": []}
    assert (await row_of(people.stranger, 2))["v"] == 0
    await people.player.ask("POST", "/api/bookings", slot("06:00", "07:00"))
    assert (await row_of(people.stranger, 1))["v"] == 2


async def test_an_unchanged_grid_is_304_and_a_change_of_anything_in_it_is_not(people: People) -> None:
    path = f"/api/grid?date={DAY}"
    first = await people.stranger.get(path)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, no-cache"

    async def ask(sent: str) -> tuple[int, bytes, str]:
        answer = await people.stranger.get(path, headers={"If-None-Match": sent})
        return answer.status_code, answer.content, answer.headers["etag"]

    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        assert await ask(sent) == (304, b"", etag)
    assert (await ask('"other"'))[0] == 200
    await booked(people.player, slot(day="2031-05-16"))
    assert (await ask(etag))[0] == 304
    await booked(people.player, slot())
    status, _, newer = await ask(etag)
    assert (status, newer != etag) == (200, True)
    exception = {"day": DAY, "windows": []}
    assert (await people.admin.ask("POST", "/api/admin/hours/exceptions", exception)).status_code == 201
    status, body, newest = await ask(newer)
    assert (status, newest != newer) == (200, True)
    assert b'"open":[]' in body


async def test_a_restored_database_has_other_etags_although_its_versions_are_the_same(
    people: People, context: Context
) -> None:
    first = await people.stranger.get(f"/api/grid?date={DAY}")
    await context.pool.execute("UPDATE instance SET nonce = 'restored'")
    again = await people.stranger.get(f"/api/grid?date={DAY}", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.json()["epoch"] != first.json()["epoch"]


# -- midnight and clock changes -----------------------------------------------------------------------------


async def test_a_cell_that_crosses_midnight_is_in_both_days_unclipped(people: People) -> None:
    exception = {"day": DAY, "windows": [{"opens": "18:00", "closes": "02:00"}]}
    assert (await people.admin.ask("POST", "/api/admin/hours/exceptions", exception)).status_code == 201
    made = await booked(people.player, {**slot("23:30", "00:00"), "end_ts": "2031-05-16T00:30"})
    cell = {"s": f"{DAY}T23:30:00+01:00", "e": "2031-05-16T00:30:00+01:00", "k": "booked", "ref": made["grid_ref"]}
    for day in (DAY, "2031-05-16"):
        assert await row_of(people.stranger, 1, day=day) == {"court": 1, "v": 1, "cells": [cell]}
    opened = (await read(people.stranger, f"/api/grid?date={DAY}"))["open"]
    assert opened == [[f"{DAY}T18:00:00+01:00", "2031-05-16T02:00:00+01:00"]]
    overlapping = slot("00:00", "01:00", day="2031-05-16")
    assert problem(await people.player2.ask("POST", "/api/bookings", overlapping))[:2] == (409, "slot_taken")
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    for day in (DAY, "2031-05-16"):
        assert await row_of(people.stranger, 1, day=day) == {"court": 1, "v": 2, "cells": []}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", "2031-03-30", 23),
        ("Europe/London", "2031-10-26", 25),
        ("Australia/Lord_Howe", "2031-10-05", 23.5),
        ("Australia/Lord_Howe", "2031-04-06", 24.5),
    ],
)
async def test_a_day_of_a_clock_change_is_as_long_as_it_is(
    people: People, clock: FrozenClock, zone: str, day: str, hours: float
) -> None:
    clock.now = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(days=2)
    court = await make_club(await _admin_now(people), zone, opens="00:00", closes="24:00")
    grid = await read(people.stranger, f"/api/grid?club=hill&date={day}")
    ((opens, closes),) = grid["open"]
    length = datetime.fromisoformat(closes) - datetime.fromisoformat(opens)
    assert length == timedelta(hours=hours)
    prices = await read(people.stranger, f"/api/prices?club=hill&date={day}")
    (of_court,) = prices["items"]
    assert (of_court["court_id"], of_court["minutes"]) == (court, 30)
    starts = [datetime.fromisoformat(start["start_ts"]) for start in of_court["starts"]]
    assert len(starts) == hours * 2
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(minutes=30)}
    assert {start["total"] for start in of_court["starts"]} == {600}


async def test_a_local_time_that_does_not_exist_is_refused_and_one_that_occurs_twice_is_the_first(
    people: People, clock: FrozenClock
) -> None:
    clock.now = datetime.fromisoformat("2031-10-03T00:00:00+00:00")
    player = await _player_now(people)
    court = await make_club(await _admin_now(people), "Australia/Lord_Howe", opens="00:00", closes="24:00")
    # On 5 October 2031 the clocks go from 02:00 to 02:30.
    lost = await player.ask("POST", "/api/bookings", slot("02:00", "03:00", court=court, day="2031-10-05"))
    assert problem(lost) == (422, "bad_time", ["start_ts"])
    made = await booked(player, slot("01:30", "02:30", court=court, day="2031-10-05"))
    assert (made["start_ts"], made["end_ts"]) == ("2031-10-05T01:30:00+10:30", "2031-10-05T02:30:00+11:00")
    assert made["price"]["total"] == 600  # half an hour, whatever the clock shows
    clock.now = datetime.fromisoformat("2032-04-02T00:00:00+00:00")
    player = await _player_now(people)
    # On 4 April 2032 the clocks go from 02:00 back to 01:30, so that 01:30 occurs twice.
    first = await booked(player, slot("01:30", "02:30", court=court, day="2032-04-04"))
    assert (first["start_ts"], first["end_ts"]) == ("2032-04-04T01:30:00+11:00", "2032-04-04T02:30:00+10:30")
    assert first["price"]["total"] == 1800
    cell = (await read(people.stranger, "/api/grid?club=hill&date=2032-04-04"))["rows"][0]["cells"][0]
    assert (cell["s"], cell["e"]) == (first["start_ts"], first["end_ts"])


async def _player_now(people: People) -> Person:
    return await _login(people, "player")


async def _admin_now(people: People) -> Person:
    return await _login(people, "admin")


async def _login(people: People, who: str) -> Person:
    """Log in again, for a clock that has moved on."""
    login = {"email": f"{who}@courtside.example", "password": "courtside-demo"}
    answer = await people.stranger.post("/api/auth/login", json=login)
    return Person(people.stranger, answer.json()["access_token"])


# -- days and prices ----------------------------------------------------------------------------------------


async def test_days_tell_hours_and_how_full_they_are(people: People) -> None:
    for court in range(1, 7):
        for start, end in (("07:00", "11:00"), ("11:00", "15:00")):
            await booked(people.player, slot(start, end, court=court))
    exception = {"day": "2031-05-16", "windows": []}
    assert (await people.admin.ask("POST", "/api/admin/hours/exceptions", exception)).status_code == 201
    days = await read(people.stranger, f"/api/days?from={DAY}&to=2031-05-17")
    assert (set(days), days["next"]) == ({"items", "next"}, None)
    version = days["items"][0]["config_version"]
    assert days["items"] == [
        {
            "date": DAY,
            "open": [[f"{DAY}T07:00:00+01:00", f"{DAY}T23:00:00+01:00"]],
            "full": 0.5,
            "config_version": version,
        },
        {"date": "2031-05-16", "open": [], "full": 1.0, "config_version": version},
        {
            "date": "2031-05-17",
            "open": [["2031-05-17T07:00:00+01:00", "2031-05-17T23:00:00+01:00"]],
            "full": 0.0,
            "config_version": version,
        },
    ]
    fortnight = (await read(people.stranger, "/api/days"))["items"]
    assert (fortnight[0]["date"], len(fortnight)) == ("2031-05-14", 14)


async def test_prices_follow_the_rules_start_by_start(people: People) -> None:
    prices = await read(people.stranger, f"/api/prices?date={DAY}")
    assert set(prices) == {"club", "date", "currency", "config_version", "items", "next"}
    assert (prices["club"], prices["date"], prices["currency"]) == ("riverside", DAY, "GBP")
    of_court = {item["court_id"]: {start["start_ts"][11:16]: start["total"] for start in item["starts"]}
                for item in prices["items"]}  # fmt: skip
    assert sorted(of_court) == [1, 2, 3, 4, 5, 6]
    assert of_court[1]["10:00"] == 1500  # 1200 and a quarter indoors
    assert of_court[1]["18:00"] == 1740  # a fifth more at peak
    assert of_court[5]["10:00"] == 1000
    assert of_court[5]["20:30"] == 1200
    assert of_court[5]["21:00"] == 1000
    assert (min(of_court[1]), max(of_court[1]), len(of_court[1])) == ("07:00", "22:30", 32)
    quoted = (await people.player.ask("POST", "/api/quotes", slot("18:00", "18:30"))).json()
    assert quoted["total"] == of_court[1]["18:00"]


async def test_prices_of_longer_bookings_are_their_quotes_to_the_penny(people: People) -> None:
    odd = {"name": "A third more", "effect": "percent", "value": 33.33, "from_time": "18:30", "to_time": "19:00"}
    assert (await people.admin.ask("POST", "/api/admin/pricing-rules", odd)).status_code == 201
    prices = await read(people.stranger, f"/api/prices?date={DAY}&minutes=90")
    of_court = {item["court_id"]: {start["start_ts"][11:16]: start["total"] for start in item["starts"]}
                for item in prices["items"]}  # fmt: skip
    assert {item["minutes"] for item in prices["items"]} == {90}
    assert max(of_court[1]) == "21:30"  # the club closes at 23:00
    for start, end in (("17:00", "18:30"), ("17:30", "19:00"), ("18:30", "20:00"), ("20:30", "22:00")):
        quoted = (await people.player.ask("POST", "/api/quotes", slot(start, end))).json()
        assert of_court[1][start] == quoted["total"], start
    for minutes in (15, 45, 300):  # shorter than any booking, between two steps, longer than any
        of_none = await read(people.stranger, f"/api/prices?date={DAY}&minutes={minutes}")
        assert [item["starts"] for item in of_none["items"]] == [[]] * 6


@pytest.mark.parametrize("path", [f"/api/days?from={DAY}&to=2031-05-16", f"/api/prices?date={DAY}"])
async def test_days_and_prices_are_304_until_they_change(people: People, path: str) -> None:
    first = await people.stranger.get(path)
    again = await people.stranger.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    rule = {"name": "Dearer", "effect": "amount", "value": 100}
    assert (await people.admin.ask("POST", "/api/admin/pricing-rules", rule)).status_code == 201
    changed = await people.stranger.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


async def test_a_booking_changes_the_days_etag(people: People) -> None:
    path = f"/api/days?from={DAY}&to={DAY}"
    first = await people.stranger.get(path)
    await booked(people.player, slot())
    changed = await people.stranger.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["items"][0]["full"]) == (200, round(1 / 96, 4))


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("/api/grid?date=2031-02-30", "invalid_request", "date"),
        ("/api/grid?date=today", "invalid_request", "date"),
        ("/api/grid?date=0001-01-01", "bad_time", "date"),
        ("/api/grid?date=9999-12-31", "bad_time", "date"),
        ("/api/grid?day=2031-05-15", "invalid_request", "day"),
        ("/api/grid?date=2031-05-15&date=2031-05-16", "invalid_request", "date"),
        ("/api/prices?date=9999-12-31", "bad_time", "date"),
        ("/api/prices?minutes=0", "invalid_request", "minutes"),
        ("/api/days?from=2031-05-16&to=2031-05-15", "bad_time", "to"),
        ("/api/days?from=2031-05-16&to=2041-05-16", "bad_duration", "to"),
        ("/api/days?from=2200-12-31", "bad_time", "to"),
        ("/api/days?from=0001-01-01&to=9999-12-31", "bad_time", "from"),
    ],
)
async def test_a_day_that_cannot_be_is_refused(people: People, path: str, code: str, field: str) -> None:
    assert problem(await people.stranger.get(path)) == (422, code, [field])


@pytest.mark.parametrize("path", ["/api/grid", "/api/days", "/api/prices"])
async def test_a_club_that_is_not_there_is_not_found(people: People, path: str) -> None:
    for slug in ("nowhere", "%00", "a" * 100, "", "RIVERSIDE", "%F0%9F%8E%BE"):
        answer = await people.stranger.get(f"{path}?club={slug}")
        assert problem(answer)[:2] in {(404, "not_found"), (422, "invalid_request")}, slug


async def test_a_token_that_does_not_hold_is_told_even_where_none_is_needed(people: People) -> None:
    answer = await people.stranger.get("/api/grid", headers={"Authorization": "Bearer nonsense"})
    assert problem(answer)[:2] == (401, "unauthenticated")


# -- who looks ----------------------------------------------------------------------------------------------


async def test_a_browser_whose_session_was_ended_elsewhere_still_sees_what_is_open_to_everybody(
    people: People, client: httpx.AsyncClient
) -> None:
    """Its cookie is out of reach of the page's scripts, and stays in the jar until it expires."""
    body = {"email": "player@courtside.example", "password": DEMO_PASSWORD, "cookies": True}
    csrf = (await client.post("/api/auth/login", json=body)).json()["csrf_token"]
    token = client.cookies["courtside_access"]
    ended = await client.post("/api/auth/logout", json={"everywhere": True}, headers={"X-CSRF-Token": csrf})
    assert ended.status_code == 204
    stale = {"Cookie": f"courtside_access={token}"}
    for path in ("/api/clubs", "/api/courts", f"/api/grid?date={DAY}", f"/api/days?from={DAY}&to={DAY}"):
        answer = await client.get(path, headers=stale)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json() == (await people.stranger.get(path)).json()
        shown = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert problem(shown)[:2] == (401, "unauthenticated")  # who shows a token wants to know that it does not hold
    assert problem(await client.get("/api/auth/me", headers=stale))[:2] == (401, "unauthenticated")
    club = (await people.admin.ask("GET", "/api/admin/clubs/1")).headers["etag"]
    members = {"grid_visibility": "members"}
    assert (await people.admin.ask("PATCH", "/api/admin/clubs/1", members, If_Match=club)).status_code == 200
    assert problem(await client.get(f"/api/grid?date={DAY}", headers=stale))[:2] == (401, "unauthenticated")
