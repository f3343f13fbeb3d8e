"""The second factor: who is asked for it, what it takes, and how one gets on without it."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from litestar import Litestar

from server.app import create_app
from server.doctor import examine
from server.settings import Settings
from server.usecases import accounts
from server.usecases.housekeeping import clear_away
from server.usecases.sealing import reseal, unseal
from server.usecases.seed import DEMO_PASSWORD
from server.usecases.totp import FAILING_SPAN, MOST_FAILURES, RECOVERY_CODES
from tests.conftest import QUICK_HASHER, FrozenClock
from tests.edge.demo import Demo, People
from tests.edge.serving import client_of, running
from tests.edge.staff import Person, problem

PATH = "/api/auth/totp"
STAFF = "staff@courtside.example"
STEP = timedelta(seconds=30)


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


class Phone:
    """An authenticator app."""

    def __init__(self, secret: str, clock: FrozenClock) -> None:
        self.secret = secret
        self._totp = pyotp.TOTP(secret)
        self._clock = clock

    def code(self, steps: int = 0) -> str:
        return self._totp.at(self._clock.now, counter_offset=steps)


async def enrol(person: Person, clock: FrozenClock) -> tuple[Phone, list[str]]:
    """Turn somebody's second factor on; `person` goes on with the new session. The phone, and the recovery codes."""
    begun = (await person.ask("POST", PATH, {"password": DEMO_PASSWORD})).json()
    phone = Phone(begun["secret"], clock)
    answer = await person.ask("POST", f"{PATH}/confirm", {"code": phone.code()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    person.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return phone, answer.json()["recovery_codes"]


async def login(client: httpx.AsyncClient, email: str = STAFF, **more: Any) -> httpx.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": DEMO_PASSWORD, **more})


# -- with and without --------------------------------------------------------------------------------------


async def test_a_login_without_a_second_factor_is_as_it_ever_was(people: People) -> None:
    answer = await login(people.stranger)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert (await login(people.stranger, totp="123456")).status_code == 200, "nothing to compare it with"
    status = (await people.staff.ask("GET", PATH)).json()
    assert status == {"enabled": False, "required": False, "recovery_codes_left": 0}


async def test_what_is_begun_and_not_confirmed_is_asked_of_nobody(people: People, clock: FrozenClock) -> None:
    first = (await people.staff.ask("POST", PATH, {"password": DEMO_PASSWORD})).json()
    assert first["otpauth_uri"].startswith("otpauth://totp/Courtside:staff%40courtside.example?secret=")
    assert f"secret={first['secret']}" in first["otpauth_uri"]
    assert (await login(people.stranger)).status_code == 200
    second = (await people.staff.ask("POST", PATH, {"password": DEMO_PASSWORD})).json()
    assert second["secret"] != first["secret"]
    answer = await people.staff.ask("POST", f"{PATH}/confirm", {"code": Phone(first["secret"], clock).code()})
    assert problem(answer) == (401, "totp_wrong", ["code"])
    answer = await people.player.ask("POST", f"{PATH}/confirm", {"code": "123456"})
    assert problem(answer)[:2] == (409, "conflict")


async def test_a_login_with_a_second_factor_takes_a_code_that_is_good_once(people: People, clock: FrozenClock) -> None:
    old = dict(people.staff.headers)
    phone, codes = await enrol(people.staff, clock)
    assert len(set(codes)) == RECOVERY_CODES
    assert (await people.stranger.get("/api/auth/me", headers=old)).status_code == 401, "all sessions have ended"
    assert (await people.staff.ask("GET", "/api/admin/users")).status_code == 200, "but for the new one"
    assert problem(await login(people.stranger))[:2] == (401, "totp_required")
    assert problem(await login(people.stranger, password="wrong"))[:2] == (401, "bad_credentials")
    assert problem(await login(people.stranger, totp=phone.code())) == (401, "totp_wrong", ["totp"]), "it confirmed"
    clock.advance(STEP)
    code = phone.code()
    answer = await login(people.stranger, totp=f"{code[:3]} {code[3:]}", cookies=True)
    assert answer.status_code == 200
    assert "csrf_token" in answer.json()
    assert problem(await login(people.stranger, totp=code))[:2] == (401, "totp_wrong"), "replayed"


async def test_a_clock_may_be_off_by_one_step_and_an_older_code_than_the_last_is_refused(
    people: People, clock: FrozenClock
) -> None:
    phone, _ = await enrol(people.staff, clock)
    clock.advance(10 * STEP)
    assert (await login(people.stranger, totp=phone.code(2))).status_code == 401
    assert (await login(people.stranger, totp=phone.code(-2))).status_code == 401
    assert (await login(people.stranger, totp=phone.code(1))).status_code == 200
    assert (await login(people.stranger, totp=phone.code(0))).status_code == 401, "older than the one that was taken"


async def test_of_two_logins_with_one_code_at_once_one_gets_in(people: People, clock: FrozenClock) -> None:
    phone, _ = await enrol(people.staff, clock)
    clock.advance(STEP)
    answers = await asyncio.gather(*(login(people.stranger, totp=phone.code()) for _ in range(6)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 5}


async def test_a_recovery_code_lets_in_once_and_is_kept_as_a_hash(
    people: People, clock: FrozenClock, app: Litestar
) -> None:
    _, codes = await enrol(people.staff, clock)
    assert (await login(people.stranger, totp=codes[0].lower().replace("-", " "))).status_code == 200
    assert (await login(people.stranger, totp=codes[0])).status_code == 401
    assert (await people.staff.ask("GET", PATH)).json()["recovery_codes_left"] == RECOVERY_CODES - 1
    kept = str([dict(row) for row in await app.state.context.pool.fetch("SELECT * FROM recovery_codes")])
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    trail = [row["event_type"] for row in await app.state.context.pool.fetch("SELECT * FROM audit_events ORDER BY id")]
    assert [name for name in trail if name.startswith("totp.")] == ["totp.enabled", "totp.recovery_code_used"]


async def test_wrong_codes_are_counted_with_the_account_and_bar_the_right_one_for_a_while(
    people: People, clock: FrozenClock, app: Litestar
) -> None:
    phone, codes = await enrol(people.staff, clock)
    clock.advance(STEP)
    for _ in range(MOST_FAILURES):
        assert (await login(people.stranger, totp="000000")).status_code == 401
    answer = await login(people.stranger, totp=phone.code())
    assert problem(answer)[:2] == (429, "rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= FAILING_SPAN.total_seconds() + 1
    assert (await login(people.stranger, totp=codes[0])).status_code == 429
    assert problem(await login(people.stranger))[:2] == (401, "totp_required")
    clock.advance(FAILING_SPAN)
    assert (await login(people.stranger, totp=phone.code())).status_code == 200
    assert await app.state.context.pool.fetchval("SELECT failures FROM totp") == 0


async def test_it_is_turned_off_with_a_last_code_and_all_sessions_end(people: People, clock: FrozenClock) -> None:
    phone, _ = await enrol(people.staff, clock)
    assert problem(await people.staff.ask("POST", PATH, {}))[:2] == (409, "conflict"), "there is one"
    clock.advance(STEP)
    assert (await people.staff.ask("POST", f"{PATH}/off", {"code": "000000"})).status_code == 401
    old = dict(people.staff.headers)
    answer = await people.staff.ask("POST", f"{PATH}/off", {"code": phone.code()})
    assert answer.status_code == 200
    assert (await people.stranger.get("/api/auth/me", headers=old)).status_code == 401
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await people.stranger.get("/api/auth/me", headers=bearer)).status_code == 200
    assert (await login(people.stranger)).status_code == 200
    answer = await people.stranger.post(f"{PATH}/off", json={"code": "000000"}, headers=bearer)
    assert problem(answer)[:2] == (409, "conflict")


async def test_a_session_that_is_not_fresh_needs_the_password(people: People, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=11))
    assert problem(await people.staff.ask("POST", PATH, {}))[:2] == (403, "reauthentication_required")
    assert problem(await people.staff.ask("POST", PATH, {"password": "wrong"}))[:2] == (401, "bad_credentials")
    assert (await people.staff.ask("POST", PATH, {"password": DEMO_PASSWORD})).status_code == 200


async def test_a_cookie_session_goes_on_in_cookies(people: People, clock: FrozenClock, app: Litestar) -> None:
    async with client_of(app) as client:
        client.headers["X-CSRF-Token"] = (await login(client, cookies=True)).json()["csrf_token"]
        secret = (await client.post(PATH, json={})).json()["secret"]
        answer = await client.post(f"{PATH}/confirm", json={"code": Phone(secret, clock).code()})
        assert set(answer.json()) == {"csrf_token", "expires_in", "user", "recovery_codes"}
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        assert (await client.get("/api/auth/me")).json()["email"] == STAFF


# -- how its secret is kept ---------------------------------------------------------------------------------


async def test_the_database_alone_tells_no_secret(people: People, clock: FrozenClock, app: Litestar) -> None:
    begun = (await people.staff.ask("POST", PATH, {"password": DEMO_PASSWORD})).json()
    row = await app.state.context.pool.fetchrow("SELECT * FROM totp")
    assert begun["secret"] not in str(dict(row))
    assert unseal(app.state.context.settings, row["secret"], row["sealed_by"]) == begun["secret"]


async def test_a_secret_from_before_they_were_sealed_is_good_and_gets_sealed(
    people: People, clock: FrozenClock, app: Litestar
) -> None:
    context = app.state.context
    phone, _ = await enrol(people.staff, clock)
    await context.pool.execute("UPDATE totp SET secret = $1, sealed_by = NULL", phone.secret)
    clock.advance(STEP)
    assert (await login(people.stranger, totp=phone.code())).status_code == 200

    await clear_away(context)

    assert await context.pool.fetchval("SELECT secret FROM totp") != phone.secret
    assert await reseal(context, limit=10) == 0, "nothing is left"
    clock.advance(STEP)
    assert (await login(people.stranger, totp=phone.code())).status_code == 200


async def test_while_keys_are_exchanged_secrets_of_both_are_read_and_the_old_ones_sealed_anew(
    people: People, clock: FrozenClock, app: Litestar, settings: Settings
) -> None:
    phone, _ = await enrol(people.staff, clock)
    planned = replace(settings, jwt_secret=secrets.token_hex(32), jwt_secret_previous=settings.jwt_secret)
    assert await enters(planned, clock, phone), "before it is sealed anew"
    (finding,) = [one for one in await examine(planned, processes=1) if one.name.startswith("second factors")]
    assert finding.trouble == "1 are not sealed with JWT_SECRET yet; run `courtside reseal`, or a worker."

    assert await reseal(replace(app.state.context, settings=planned), limit=10) == 1

    assert await enters(planned, clock, phone)
    assert await enters(replace(planned, jwt_secret_previous=""), clock, phone), "and with the new key alone"


async def test_without_its_key_a_recovery_code_lets_in_and_nobody_is_barred(
    people: People, clock: FrozenClock, settings: Settings
) -> None:
    phone, codes = await enrol(people.staff, clock)
    clock.advance(STEP)
    made = create_app(replace(settings, jwt_secret=secrets.token_hex(32)), clock=clock, hasher=QUICK_HASHER)
    async with running(made), client_of(made) as client:
        for _ in range(MOST_FAILURES + 1):
            answer = await login(client, totp=phone.code())
            assert problem(answer) == (401, "totp_wrong", ["totp"])
            assert "a recovery code" in answer.json()["detail"]
        assert (await login(client, totp=codes[0])).status_code == 200


async def enters(settings: Settings, clock: FrozenClock, phone: Phone) -> bool:
    """Whether the phone's next code lets staff in where these settings hold."""
    clock.advance(STEP)
    made = create_app(settings, clock=clock, hasher=QUICK_HASHER)
    async with running(made), client_of(made) as client:
        return (await login(client, totp=phone.code())).status_code == 200


# -- staff -------------------------------------------------------------------------------------------------


async def test_where_it_is_required_staff_are_players_until_they_have_it(
    settings: Settings, demo: Demo, clock: FrozenClock
) -> None:
    made = create_app(replace(settings, require_staff_totp=True), clock=clock, hasher=QUICK_HASHER)
    async with running(made), client_of(made) as client:
        staff, player = Person(client, demo.tokens["staff"]), Person(client, demo.tokens["player"])
        assert problem(await staff.ask("GET", "/api/admin/users"))[:2] == (403, "totp_enrolment_required")
        assert problem(await player.ask("GET", "/api/admin/users"))[:2] == (403, "forbidden")
        assert (await staff.ask("GET", PATH)).json()["required"] is True
        assert (await player.ask("GET", PATH)).json()["required"] is False
        body = {"court_id": 1, "start_ts": "2031-05-15T10:00", "end_ts": "2031-05-15T11:00"}
        for_another = {**body, "user_email": "player@courtside.example"}
        assert problem(await staff.ask("POST", "/api/bookings", for_another))[:2] == (403, "forbidden")
        assert (await staff.ask("POST", "/api/bookings", body)).status_code == 201
        await enrol(staff, clock)
        assert (await staff.ask("GET", "/api/admin/users")).status_code == 200
        assert (await staff.ask("GET", PATH)).json()["required"] is False


async def test_a_lost_factor_is_taken_away_by_who_has_a_say(people: People, clock: FrozenClock, app: Litestar) -> None:
    await enrol(people.staff, clock)
    me = (await people.staff.ask("GET", "/api/auth/me")).json()["id"]
    path = f"/api/admin/users/{me}/totp"
    assert problem(await people.staff.ask("DELETE", path))[:2] == (403, "forbidden"), "not one's own"
    assert problem(await people.player.ask("DELETE", path))[:2] == (403, "forbidden")
    assert (await people.admin.ask("DELETE", path)).status_code == 204
    assert (await people.staff.ask("GET", "/api/auth/me")).status_code == 401, "all sessions have ended"
    assert (await login(people.stranger)).status_code == 200
    assert (await people.admin.ask("DELETE", path)).status_code == 404
    row = await app.state.context.pool.fetchrow("SELECT * FROM audit_events WHERE event_type = 'totp.reset'")
    assert (row["payload"], row["actor_id"] != me) == ({"user_id": me}, True)


async def test_the_console_takes_it_away_too(people: People, clock: FrozenClock, app: Litestar) -> None:
    await enrol(people.admin, clock)
    assert problem(await login(people.stranger, "admin@courtside.example"))[:2] == (401, "totp_required")
    await accounts.create_admin(app.state.context, email="admin@courtside.example", password=DEMO_PASSWORD)
    assert (await login(people.stranger, "admin@courtside.example")).status_code == 200
