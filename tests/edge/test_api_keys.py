"""API keys: what each scope opens and nothing else does, who makes and ends them, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import httpx
import pytest
import websockets
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute

from server.app import create_app
from server.edge.open_routes import OPEN, OPEN_PAGES
from server.edge.scopes import ROUTES, Scope, scope_of
from server.live.protocol import FORBIDDEN, SESSION_ENDED
from server.settings import Settings
from server.usecases.api_keys import KEY_PREFIX, MOST_KEYS
from server.usecases.seed import DEMO_PASSWORD
from tests.conftest import BASE_SETTINGS, FrozenClock
from tests.edge.conftest import StartServer
from tests.edge.demo import Demo, People, booked, slot
from tests.edge.serving import client_of, running
from tests.edge.staff import Person, log_in, problem

Json = dict[str, Any]
PATH = "/api/api-keys"
ADMIN = "/api/admin/api-keys"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def make_key(person: Person, *scopes: str, **more: Any) -> tuple[Json, Person]:
    """A key of somebody's, and a client that uses it."""
    answer = await person.ask("POST", PATH, {"name": "till", "scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: Json = answer.json()
    return made, Person(person.client, made["key"])


# -- scopes ------------------------------------------------------------------------------------------------


FEEDS = ("/api/calendar-feed", "/api/admin/courts/{court_id}/calendar-feed")


def test_every_route_needs_a_scope_or_is_named_as_none_for_keys() -> None:
    made = create_app(replace(BASE_SETTINGS, database_url="postgresql://nowhere", redis_url="redis://nowhere"))
    routes = {
        (str(method), route.path_format)
        for route in made.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method not in ("HEAD", "OPTIONS")
    }
    routes |= {("GET", route.path_format) for route in made.routes if isinstance(route, WebSocketRoute)}
    assert set(ROUTES) <= routes
    closed = {(method, path) for method, path in routes if scope_of(method, path) is None}
    own_account = {route for route in closed if route[1].startswith(("/api/auth/", "/api/api-keys", "/api/me"))}
    pages = {(method, path) for method, path in closed if path.startswith(OPEN_PAGES)}
    assert closed - OPEN - pages - own_account == {
        ("POST", "/api/ws-ticket"),
        ("GET", "/api/screens/me"),
        *((method, path) for method in ("GET", "POST", "DELETE") for path in FEEDS),
        ("GET", "/api/admin/api-keys"),
        ("DELETE", "/api/admin/api-keys/{key_id}"),
    }


async def test_a_key_opens_what_its_scopes_say_and_nothing_else(people: People) -> None:
    booking = await booked(people.player, slot("18:00", "19:00"))
    asked: list[tuple[str, str, Json | None, str | None]] = [
        ("GET", "/api/grid", None, "read:grid"),
        ("GET", "/api/clubs", None, "read:grid"),
        ("GET", "/api/bookings", None, "read:bookings"),
        ("GET", f"/api/bookings/{booking['id']}", None, "read:bookings"),
        ("POST", "/api/quotes", slot("10:00", "11:00"), "read:grid"),
        ("POST", "/api/bookings", slot("10:00", "11:00"), "book"),
        ("GET", "/api/admin/users", None, "read:staff"),
        ("POST", "/api/admin/waitlist/promote", None, "staff"),
        ("GET", "/api/auth/me", None, None),
        ("POST", "/api/auth/logout", None, None),
        ("POST", "/api/ws-ticket", None, None),
        ("GET", PATH, None, None),
        ("POST", PATH, {"name": "more", "scopes": ["read:grid"]}, None),
        ("GET", ADMIN, None, None),
    ]
    for scope in get_args(Scope):
        _, key = await make_key(people.staff, scope)
        for method, path, body, needed in asked:
            answer = await key.ask(method, path, body)
            opens = needed == scope or (needed, scope) == ("read:staff", "staff")
            assert (answer.status_code != 403) == opens or (path.startswith("/api/bookings/") and opens), (
                scope,
                path,
                answer.text,
            )


async def test_a_key_acts_for_its_owner_and_without_a_staff_scope_as_a_player(people: People) -> None:
    _, player = await make_key(people.player, "book", "read:bookings")
    made = await booked(player, slot("10:00", "11:00"))
    assert [item["id"] for item in (await people.player.ask("GET", "/api/bookings")).json()["items"]] == [made["id"]]

    _, plain = await make_key(people.staff, "book", "read:bookings", "read:staff")
    for_another = slot("11:00", "12:00", user_email="player@courtside.example")
    assert problem(await plain.ask("POST", "/api/bookings", for_another))[:2] == (403, "forbidden")
    assert (await plain.ask("GET", f"/api/bookings/{made['id']}")).status_code == 404, "somebody else's"
    _, full = await make_key(people.staff, "book", "staff")
    assert (await full.ask("POST", "/api/bookings", for_another)).status_code == 201


async def test_what_is_open_to_everybody_is_refused_to_a_key_that_does_not_reach_so_far(people: People) -> None:
    _, key = await make_key(people.player, "book")
    assert problem(await key.ask("GET", "/api/grid"))[:2] == (403, "forbidden")
    assert (await key.ask("GET", "/health/live")).status_code == 200
    answer = await key.ask("POST", "/api/auth/login", {"email": "player@courtside.example", "password": DEMO_PASSWORD})
    assert answer.status_code == 200


async def test_only_staff_give_a_key_a_staff_scope(people: People) -> None:
    for scope in ("staff", "read:staff"):
        answer = await people.player.ask("POST", PATH, {"name": "till", "scopes": [scope]})
        assert problem(answer)[:2] == (403, "forbidden")


async def test_a_key_is_no_cookie(people: People) -> None:
    made, _ = await make_key(people.player, "read:bookings")
    cookie = {"Cookie": f"courtside_access={made['key']}"}
    assert (await people.stranger.get("/api/bookings", headers=cookie)).status_code == 401


# -- their life --------------------------------------------------------------------------------------------


async def test_only_the_hash_of_a_key_is_kept(people: People, app: Litestar) -> None:
    made, _ = await make_key(people.player, "read:grid")
    listed = (await people.player.ask("GET", PATH)).json()["items"]
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"].startswith(made["prefix"])
    assert len(made["prefix"]) == len(KEY_PREFIX) + 6
    row = await app.state.context.pool.fetchrow("SELECT * FROM api_keys")
    assert made["key"] not in str(dict(row))
    trail = await app.state.context.pool.fetch("SELECT * FROM audit_events WHERE event_type LIKE 'api_key.%'")
    assert [(row["event_type"], row["actor_id"], row["payload"]["api_key_id"]) for row in trail] == [
        ("api_key.created", made["user_id"], made["id"])
    ]


async def test_a_revoked_key_opens_nothing_here_at_once_and_elsewhere_after_the_next_look(
    people: People, app: Litestar, settings: Settings, clock: FrozenClock
) -> None:
    made, key = await make_key(people.player, "read:bookings")
    other = create_app(settings, clock=clock)
    async with running(other), client_of(other) as client:
        elsewhere = Person(client, made["key"])
        assert (await elsewhere.ask("GET", "/api/bookings")).status_code == 200
        assert (await people.player2.ask("DELETE", f"{PATH}/{made['id']}")).status_code == 404
        assert (await key.ask("GET", "/api/bookings")).status_code == 200
        for _ in range(2):
            assert (await people.player.ask("DELETE", f"{PATH}/{made['id']}")).status_code == 204
        assert problem(await key.ask("GET", "/api/bookings"))[:2] == (401, "unauthenticated")
        await other.state.api_keys.refresh()
        assert (await elsewhere.ask("GET", "/api/bookings")).status_code == 401
    assert (await people.player.ask("GET", PATH)).json()["items"][0]["revoked_at"] is not None
    assert await app.state.context.pool.fetchval(
        "SELECT count(*) FROM audit_events WHERE event_type = 'api_key.revoked'"
    ) == 1  # fmt: skip


async def test_a_key_expires_and_notes_when_it_was_used(people: People, app: Litestar, clock: FrozenClock) -> None:
    made, key = await make_key(people.player, "read:grid", expires_in_days=2)
    clock.advance(timedelta(days=1))
    assert (await key.ask("GET", "/api/grid")).status_code == 200
    await app.state.api_keys.refresh()
    used = await app.state.context.pool.fetchval("SELECT last_used_at FROM api_keys WHERE id = $1", made["id"])
    assert used == clock.now
    clock.advance(timedelta(days=1))
    assert (await key.ask("GET", "/api/grid")).status_code == 401


async def test_a_suspended_owner_takes_the_keys_along_and_a_new_password_by_mail_ends_them(
    people: People, app: Litestar
) -> None:
    made, key = await make_key(people.player, "read:bookings")
    pool = app.state.context.pool
    await pool.execute("UPDATE users SET suspended_at = now() WHERE id = $1", made["user_id"])
    await app.state.identities.refresh()
    assert (await key.ask("GET", "/api/bookings")).status_code == 401
    await pool.execute("UPDATE users SET suspended_at = NULL WHERE id = $1", made["user_id"])
    await app.state.identities.refresh()
    assert (await key.ask("GET", "/api/bookings")).status_code == 200
    await people.stranger.post("/api/auth/forgot", json={"email": "player@courtside.example"})
    token = await pool.fetchval("SELECT payload->>'token' FROM outbox WHERE kind = 'mail.reset'")
    answer = await people.stranger.post("/api/auth/reset", json={"token": token, "password": "another password"})
    assert answer.status_code == 204
    await app.state.api_keys.refresh()
    assert (await key.ask("GET", "/api/bookings")).status_code == 401


async def test_a_session_that_is_not_fresh_needs_the_password_for_a_key(people: People, clock: FrozenClock) -> None:
    person = await log_in(people.stranger, "player@courtside.example")
    body = {"name": "till", "scopes": ["read:grid"]}
    assert (await person.ask("POST", PATH, body)).status_code == 201
    clock.advance(timedelta(minutes=11))
    assert problem(await person.ask("POST", PATH, body))[:2] == (403, "reauthentication_required")
    assert problem(await person.ask("POST", PATH, {**body, "password": "wrong"}))[:2] == (401, "bad_credentials")
    assert (await person.ask("POST", PATH, {**body, "password": DEMO_PASSWORD})).status_code == 201


async def test_nobody_has_more_keys_than_can_be_looked_after(people: People) -> None:
    for _ in range(MOST_KEYS):
        await make_key(people.player, "read:grid")
    answer = await people.player.ask("POST", PATH, {"name": "one more", "scopes": ["read:grid"]})
    assert problem(answer)[:2] == (409, "conflict")


# -- staff -------------------------------------------------------------------------------------------------


async def test_staff_see_and_end_the_keys_of_members(people: People, app: Litestar) -> None:
    players, key = await make_key(people.player, "read:bookings")
    admins, _ = await make_key(people.admin, "staff")
    listed = (await people.staff.ask("GET", ADMIN)).json()
    assert [item["id"] for item in listed["items"]] == [players["id"], admins["id"]]
    assert listed["next"] is None
    assert not any("key" in item for item in listed["items"])
    assert (await people.player.ask("GET", ADMIN)).status_code == 403
    assert (await people.staff.ask("DELETE", f"{ADMIN}/{admins['id']}")).status_code == 403, "an administrator's"
    assert (await people.staff.ask("DELETE", f"{ADMIN}/{players['id']}")).status_code == 204
    assert (await key.ask("GET", "/api/bookings")).status_code == 401
    assert (await people.staff.ask("DELETE", f"{ADMIN}/999")).status_code == 404
    trail = await app.state.context.pool.fetchrow("SELECT * FROM audit_events WHERE event_type = 'api_key.revoked'")
    assert trail["actor_id"] != players["user_id"]


async def test_a_key_that_acts_in_other_clubs_too_is_ended_by_who_has_a_say_in_all(
    people: People, app: Litestar
) -> None:
    made, _ = await make_key(people.player, "read:grid")
    pool = app.state.context.pool
    other = await pool.fetchval(
        "INSERT INTO clubs (slug, name, zone, currency) VALUES ('hill', 'Hill', 'Europe/London', 'GBP') RETURNING id"
    )
    await pool.execute("INSERT INTO memberships (user_id, club_id) VALUES ($1, $2)", made["user_id"], other)
    assert (await people.admin.ask("DELETE", f"{ADMIN}/{made['id']}")).status_code == 403


# -- the live grid and the limits --------------------------------------------------------------------------


async def test_a_key_counts_as_its_owner(demo: Demo, settings: Settings, clock: FrozenClock) -> None:
    app = create_app(replace(settings, rate_limit_per_minute=2), clock=clock)
    async with running(app), client_of(app, address="10.98.76.54") as client:
        made, key = await make_key(Person(client, demo.tokens["player"]), "read:bookings")
        headers = (await key.ask("GET", "/api/bookings")).headers
        assert headers["ratelimit-limit"] == "40", "the address's ceiling is the tighter one; no stranger's 2"
        left = int(headers["ratelimit-remaining"])
        other, _ = await make_key(Person(client, demo.tokens["player2"]), "read:bookings")
        assert other["user_id"] != made["user_id"]
        assert int((await key.ask("GET", "/api/bookings")).headers["ratelimit-remaining"]) == left - 2


async def test_a_key_watches_the_live_grid_until_it_is_revoked(
    start_server: StartServer, settings: Settings, demo: Demo
) -> None:
    server = await asyncio.to_thread(start_server, settings)
    async with httpx.AsyncClient(base_url=server.url) as client:
        person = await log_in(client, "player@courtside.example")
        made, _ = await make_key(person, "read:grid")
        _, reader = await make_key(person, "read:bookings")
        uri = f"ws://127.0.0.1:{server.port}/ws/grid"
        hello = json.dumps({"t": "hello", "topics": []})
        async with websockets.connect(uri, additional_headers=reader.headers) as refused:
            await refused.send(hello)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(_until_closed(refused), 20)
            assert refused.close_code == FORBIDDEN
        bearer = {"Authorization": f"Bearer {made['key']}"}
        async with websockets.connect(uri, additional_headers=bearer) as socket:
            await socket.send(hello)
            assert "welcome" in str(await asyncio.wait_for(socket.recv(), 10))
            assert (await person.ask("DELETE", f"{PATH}/{made['id']}")).status_code == 204
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(_until_closed(socket), 20)
            assert socket.close_code == SESSION_ENDED


async def _until_closed(socket: websockets.ClientConnection) -> None:
    async for _ in socket:
        pass
    raise websockets.ConnectionClosedOK(None, None)
