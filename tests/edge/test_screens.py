"""Wall screens: paired by a code that staff approve, looking at their club's grid and at nothing else."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from server.context import Context
from server.edge import screens
from server.edge.open_routes import OPEN_TO_SCREENS, is_open
from server.settings import Settings
from server.usecases.housekeeping import clear_away
from tests.conftest import FrozenClock
from tests.edge.conftest import StartApp
from tests.edge.demo import DAY, People
from tests.edge.staff import Person, problem
from tests.edge.test_auth import routes_of

Json = dict[str, Any]
PATH = "/api/admin/screens"
PAIR = "/api/screens/pair"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def begun(client: httpx.AsyncClient) -> Json:
    """A pairing that has begun: what the screen sends to ask for its token, and `shown`, what staff see."""
    answer = await client.post(PAIR)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return {"code": body["code"], "poll_secret": body["poll_secret"]}


async def paired(people: People, **more: Any) -> tuple[Person, Json]:
    """A screen of the demo club: a client with its token, and what staff see of it."""
    asked = await begun(people.stranger)
    screen = await people.staff.make(PATH, {"code": asked["code"], "name": "Foyer"} | more)
    answer = await people.stranger.post(PAIR, json=asked)
    assert answer.status_code == 200, answer.text
    return Person(people.stranger, answer.json()["token"]), screen


async def events(context: Context) -> list[tuple[str, int | None, Json]]:
    rows = await context.pool.fetch(
        "SELECT * FROM audit_events WHERE event_type LIKE 'screen.%' ORDER BY created_at, id"
    )
    return [(row["event_type"], row["actor_id"], row["payload"]) for row in rows]


# -- pairing ------------------------------------------------------------------------------------------------


async def test_a_screen_is_paired_by_the_code_that_it_shows(people: People, context: Context) -> None:
    answer = await people.stranger.post(PAIR, json={})
    assert answer.headers["cache-control"] == "no-store"
    begun = answer.json()
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", begun["code"])
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    asked = {"code": begun["code"], "poll_secret": begun["poll_secret"]}
    answer = await people.stranger.post(PAIR, json=asked)
    assert (answer.status_code, answer.json()) == (202, {"status": "pending", "interval": 5})

    typed = begun["code"].lower().replace("-", " ")
    screen = await people.staff.make(PATH, {"code": typed, "name": "Foyer", "court_ids": [3, 1]})
    assert screen["court_ids"] == [1, 3]
    assert (screen["paired"], screen["last_seen_at"], screen["revoked_at"]) == (False, None, None)

    answer = await people.stranger.post(PAIR, json=asked)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    token = answer.json()["token"]
    assert len(token) > 43  # 32 random bytes and a prefix
    assert problem(await people.stranger.post(PAIR, json=asked))[:2] == (410, "pairing_over")
    assert token not in str(await context.pool.fetch("SELECT * FROM screens"))

    me = await Person(people.stranger, token).ask("GET", "/api/screens/me")
    assert (me.status_code, me.headers["cache-control"]) == (200, "no-store")
    assert me.json() | {"now": None, "build": None} == {
        "id": screen["id"],
        "name": "Foyer",
        "role": "screen",
        "club": {"slug": "riverside", "name": "Riverside Racquet Club", "zone": "Europe/London"},
        "court_ids": [1, 3],
        "now": None,
        "build": None,
    }
    assert datetime.fromisoformat(me.json()["now"]) == context.clock()
    listed = (await people.staff.ask("GET", PATH)).json()
    assert [(item["id"], item["paired"]) for item in listed["items"]] == [(screen["id"], True)]
    actor = (await people.staff.ask("GET", "/api/auth/me")).json()["id"]
    assert screen["created_by"] == actor
    assert await events(context) == [
        ("screen.approved", actor, {"screen_id": screen["id"], "court_ids": [1, 3]}),
        ("screen.paired", None, {"screen_id": screen["id"]}),
    ]


async def test_the_token_is_given_out_once_even_to_two_who_ask_at_once(people: People) -> None:
    asked = await begun(people.stranger)
    await people.staff.make(PATH, {"code": asked["code"], "name": "Foyer"})
    answers = await asyncio.gather(*(people.stranger.post(PAIR, json=asked) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]


async def test_the_code_alone_collects_nothing_and_a_pairing_ends_by_itself(
    people: People, clock: FrozenClock, context: Context
) -> None:
    asked = await begun(people.stranger)
    other = await begun(people.stranger)
    await people.staff.make(PATH, {"code": asked["code"], "name": "Foyer"})
    for wrong in ({**asked, "poll_secret": other["poll_secret"]}, {**asked, "code": "BBBB-BBBB"}):
        assert problem(await people.stranger.post(PAIR, json=wrong))[:2] == (410, "pairing_over")
    half = await people.stranger.post(PAIR, json={"code": asked["code"]})
    assert problem(half) == (422, "invalid_request", ["poll_secret"])

    clock.advance(timedelta(minutes=10))
    assert (await people.stranger.post(PAIR, json=asked)).status_code == 410
    assert (await people.stranger.post(PAIR, json=other)).status_code == 410
    late = await people.staff.ask("POST", PATH, {"code": other["code"], "name": "Late"})
    assert problem(late) == (404, "not_found", ["code"])
    clock.advance(timedelta(seconds=1))
    await clear_away(context)
    assert await context.pool.fetchval("SELECT count(*) FROM screen_pairings") == 0


async def test_a_code_is_approved_once_and_with_courts_of_the_club(people: People, context: Context) -> None:
    asked = await begun(people.stranger)
    for wrong, field in (
        ({"court_ids": [1, 99]}, "court_ids[1]"),
        ({"court_ids": []}, "court_ids"),
        ({"court_ids": [2, 2]}, "court_ids"),
        ({"name": "  "}, "name"),
    ):
        refused = await people.staff.ask("POST", PATH, {"code": asked["code"], "name": "Foyer"} | wrong)
        assert problem(refused) == (422, "invalid_request", [field])
    await people.staff.make(PATH, {"code": asked["code"], "name": "Foyer"})
    again = await people.staff.ask("POST", PATH, {"code": asked["code"], "name": "Second"})
    assert problem(again) == (404, "not_found", ["code"])
    assert await context.pool.fetchval("SELECT count(*) FROM screens") == 1


async def test_codes_are_not_to_be_guessed(start_app: StartApp, settings: Settings, people: People) -> None:
    limited = await start_app(replace(settings, rate_limit_per_minute=1000), address="10.9.8.7")
    staff = Person(limited, people.staff.headers["Authorization"].removeprefix("Bearer "))
    statuses = [(await staff.ask("POST", PATH, {"code": f"BBBB-BBB{n}", "name": "x"})).status_code for n in range(11)]
    assert statuses == [404] * 10 + [429]
    assert [(await limited.post(PAIR)).status_code for _ in range(11)] == [201] * 10 + [429]
    asked = {"code": "BBBB-BBBB", "poll_secret": "x"}
    assert [(await limited.post(PAIR, json=asked)).status_code for _ in range(31)] == [410] * 30 + [429]


# -- staff --------------------------------------------------------------------------------------------------


async def test_staff_change_what_a_screen_shows_from_what_they_read(people: People, context: Context) -> None:
    screen, made = await paired(people)
    path = f"{PATH}/{made['id']}"
    change: Json = {"name": "Bar", "court_ids": [2]}
    assert problem(await people.staff.ask("PATCH", path, change))[:2] == (428, "precondition_required")
    answer = await people.staff.ask("PATCH", path, change, If_Match='"1"')
    assert (answer.status_code, answer.headers["etag"], answer.json()["court_ids"]) == (200, '"2"', [2])
    assert problem(await people.staff.ask("PATCH", path, change, If_Match='"1"'))[:2] == (412, "precondition_failed")
    me = (await screen.ask("GET", "/api/screens/me")).json()
    assert (me["name"], me["court_ids"]) == ("Bar", [2])
    answer = await people.staff.ask("PATCH", path, {"court_ids": None}, If_Match='"2"')
    assert answer.json()["court_ids"] is None
    same = await people.staff.ask("PATCH", path, {"name": "Bar"}, If_Match='"3"')
    assert same.json()["version"] == 3
    changes = [payload for event, _, payload in await events(context) if event == "screen.changed"]
    assert [(payload["changed"], payload["court_ids"]) for payload in changes] == [
        (["court_ids", "name"], [2]),
        (["court_ids"], None),
    ]
    assert "Bar" not in str(await events(context))


async def test_screens_are_for_the_staff_of_their_club(people: People, context: Context) -> None:
    _, made = await paired(people)
    asked = await begun(people.stranger)
    body = {"code": asked["code"], "name": "Foyer"}
    path = f"{PATH}/{made['id']}"
    requests: list[tuple[str, str, Any]] = [
        ("GET", PATH, None), ("POST", PATH, body), ("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None),
    ]  # fmt: skip
    for method, where, content in requests:
        answer = await people.player.ask(method, where, content, If_Match='"1"')
        assert problem(answer)[:2] == (403, "forbidden"), (method, where)
    await context.pool.execute("INSERT INTO clubs (slug, name, zone, currency) VALUES ('second', 'S', 'UTC', 'GBP')")
    for method in ("GET", "POST"):
        answer = await people.staff.ask(method, f"{PATH}?club=second", body if method == "POST" else None)
        assert problem(answer)[:2] == (403, "forbidden")


async def test_a_screen_that_is_shut_out_stays_in_the_list_and_sees_nothing_any_more(
    people: People, context: Context
) -> None:
    screen, made = await paired(people)
    path = f"{PATH}/{made['id']}"
    assert (await screen.ask("GET", f"/api/grid?date={DAY}")).status_code == 200
    assert problem(await people.staff.ask("DELETE", path))[:2] == (428, "precondition_required")
    assert (await people.staff.ask("DELETE", path, If_Match='"1"')).status_code == 204
    for where in ("/api/screens/me", f"/api/grid?date={DAY}"):
        answer = await screen.ask("GET", where)
        assert problem(answer)[:2] == (401, "unauthenticated")
    (item,) = (await people.staff.ask("GET", PATH)).json()["items"]
    assert item["revoked_at"] is not None
    assert problem(await people.staff.ask("PATCH", path, {"name": "x"}, If_Match='"2"'))[:2] == (409, "conflict")
    assert (await people.staff.ask("DELETE", path, If_Match='"2"')).status_code == 204
    assert [event for event, _, _ in await events(context)][-1:] == ["screen.revoked"]
    assert len(await events(context)) == 3


async def test_who_is_shut_out_before_it_collected_its_token_gets_none(people: People) -> None:
    asked = await begun(people.stranger)
    made = await people.staff.make(PATH, {"code": asked["code"], "name": "Foyer"})
    assert (await people.staff.ask("DELETE", f"{PATH}/{made['id']}", If_Match='"1"')).status_code == 204
    assert problem(await people.stranger.post(PAIR, json=asked))[:2] == (410, "pairing_over")


# -- what the token opens -----------------------------------------------------------------------------------


async def test_the_token_of_a_screen_opens_its_few_routes_and_nothing_else(app: Litestar, people: People) -> None:
    screen, _ = await paired(people)
    refused = 0
    for method, path in routes_of(app):
        asked = re.sub(r"\{[^}]*_id\}|\{key\}", "1", path).replace("{day}", DAY)
        if (method, path) in OPEN_TO_SCREENS or (is_open(method, path) and path != "/api/prices"):
            continue
        answer = await screen.ask(method, asked)
        # A parameter of another type is refused by the router, which nobody passes.
        assert answer.status_code in ((403, 404) if "{" in path else (403,)), (method, path, answer.text)
        refused += answer.status_code == 403
    assert refused > 30
    for method, path in OPEN_TO_SCREENS - {("GET", "/ws/grid")}:
        assert (await screen.ask(method, path)).status_code == 200, path
        assert (await screen.ask("HEAD", path)).status_code in (200, 405), path


async def test_who_is_no_screen_is_told_so(people: People) -> None:
    assert problem(await people.admin.ask("GET", "/api/screens/me"))[:2] == (403, "forbidden")
    assert problem(await people.stranger.get("/api/screens/me"))[:2] == (401, "unauthenticated")
    for forged in ("screen_", "screen_" + "A" * 43, "screen_" + "A" * 4000, "screen_" + "\u00e9" * 43):
        headers = [(b"Authorization", f"Bearer {forged}".encode("latin-1"))]
        answer = await people.stranger.get("/api/screens/me", headers=headers)
        assert problem(answer)[:2] == (401, "unauthenticated")


async def test_a_screen_sees_the_members_grid_of_its_own_club_alone(people: People, context: Context) -> None:
    screen, _ = await paired(people)
    await context.pool.execute("UPDATE clubs SET grid_visibility = 'members', config_version = config_version + 1")
    await context.pool.execute(
        "INSERT INTO clubs (slug, name, zone, currency, grid_visibility) VALUES ('second', 'S', 'UTC', 'GBP', 'members')"
    )
    for path in ("/api/grid", "/api/courts", "/api/days"):
        answer = await screen.ask("GET", path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache"), path
        assert (await people.stranger.get(path)).status_code == 401
        assert problem(await screen.ask("GET", f"{path}?club=second"))[:2] == (404, "not_found")
    clubs = await screen.ask("GET", "/api/clubs")
    assert [club["slug"] for club in clubs.json()["items"]] == ["riverside"]
    assert clubs.headers["cache-control"] == "private, no-cache"


async def test_a_screen_counts_against_itself_and_not_against_its_address(
    start_app: StartApp, settings: Settings, people: People
) -> None:
    screen, _ = await paired(people)
    limited = await start_app(replace(settings, rate_limit_per_minute=3), address="10.9.8.6")
    one = Person(limited, screen.headers["Authorization"].removeprefix("Bearer "))
    assert [(await one.ask("GET", "/api/screens/me")).status_code for _ in range(6)] == [200] * 6


async def test_courts_that_are_gone_are_not_told_to_a_screen(people: People) -> None:
    screen, _ = await paired(people, court_ids=[5, 6])
    assert (await people.staff.ask("DELETE", "/api/admin/courts/6", If_Match='"1"')).status_code == 204
    assert (await screen.ask("GET", "/api/screens/me")).json()["court_ids"] == [5]


async def test_a_screen_learns_of_another_build_of_the_page(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, _ = await paired(people)
    builds = []
    for number, script in enumerate(("a.js", "b.js", "a.js", None)):
        page = tmp_path / f"{number}.html"
        if script is not None:
            page.write_text(f'<script type="module" src="/assets/{script}"></script>')
        monkeypatch.setattr(screens, "INDEX", page)
        builds.append((await screen.ask("GET", "/api/screens/me")).json()["build"])
    assert builds[0] == builds[2]
    assert builds[3] is None
    assert len({None, *builds}) == 3
