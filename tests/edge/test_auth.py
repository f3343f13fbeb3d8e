"""Accounts over HTTP: tokens and cookies, what is open, and what a broken token gets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.routes import ASGIRoute, HTTPRoute, WebSocketRoute

from server.app import create_app
from server.context import Context
from server.domain.catalogue import Catalogue, Policy
from server.domain.errors import NotFound, Unauthenticated
from server.domain.people import Identity, Membership
from server.edge.identity import Connection, may_see
from server.edge.open_routes import OPEN, OPEN_ON_PUBLIC_GRID, is_open
from server.settings import Settings
from server.usecases import accounts
from tests.conftest import FrozenClock
from tests.edge.conftest import StartApp
from tests.edge.serving import client_of, running
from tests.usecases.people import PASSWORD, last_token, make_club, make_player

ANN = "ann@example.com"
Json = dict[str, Any]


async def register(client: httpx.AsyncClient, email: str = ANN, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/auth/register", json={"email": email, "password": password, "name": "Ann"})


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, *, cookies: bool = False) -> Json:
    body: Json = {"email": ANN, "password": password} | ({"cookies": True} if cookies else {})
    answer = await client.post("/api/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    session: Json = answer.json()
    return session


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/auth/me", headers=bearer(token))


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")


# -- sessions ------------------------------------------------------------------------------------------------


async def test_an_app_that_is_told_nothing_else_hashes_at_the_real_cost(settings: Settings, clock: FrozenClock) -> None:
    app = create_app(settings, clock=clock)
    async with running(app), client_of(app) as client:
        assert (await register(client)).status_code == 202
        kept: str = await app.state.context.pool.fetchval("SELECT password_hash FROM users")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_who_registers_logs_in_and_is_known(client: httpx.AsyncClient, context: Context) -> None:
    club_id = await make_club(context)
    assert (await register(client)).status_code == 202
    session = await log_in(client)
    user = {"id": session["user"]["id"], "email": ANN, "name": "Ann", "role": "player"}
    assert isinstance(user["id"], int)
    assert session == {
        "access_token": session["access_token"],
        "token_type": "bearer",
        "expires_in": 86400,
        "refresh_token": session["refresh_token"],
        "user": user,
    }
    answer = await me(client, session["access_token"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == user | {
        "verified": False,
        "memberships": [{"club_id": club_id, "role": "player", "tier": None, "suspended": False}],
        "reminders": [24, 2],
    }
    assert (await client.post("/api/auth/verify", json={"token": await last_token(context)})).status_code == 204
    assert (await me(client, session["access_token"])).json()["verified"] is True


async def test_known_and_unknown_addresses_get_the_same_answers(client: httpx.AsyncClient, context: Context) -> None:
    await make_player(context, ANN)
    answers = [await register(client, email, "another one") for email in (ANN, "unknown@example.com")]
    answers += [await client.post("/api/auth/forgot", json={"email": email}) for email in (ANN, "nobody@example.com")]
    assert {answer.status_code for answer in answers} == {202}
    for known, unknown in (answers[:2], answers[2:]):
        assert known.content == unknown.content
        assert headers_of(known) == headers_of(unknown)
    refused = [
        await client.post("/api/auth/login", json={"email": email, "password": "wrong password"})
        for email in (ANN, "nobody@example.com")
    ]
    assert refused[0].content == refused[1].content
    assert_problem(refused[0], 401, "bad_credentials")


def headers_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}


async def test_a_session_is_renewed_and_a_stolen_token_ends_it(
    client: httpx.AsyncClient, context: Context, clock: FrozenClock
) -> None:
    await make_player(context, ANN)
    first = await log_in(client)
    clock.advance(timedelta(seconds=1))
    answer = await client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})
    second = answer.json()
    assert answer.status_code == 200
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    clock.advance(timedelta(seconds=11))
    for token in (first["refresh_token"], second["refresh_token"]):
        assert_problem(await client.post("/api/auth/refresh", json={"refresh_token": token}), 401, "unauthenticated")


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}, {"refresh_token": "no such token"}])
async def test_nothing_is_renewed_without_a_refresh_token(client: httpx.AsyncClient, body: Json | None) -> None:
    assert_problem(await client.post("/api/auth/refresh", json=body), 401, "unauthenticated")


@pytest.mark.parametrize("body", [None, {}, {"everywhere": False}, {"everywhere": True}])
async def test_logout_ends_the_session_at_once(client: httpx.AsyncClient, context: Context, body: Json | None) -> None:
    await make_player(context, ANN)
    session, other = await log_in(client), await log_in(client)
    for one in (session, other):
        assert (await me(client, one["access_token"])).status_code == 200
    headers = bearer(session["access_token"])
    answer = (
        await client.post("/api/auth/logout", headers=headers)
        if body is None
        else await client.post("/api/auth/logout", headers=headers, json=body)
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(await me(client, session["access_token"]), 401, "unauthenticated")
    refused = await client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})
    assert_problem(refused, 401, "unauthenticated")
    everywhere = bool(body and body.get("everywhere"))
    assert (await me(client, other["access_token"])).status_code == (401 if everywhere else 200)


async def test_a_new_password_ends_the_old_tokens_at_once_and_begins_a_session(
    client: httpx.AsyncClient, context: Context
) -> None:
    await make_player(context, ANN)
    session = await log_in(client)
    headers = bearer(session["access_token"])
    body = {"old_password": "wrong password", "new_password": "a better one"}
    assert_problem(await client.post("/api/auth/password", headers=headers, json=body), 401, "bad_credentials")
    body["old_password"] = PASSWORD
    fresh = (await client.post("/api/auth/password", headers=headers, json=body)).json()
    assert_problem(await me(client, session["access_token"]), 401, "unauthenticated")
    assert (await me(client, fresh["access_token"])).status_code == 200
    await log_in(client, "a better one")


async def test_a_forgotten_password_is_reset_by_the_mailed_token(client: httpx.AsyncClient, context: Context) -> None:
    await make_player(context, ANN)
    session = await log_in(client)
    await me(client, session["access_token"])
    await client.post("/api/auth/forgot", json={"email": ANN})
    body = {"token": await last_token(context), "password": "a better one"}
    assert (await client.post("/api/auth/reset", json=body)).status_code == 204
    assert_problem(await client.post("/api/auth/reset", json=body), 410, "invalid_link")
    assert_problem(await me(client, session["access_token"]), 401, "unauthenticated")
    await log_in(client, "a better one")


async def test_a_suspension_by_staff_ends_the_old_token(client: httpx.AsyncClient, context: Context) -> None:
    await make_club(context)
    player = await make_player(context, ANN)
    await accounts.create_admin(context, email="admin@example.com", password=PASSWORD)
    answer = await client.post("/api/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
    headers = bearer(answer.json()["access_token"])
    assert (await me(client, player.access_token)).status_code == 200
    path = f"/api/admin/users/{player.account.id}"
    answer = await client.get(path, headers=headers)
    assert answer.json()["suspended"] is False
    headers |= {"If-Match": answer.headers["etag"]}
    assert (await client.patch(path, headers=headers, json={"suspended": True})).json()["suspended"] is True
    assert_problem(await me(client, player.access_token), 401, "unauthenticated")
    assert_problem(await client.patch(path, headers=headers, json={"suspended": False}), 412, "precondition_failed")


# -- cookies -------------------------------------------------------------------------------------------------


async def test_cookies_are_out_of_reach_of_scripts_and_the_body_has_no_token(
    client: httpx.AsyncClient, context: Context, start_app: StartApp, settings: Settings
) -> None:
    await make_player(context, ANN)
    session = await log_in(client, cookies=True)
    assert session.keys() == {"csrf_token", "expires_in", "user"}
    secure = await start_app(replace(settings, public_url="https://club.example"))
    for where, is_secure, names in (
        (client, False, ["courtside_access", "courtside_refresh"]),
        (secure, True, ["__Host-courtside_access", "__Secure-courtside_refresh"]),
    ):
        answer = await where.post("/api/auth/login", json={"email": ANN, "password": PASSWORD, "cookies": True})
        cookies = answer.headers.get_list("set-cookie")
        assert [cookie.split("=")[0] for cookie in cookies] == names
        assert "Path=/;" in cookies[0]
        assert "Domain" not in cookies[0]
        for cookie in cookies:
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert ("Secure" in cookie) is is_secure


async def test_cookies_for_a_page_on_another_site_are_secure_and_partitioned(
    context: Context, start_app: StartApp, settings: Settings
) -> None:
    await make_player(context, ANN)
    client = await start_app(replace(settings, cookie_samesite="none"))
    body = {"email": ANN, "password": PASSWORD, "cookies": True}
    answer = await client.post("/api/auth/login", json=body)
    ending = await client.post("/api/auth/logout", headers={"X-CSRF-Token": answer.json()["csrf_token"]})
    for cookie in answer.headers.get_list("set-cookie") + ending.headers.get_list("set-cookie"):
        attributes = cookie.split("; ")
        assert {"HttpOnly", "SameSite=none", "Secure", "Partitioned"} <= set(attributes), cookie


async def test_over_https_a_session_lives_in_cookies_that_no_sister_host_can_plant(
    context: Context, start_app: StartApp, settings: Settings
) -> None:
    await make_player(context, ANN)
    secure = await start_app(replace(settings, public_url="https://club.example"))
    secure.base_url = httpx.URL("https://club.example")
    session = await log_in(secure, cookies=True)
    csrf = {"X-CSRF-Token": session["csrf_token"]}
    assert (await secure.get("/api/auth/me")).status_code == 200
    assert (await secure.post("/api/auth/refresh", headers=csrf)).status_code == 200
    token = secure.cookies["__Host-courtside_access"]
    secure.cookies.clear()
    planted = {"Cookie": f"courtside_access={token}"}
    assert (await secure.get("/api/auth/me", headers=planted)).status_code == 401
    assert (await secure.get("/health/live", headers=planted)).status_code == 200
    own = {"Cookie": f"courtside_access=planted; __Host-courtside_access={token}"}
    assert (await secure.get("/api/auth/me", headers=own)).status_code == 200
    assert (await secure.post("/api/auth/logout", headers={**own, **csrf})).status_code == 204
    assert (await secure.get("/api/auth/me", headers=own)).status_code == 401


async def test_a_cookie_changes_something_only_with_the_csrf_token(client: httpx.AsyncClient, context: Context) -> None:
    await make_player(context, ANN)
    session = await log_in(client, cookies=True)
    assert (await client.get("/api/auth/me")).json()["csrf_token"] == session["csrf_token"]
    body = {"old_password": PASSWORD, "new_password": "a better one"}
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x" * 32}):
        assert_problem(await client.post("/api/auth/password", headers=wrong, json=body), 403, "csrf_failed")
        assert_problem(await client.post("/api/auth/refresh", headers=wrong), 403, "csrf_failed")
        assert_problem(await client.post("/api/auth/logout", headers=wrong), 403, "csrf_failed")
    right = {"X-CSRF-Token": session["csrf_token"]}
    renewed = await client.post("/api/auth/refresh", headers=right)
    assert (renewed.status_code, renewed.json().keys()) == (200, session.keys())
    changed = (await client.post("/api/auth/password", headers=right, json=body)).json()
    assert (await client.get("/api/auth/me")).status_code == 200
    answer = await client.post("/api/auth/logout", headers={"X-CSRF-Token": changed["csrf_token"]})
    assert answer.status_code == 204
    assert not client.cookies
    assert_problem(await client.get("/api/auth/me"), 401, "unauthenticated")


async def test_one_may_log_in_with_a_stale_cookie_in_the_jar(client: httpx.AsyncClient, context: Context) -> None:
    await make_player(context, ANN)
    client.cookies.set("courtside_access", "stale")
    await log_in(client, cookies=True)
    assert (await client.get("/api/auth/me")).status_code == 200


async def test_a_token_that_was_made_for_a_header_is_no_cookie(client: httpx.AsyncClient, context: Context) -> None:
    session = await make_player(context, ANN)
    client.cookies.set("courtside_access", session.access_token)
    assert_problem(await client.get("/api/auth/me"), 401, "unauthenticated")


async def test_a_bearer_token_needs_no_csrf_token_also_beside_a_cookie(
    client: httpx.AsyncClient, context: Context
) -> None:
    player = await make_player(context, ANN)
    await log_in(client, cookies=True)
    answer = await client.post("/api/auth/logout", headers=bearer(player.access_token))
    assert answer.status_code == 204
    assert client.cookies.get("courtside_access")


# -- broken tokens -------------------------------------------------------------------------------------------


def claims(**changes: object) -> Json:
    payload: Json = {
        "sub": "1",
        "sv": 1,
        "sid": "019f6b3a-0000-7000-8000-000000000000",
        "iat": 1,
        "exp": 4_000_000_000,
        "iss": "courtside",
    }
    payload |= changes
    return {name: value for name, value in payload.items() if value is not None}


def signed(settings: Settings, *, key: str | None = None, algorithm: str = "HS256", **changes: object) -> str:
    return jwt.encode(claims(**changes), settings.jwt_secret if key is None else key, algorithm=algorithm)


def unsigned(_: Settings) -> str:
    header, payload = ({"alg": "none", "typ": "JWT"}, claims())
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)]
    return ".".join([*parts, ""])


BROKEN: dict[str, Callable[[Settings], str]] = {
    "empty": lambda _: "",
    "a space": lambda _: " ",
    "garbage": lambda _: "garbage",
    "two dots": lambda _: "..",
    "not ASCII": lambda _: "tökén",
    "huge": lambda settings: signed(settings, more="x" * 5000),
    "alg none": unsigned,
    "another key": lambda settings: signed(settings, key="k" * 32),
    "another algorithm": lambda settings: signed(settings, key=settings.jwt_secret * 2, algorithm="HS512"),
    "another issuer": lambda settings: signed(settings, iss="elsewhere"),
    "no issuer": lambda settings: signed(settings, iss=None),
    "an expiry beyond all time": lambda settings: signed(settings, exp=10**18),
    "an expiry before all time": lambda settings: signed(settings, exp=-(10**18)),
    "expired": lambda settings: signed(settings, exp=1_000_000_000),
    "no expiry": lambda settings: signed(settings, exp=None),
    "no session version": lambda settings: signed(settings, sv=None),
    "an old session version": lambda settings: signed(settings, sv=0),
    "a session version to come": lambda settings: signed(settings, sv=2),
    "a version that is text": lambda settings: signed(settings, sv="1"),
    "a subject that is no number": lambda settings: signed(settings, sub="ann"),
    "nobody": lambda settings: signed(settings, sub="999"),
    "a negative subject": lambda settings: signed(settings, sub="-1"),
    "a subject beyond bigint": lambda settings: signed(settings, sub=str(2**63)),
    "a session that is no UUID": lambda settings: signed(settings, sid="1"),
    "a cut signature": lambda settings: signed(settings)[:-4],
}


async def test_a_whole_token_made_like_the_broken_ones_would_pass(
    client: httpx.AsyncClient, context: Context, settings: Settings
) -> None:
    player = await make_player(context, ANN)
    assert (await me(client, signed(settings, sub=str(player.account.id)))).status_code == 200


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_token_is_refused_in_the_same_words(
    client: httpx.AsyncClient, context: Context, settings: Settings, kind: str
) -> None:
    player = await make_player(context, ANN)
    assert player.account.id == 1
    token = BROKEN[kind](settings)
    answer = await client.get("/api/auth/me", headers=[(b"Authorization", b"Bearer " + token.encode())])
    assert_problem(answer, 401, "unauthenticated")
    assert answer.json()["detail"] == "This token is not valid, or not any more. Log in again."


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer {}"])
async def test_the_scheme_may_be_written_in_any_case(client: httpx.AsyncClient, context: Context, header: str) -> None:
    player = await make_player(context, ANN)
    answer = await client.get("/api/auth/me", headers={"Authorization": header.format(player.access_token)})
    assert answer.status_code == 200


# -- what is open --------------------------------------------------------------------------------------------


def routes_of(app: Litestar) -> list[tuple[str, str]]:
    """Every route as (method, path template); a socket is opened by a GET."""
    found: list[tuple[str, str]] = []
    for route in app.routes:
        path = route.path_format or "/"
        if isinstance(route, HTTPRoute):
            found += [(str(method), path) for method in route.route_handler_map if method != "OPTIONS"]
        elif isinstance(route, WebSocketRoute | ASGIRoute):
            found.append(("GET", path))
    return found


async def test_every_route_that_is_not_listed_as_open_refuses_a_stranger(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    closed = [(method, path) for method, path in routes_of(app) if not is_open(method, path)]
    assert ("GET", "/api/auth/me") in closed
    for method, path in closed:
        for headers in ({}, bearer("garbage")):
            asked = path.replace("{", "").replace("}", "")
            for parameter in ("_id", "/key"):
                asked = "/".join("1" if part.endswith(parameter) else part for part in asked.split("/"))
            answer = await client.request(method, asked, headers=headers)
            # A parameter of another type is refused by the router, which nobody passes.
            assert answer.status_code in ((401, 404) if "{" in path else (401,)), (method, path, answer.text)
            assert answer.json()["code"] in ("unauthenticated", "not_found")


async def test_what_is_listed_as_open_exists_and_answers_a_stranger(app: Litestar, client: httpx.AsyncClient) -> None:
    routes = set(routes_of(app))
    for method, path in sorted(OPEN | OPEN_ON_PUBLIC_GRID):
        assert (method, path) in routes, f"{method} {path} is listed as open and does not exist"
        answer = await client.request(method, path)
        # Refresh is open and still asks for its own token.
        assert answer.status_code != 401 or path == "/api/auth/refresh", (method, path)


@pytest.mark.parametrize("visibility", ["public", "members"])
def test_a_grid_for_members_is_seen_by_members(visibility: str) -> None:
    catalogue = Catalogue(
        club_id=7, slug="c", name="C", zone="Europe/London", currency="GBP", grid_visibility=visibility,
        epoch="e", config_version=1, policy=Policy(), stacking="additive", courts=(), coaches=(), equipment=(), hours={},
        exceptions={}, rules=(),
    )  # fmt: skip
    stranger = asking(None)
    member, guest = (
        asking(
            Identity(
                user_id=1, email="", name="", verified=True, session_version=1, memberships={club: Membership("player")}
            )
        )
        for club in (7, 8)
    )
    assert may_see(member, catalogue) is not None
    if visibility == "public":
        assert may_see(guest, catalogue) is not None
        assert may_see(stranger, catalogue) is None
    else:
        with pytest.raises(NotFound):
            may_see(guest, catalogue)
        with pytest.raises(Unauthenticated):
            may_see(stranger, catalogue)


def asking(identity: Identity | None) -> Connection:
    scope: Any = {"type": "http", "state": {"identity": identity}}
    return ASGIConnection(scope)


# -- input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("register", {"email": "ann", "password": PASSWORD}),
        ("register", {"email": ANN, "password": "short"}),
        ("register", {"email": ANN, "password": PASSWORD, "role": "admin"}),
        ("register", {"email": ANN, "password": 12345678}),
        ("register", {"email": ANN}),
        ("login", {"email": "nul\0@example.com", "password": PASSWORD}),
        ("login", {"email": ANN, "password": "x" * 2000}),
        ("forgot", {"email": ["ann"]}),
        ("reset", {"token": "x", "password": "short"}),
        ("verify", {"token": ""}),
    ],
)
async def test_what_is_not_well_formed_is_refused_with_its_field(
    client: httpx.AsyncClient, context: Context, path: str, body: Json
) -> None:
    answer = await client.post(f"/api/auth/{path}", json=body)
    assert_problem(answer, 422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] != [""]
    assert await context.pool.fetchval("SELECT count(*) FROM users") == 0
