"""The staff's side of the catalogue: who may do what, versions, and a club made from nothing."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from server.context import Context
from server.settings import Settings
from server.usecases import accounts
from server.usecases.seed import seed_demo
from tests.edge.conftest import StartApp
from tests.edge.staff import Json, Person, log_in, problem

COURT: Json = {"name": "New", "kind": "squash", "indoor": True, "base_rate": 1500}
RULE: Json = {"name": "Early", "effect": "percent", "value": -12.5, "from_time": "07:00", "to_time": "09:00"}
CLUB: Json = {"slug": "hillside", "name": "Hillside", "zone": "Australia/Lord_Howe", "currency": "AUD"}


@pytest.fixture
async def demo(context: Context) -> None:
    await seed_demo(context)


@pytest.fixture
async def staff(client: httpx.AsyncClient, demo: None) -> Person:
    return await log_in(client, "staff@courtside.example")


@pytest.fixture
async def admin(client: httpx.AsyncClient, demo: None) -> Person:
    return await log_in(client, "admin@courtside.example")


async def test_who_founds_a_club_has_a_say_in_it_at_once_in_every_process(
    start_app: StartApp, settings: Settings, demo: None
) -> None:
    one, other = [await log_in(await start_app(settings), "admin@courtside.example") for _ in range(2)]
    assert (await other.ask("GET", "/api/admin/clubs")).status_code == 200  # it remembers who that is
    await one.make("/api/admin/clubs", CLUB)
    answer = await other.ask("POST", "/api/admin/courts?club=hillside", COURT)
    assert answer.status_code == 201, answer.text


async def test_an_empty_database_becomes_a_bookable_club_through_the_api(
    client: httpx.AsyncClient, context: Context
) -> None:
    await accounts.create_admin(context, email="owner@hillside.example", password="a long enough password")
    owner = await log_in(client, "owner@hillside.example", "a long enough password")
    assert (await client.get("/api/clubs")).json() == {"items": [], "next": None}

    club = await owner.make("/api/admin/clubs", CLUB | {"policy": {"granularity": 15, "min_duration": 45}})
    court = await owner.make("/api/admin/courts", COURT)
    coach = await owner.make(
        "/api/admin/coaches",
        {
            "name": "Kim",
            "rate": 4000,
            "hours": [{"weekday": day, "opens": "08:00", "closes": "12:30"} for day in range(7)],
            "exceptions": [{"day": "2031-12-25", "windows": []}],
        },
    )
    pool = await owner.make("/api/admin/equipment", {"name": "Racket", "quantity": 4, "price": 250, "per": "hour"})
    rule = await owner.make("/api/admin/pricing-rules", RULE)
    hours = [{"weekday": day, "opens": "07:00", "closes": "01:00"} for day in range(7)]
    answer = await owner.ask("PUT", "/api/admin/hours", {"hours": hours}, If_Match='"1"')
    assert (answer.status_code, answer.json()["hours"]) == (200, hours)
    await owner.make("/api/admin/hours/exceptions", {"day": "2031-12-25", "reason": "Christmas"})

    (seen,) = (await client.get("/api/clubs")).json()["items"]
    assert (seen["id"], seen["slug"], seen["zone"], seen["hours"]) == (
        club["id"],
        "hillside",
        "Australia/Lord_Howe",
        hours,
    )
    assert (seen["policy"]["granularity"], seen["policy"]["min_duration"]) == (15, 45)
    assert [item["id"] for item in (await client.get("/api/courts")).json()["items"]] == [court["id"]]
    (known_coach,) = (await owner.ask("GET", "/api/coaches")).json()["items"]
    assert known_coach["id"] == coach["id"]
    assert known_coach["exceptions"] == [{"day": "2031-12-25", "windows": []}]
    assert (await owner.ask("GET", "/api/equipment")).json()["items"] == [
        {"id": pool["id"], "name": "Racket", "quantity": 4, "price": 250, "per": "hour"}
    ]
    assert rule["value"] == -12.5
    grid = (await client.get("/api/grid?date=2031-05-20")).json()
    assert len(grid["open"]) == 1
    assert [row["court"] for row in grid["rows"]] == [court["id"]]


# -- who may -------------------------------------------------------------------------------------------------

READS = ["clubs", "clubs/1", "courts", "courts/1", "coaches", "coaches/1", "equipment", "equipment/1", "hours"]
READS += ["hours/exceptions", "pricing-rules", "pricing-rules/1"]


async def test_staff_read_everything_and_players_nothing(client: httpx.AsyncClient, staff: Person) -> None:
    player = await log_in(client, "player@courtside.example")
    for path in READS:
        url = f"/api/admin/{path}"
        assert problem(await client.get(url))[:2] == (401, "unauthenticated")
        assert (await staff.ask("GET", url)).status_code == 200
        refused = await player.ask("GET", url)
        assert problem(refused)[:2] == (403, "forbidden")
        assert "for staff and administrators" in refused.json()["detail"].replace("the club's ", "")


OF_ADMINISTRATORS: list[tuple[str, str, Json | None]] = [
    ("POST", "clubs", CLUB),
    ("PATCH", "clubs/1", {"name": "Mine"}),
    ("DELETE", "clubs/1", None),
    ("POST", "pricing-rules", RULE),
    ("PATCH", "pricing-rules/1", {"value": 1}),
    ("DELETE", "pricing-rules/1", None),
]


async def test_clubs_and_prices_are_the_administrators(staff: Person) -> None:
    for method, path, body in OF_ADMINISTRATORS:
        answer = await staff.ask(method, f"/api/admin/{path}", body, If_Match='"1"')
        assert problem(answer)[:2] == (403, "forbidden"), path
        assert "administrators" in answer.json()["detail"], path


async def test_the_staff_of_one_club_are_nobody_in_another(
    client: httpx.AsyncClient, staff: Person, admin: Person
) -> None:
    await admin.make("/api/admin/clubs", CLUB)
    court = (await admin.ask("POST", "/api/admin/courts?club=hillside", COURT)).json()
    assert problem(await staff.ask("GET", "/api/admin/courts?club=hillside"))[0] == 403
    assert problem(await staff.ask("GET", f"/api/admin/courts/{court['id']}"))[0] == 403
    answer = await staff.ask("PATCH", f"/api/admin/courts/{court['id']}", {"name": "Mine"}, If_Match='"1"')
    assert problem(answer)[0] == 403
    assert [club["slug"] for club in (await staff.ask("GET", "/api/admin/clubs")).json()["items"]] == ["riverside"]
    found = (await admin.ask("GET", "/api/admin/clubs")).json()["items"]
    assert [club["slug"] for club in found] == ["riverside", "hillside"]


# -- versions ------------------------------------------------------------------------------------------------

CHANGES = [
    ("PATCH", "clubs/1", {"name": "Other"}),
    ("PATCH", "courts/1", {"name": "Other"}),
    ("PATCH", "coaches/1", {"name": "Other"}),
    ("PATCH", "equipment/1", {"name": "Other"}),
    ("PATCH", "pricing-rules/1", {"name": "Other"}),
    ("PUT", "hours", {"hours": []}),
    ("DELETE", "courts/1", None),
    ("DELETE", "coaches/1", None),
    ("DELETE", "equipment/1", None),
    ("DELETE", "pricing-rules/1", None),
    ("DELETE", "clubs/1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_needs_the_version_that_it_was_made_from(
    admin: Person, method: str, path: str, body: Json | None
) -> None:
    url = f"/api/admin/{path}"
    before = await admin.ask("GET", url)
    assert problem(await admin.ask(method, url, body))[:2] == (428, "precondition_required")
    for stale in ('"2"', '"0"', "1", "*", 'W/"1"', '""', "x", '"1", "2"', '"99999999999999999999"'):
        answer = await admin.ask(method, url, body, If_Match=stale)
        assert problem(answer)[:2] == (412, "precondition_failed"), stale
    unchanged = await admin.ask("GET", url)
    assert (unchanged.json(), unchanged.headers["etag"]) == (before.json(), '"1"')
    answer = await admin.ask(method, url, body, If_Match='"1"')
    if method == "DELETE":
        assert answer.status_code == 204
        assert problem(await admin.ask("GET", url))[:2] == (404, "not_found")
    else:
        assert (answer.status_code, answer.headers["etag"], answer.json()["version"]) == (200, '"2"', 2)
        assert (await admin.ask("GET", url)).json() == answer.json()


async def test_no_change_is_lost_when_two_of_the_staff_save_at_once(admin: Person, staff: Person) -> None:
    answers = await asyncio.gather(
        admin.ask("PATCH", "/api/admin/courts/1", {"name": "Centre"}, If_Match='"1"'),
        staff.ask("PATCH", "/api/admin/courts/1", {"base_rate": 1}, If_Match='"1"'),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    again = await admin.ask("GET", "/api/admin/courts/1")
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert again.json() == winner.json()


async def test_dates_with_hours_of_their_own_carry_the_version_of_the_club(staff: Person) -> None:
    path = "/api/admin/hours/exceptions"
    await staff.make(path, {"day": "2031-12-25", "reason": "Christmas"})
    late = {"day": "2031-12-31", "windows": [{"opens": "10:00", "closes": "02:00"}]}
    made = await staff.ask("POST", path, late)
    assert made.json() == {**late, "reason": ""}
    assert problem(await staff.ask("POST", path, late)) == (409, "conflict", ["day"])
    assert problem(await staff.ask("PATCH", f"{path}/2031-12-31", {"reason": "New Year"}))[0] == 428
    assert problem(await staff.ask("PATCH", f"{path}/2031-12-31", {"reason": "x"}, If_Match='"1"'))[0] == 412
    assert problem(await staff.ask("PATCH", f"{path}/2031-12-30", {"reason": "x"}, If_Match='"3"'))[0] == 404
    changed = await staff.ask("PATCH", f"{path}/2031-12-31", {"reason": "New Year"}, If_Match=made.headers["etag"])
    assert changed.json() == {**late, "reason": "New Year"}
    first = (await staff.ask("GET", f"{path}?limit=1")).json()
    second = (await staff.ask("GET", f"{path}?limit=1&cursor={first['next']}")).json()
    assert [page["items"][0]["day"] for page in (first, second)] == ["2031-12-25", "2031-12-31"]
    gone = await staff.ask("DELETE", f"{path}/2031-12-31", If_Match=changed.headers["etag"])
    assert gone.status_code == 204
    assert problem(await staff.ask("GET", f"{path}/2031-12-31"))[0] == 404
    assert problem(await staff.ask("GET", f"{path}/yesterday"))[0] == 404


# -- pages and prices ----------------------------------------------------------------------------------------


async def test_a_list_is_read_page_by_page(staff: Person) -> None:
    ids, cursor = [], ""
    for _ in range(4):
        page = (await staff.ask("GET", f"/api/admin/courts?limit=2{cursor}")).json()
        ids += [court["id"] for court in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert ids == [1, 2, 3, 4, 5, 6]


async def test_a_percentage_has_two_decimals_and_an_amount_none(admin: Person) -> None:
    path = "/api/admin/pricing-rules"
    rule = await admin.make(path, RULE | {"value": 12.25})
    assert rule["value"] == 12.25
    assert (await admin.make(path, RULE | {"value": 20.0}))["value"] == 20
    amount = await admin.make(path, RULE | {"effect": "amount", "value": -250})
    assert amount["value"] == -250
    for body in ({"value": 12.345}, {"effect": "amount", "value": 0.5}, {"value": -100.01}, {"value": 1e308}):
        assert problem(await admin.ask("POST", path, RULE | body)) == (422, "invalid_request", ["value"])
    one = f"{path}/{rule['id']}"
    assert problem(await admin.ask("PATCH", one, {"effect": "amount"}, If_Match='"1"'))[2] == ["value"]
    changed = await admin.ask("PATCH", one, {"value": 5}, If_Match='"1"')
    assert (changed.json()["effect"], changed.json()["value"]) == ("percent", 5)
    changed = await admin.ask(
        "PATCH", one, {"effect": "override", "value": 1999, "from_time": None, "to_time": None}, If_Match='"2"'
    )
    assert (changed.json()["value"], changed.json()["from_time"]) == (1999, None)


async def test_a_quantity_below_what_is_booked_tells_the_peak(client: httpx.AsyncClient, staff: Person) -> None:
    body = {
        "court_id": 1,
        "start_ts": "2031-05-15T10:00:00",
        "end_ts": "2031-05-15T11:00:00",
        "equipment": [{"equipment_id": 1, "quantity": 7}],
    }
    player = await log_in(client, "player@courtside.example")
    assert (await player.ask("POST", "/api/bookings", body)).status_code == 201
    answer = await staff.ask("PATCH", "/api/admin/equipment/1", {"quantity": 6}, If_Match='"1"')
    assert problem(answer) == (409, "capacity_in_use", ["quantity"])
    assert answer.json()["peak"] == 7
    assert problem(await staff.ask("DELETE", "/api/admin/courts/1", If_Match='"1"'))[:2] == (409, "capacity_in_use")
    assert (await staff.ask("PATCH", "/api/admin/equipment/1", {"quantity": 7}, If_Match='"1"')).status_code == 200
