"""What is kept about oneself: all of it is told, and nothing of it is left after it was asked to be forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from litestar import Litestar

from server.sql.schema import metadata
from server.usecases.housekeeping import clear_away, forget_people
from server.usecases.privacy import Erasure
from server.usecases.seed import DEMO_PASSWORD
from tests.conftest import FrozenClock
from tests.edge.demo import People, booked, slot
from tests.edge.staff import Person, log_in, problem
from tests.edge.test_totp import enrol
from tests.mailing import deliver_due

EMAIL = "player@courtside.example"
NAME = "Pia Player"
EXPORT = "/api/me/export"

TOLD: dict[str, str] = {
    "memberships.user_id": "memberships",
    "refresh_tokens.user_id": "sessions",
    "account_links.user_id": "mailed_links",
    "totp.user_id": "second_factor",
    "recovery_codes.user_id": "recovery_codes",
    "api_keys.user_id": "api_keys",
    "calendar_feeds.user_id": "calendar_feeds",
    "screens.created_by": "screens_approved",
    "series.user_id": "series",
    "bookings.user_id": "bookings",
    "bookings.created_by": "bookings",
    "participants.user_id": "played_with",
    "closures.created_by": "closures_made",
    "waitlist_entries.user_id": "waiting",
    "waitlist_history.user_id": "waited",
    "ledger.user_id": "ledger",
    "idempotency_keys.user_id": "repeated_requests",
}
"""Each column that names a user, and where the export tells of it."""


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@pytest.fixture
async def pool(app: Litestar) -> asyncpg.Pool[asyncpg.Record]:
    made: asyncpg.Pool[asyncpg.Record] = app.state.context.pool
    return made


@pytest.fixture
async def known(people: People, app: Litestar, clock: FrozenClock) -> Person:
    """A player of whom there is something in as many places as can be."""
    player = await log_in(people.stranger, EMAIL)
    await player.ask("POST", "/api/api-keys", {"name": f"of {NAME}", "scopes": ["read:grid"]})
    await enrol(player, clock)
    await booked(player, slot("10:00", "11:00"), Idempotency_Key="own-key-1")
    await booked(people.staff, slot("12:00", "13:00", user_email=EMAIL), Idempotency_Key="staff-key-1")
    await booked(people.player2, slot("15:00", "16:00"))
    waits = {**slot("15:00", "16:00"), "auto_book": True}
    waits["court_id"] = 1
    assert (await player.ask("POST", "/api/waitlist", waits)).status_code == 201
    left = await player.ask("POST", "/api/waitlist", {**slot("12:00", "13:00", court=1), "auto_book": False})
    assert left.status_code in (201, 409)
    await people.stranger.post("/api/auth/forgot", json={"email": EMAIL})
    await people.stranger.post("/api/auth/register", json={"email": EMAIL.upper(), "password": "a pass phrase"})
    while await deliver_due(app.state.context, limit=50):
        pass
    await people.stranger.post("/api/auth/forgot", json={"email": EMAIL})
    return player


def mails_of(app: Litestar) -> list[str]:
    folder = app.state.context.settings.courtside_home / "mail"
    return [file.read_text() for file in folder.glob("*.eml")]


async def everything(pool: asyncpg.Pool[asyncpg.Record]) -> str:
    """All that is in the database, as text."""
    said = []
    for table in metadata.tables:
        for row in await pool.fetch(f'SELECT * FROM "{table}"'):
            said += [
                table,
                *(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row),
            ]
    return "\n".join(said)


# -- told --------------------------------------------------------------------------------------------------


def test_every_column_that_names_a_user_is_told() -> None:
    naming = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        for key in column.foreign_keys
        if key.target_fullname == "users.id"
    }
    assert naming == set(TOLD)


async def test_the_export_has_all_that_is_kept_and_no_secret(
    known: Person, people: People, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    answer = await known.ask("GET", EXPORT)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="courtside-2031-05-14.json"'
    told = answer.json()
    assert (told["account"]["email"], told["account"]["name"]) == (EMAIL, NAME)
    assert "password_hash" not in told["account"]
    user_id = told["account"]["id"]
    for table in metadata.tables.values():
        for column in table.columns:
            section = TOLD.get(f"{table.name}.{column.name}")
            if section is not None:
                count = await pool.fetchval(f"SELECT count(*) FROM {table.name} WHERE {column.name} = $1", user_id)
                assert len(told[section]) >= count, section
    for section in (
        "bookings",
        "waiting",
        "ledger",
        "api_keys",
        "second_factor",
        "repeated_requests",
        "mails_and_jobs",
        "audit",
    ):
        assert told[section], section
    rows = [row for section in told.values() if isinstance(section, list) for row in section]
    secrets = {"token_hash", "key_hash", "code_hash", "secret", "body", "request_hash"}
    assert not any(secrets & set(row) for row in rows)
    assert not any("token" in row.get("payload", {}) for row in told["mails_and_jobs"])
    assert "player2@courtside.example" not in answer.text, "somebody else's"
    other = (await people.player2.ask("GET", EXPORT)).json()
    assert EMAIL not in str(other)


# -- forgotten ---------------------------------------------------------------------------------------------


async def test_who_is_forgotten_is_found_nowhere_any_more(
    known: Person, people: People, app: Litestar, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    assert EMAIL in await everything(pool)
    assert any(EMAIL in mail for mail in mails_of(app))
    user_id = (await known.ask("GET", "/api/auth/me")).json()["id"]
    ledger = await pool.fetchval("SELECT count(*) FROM ledger WHERE user_id = $1", user_id)

    answer = await known.ask("DELETE", "/api/me")
    assert answer.status_code == 204, answer.text

    left = await everything(pool)
    assert EMAIL not in left.lower()
    assert NAME not in left
    assert mails_of(app), "others' are still there"
    assert not any(EMAIL in mail.lower() for mail in mails_of(app))
    assert (await known.ask("GET", "/api/auth/me")).status_code == 401
    told = await pool.fetch(
        "SELECT event_type, actor_id FROM audit_events WHERE event_type LIKE 'account.erase%' ORDER BY id"
    )
    assert [tuple(row) for row in told] == [("account.erase_asked", user_id), ("account.erased", None)]
    assert await pool.fetchval("SELECT count(*) FROM ledger WHERE user_id = $1", user_id) == ledger + 2, (
        "the books stay, and get their refunds"
    )
    statuses = await pool.fetch("SELECT status FROM bookings WHERE user_id = $1", user_id)
    assert [row["status"] for row in statuses] == ["cancelled", "cancelled"]
    credentials = {"email": EMAIL, "password": DEMO_PASSWORD}
    assert problem(await people.stranger.post("/api/auth/login", json=credentials))[:2] == (401, "bad_credentials")
    assert not await pool.fetchval("SELECT count(*) FROM users WHERE id = $1 AND erased_at IS NULL", user_id)
    registered = await people.stranger.post("/api/auth/register", json={"email": EMAIL, "password": "a pass phrase"})
    assert registered.status_code == 202, "the address is free again"


async def test_what_the_forgotten_give_up_goes_to_the_next_in_line(
    people: People, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await booked(people.player, slot("10:00", "11:00"))
    waiting = await people.player2.ask("POST", "/api/waitlist", {**slot("10:00", "11:00"), "auto_book": True})
    assert waiting.status_code == 201
    assert (await people.player.ask("DELETE", "/api/me")).status_code == 204
    held = await pool.fetchval("SELECT held_court_id FROM waitlist_entries WHERE id = $1", waiting.json()["id"])
    assert held == 1


async def test_it_takes_the_password_or_a_fresh_login(people: People, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=11))
    assert problem(await people.player.ask("DELETE", "/api/me"))[:2] == (403, "reauthentication_required")
    assert problem(await people.player.ask("DELETE", "/api/me", {"password": "wrong"}))[:2] == (401, "bad_credentials")
    assert (await people.player.ask("DELETE", "/api/me", {"password": DEMO_PASSWORD})).status_code == 204


async def test_a_cookie_session_ends_with_its_cookies(people: People) -> None:
    client = people.stranger
    credentials = {"email": EMAIL, "password": DEMO_PASSWORD, "cookies": True}
    csrf = (await client.post("/api/auth/login", json=credentials)).json()["csrf_token"]
    assert (await client.delete("/api/me")).status_code == 403, "no CSRF token"
    assert (await client.delete("/api/me", headers={"X-CSRF-Token": csrf})).status_code == 204
    assert dict(client.cookies) == {}


async def test_the_last_administrator_of_a_club_stays(people: People, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    assert problem(await people.admin.ask("DELETE", "/api/me"))[:2] == (409, "conflict")
    assert (await people.admin.ask("GET", "/api/auth/me")).status_code == 200
    staff = (await people.staff.ask("GET", "/api/auth/me")).json()["id"]
    await pool.execute("UPDATE memberships SET role = 'admin' WHERE user_id = $1", staff)
    assert (await people.admin.ask("DELETE", "/api/me")).status_code == 204


async def test_an_erasure_that_was_cut_off_is_finished_by_the_worker(
    people: People, app: Litestar, pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    await booked(people.player, slot("10:00", "11:00"))
    erasure: Erasure = app.state.erasure

    async def die(_: int) -> bool:
        raise ConnectionResetError

    monkeypatch.setattr(erasure, "_finish", die)
    assert (await people.player.ask("DELETE", "/api/me")).status_code >= 500
    monkeypatch.undo()
    assert (await people.player.ask("GET", "/api/auth/me")).status_code == 401, "shut at once"
    assert EMAIL in await everything(pool)
    await forget_people(app.state.context, erasure)
    assert EMAIL not in await everything(pool)


async def test_what_a_slow_process_booked_for_the_forgotten_is_given_up_too(
    people: People, app: Litestar, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    made = await booked(people.player, slot("10:00", "11:00"))
    assert (await people.player.ask("DELETE", "/api/me")).status_code == 204
    await pool.execute("UPDATE bookings SET status = 'confirmed' WHERE id = $1", made["id"])
    await forget_people(app.state.context, app.state.erasure)
    assert await pool.fetchval("SELECT status FROM bookings WHERE id = $1", made["id"]) == "cancelled"


# -- old ---------------------------------------------------------------------------------------------------


async def test_players_who_were_not_there_for_years_are_forgotten(
    people: People, app: Litestar, pool: asyncpg.Pool[asyncpg.Record], clock: FrozenClock
) -> None:
    ages = {"gone": 1100, "still-here": 1000}
    for name, days in ages.items():
        await pool.execute(
            "INSERT INTO users (email, name, password_hash, created_at, last_seen_at, verified_at)"
            " VALUES ($1, $1, 'x', $2, $3, now())",
            f"{name}@example.com",
            clock.now - timedelta(days=2000),
            clock.now - timedelta(days=days),
        )
    await pool.execute(
        "INSERT INTO users (email, name, password_hash, created_at, last_seen_at, verified_at, operator)"
        " VALUES ('operator@example.com', '', 'x', $1, $1, now(), true)",
        clock.now - timedelta(days=2000),
    )
    await forget_people(app.state.context, app.state.erasure)
    left = await everything(pool)
    assert "gone@example.com" not in left
    assert all(f"{name}@example.com" in left for name in ("still-here", "operator"))


async def test_old_days_keys_factors_and_mails_are_cleared_away(
    people: People, app: Litestar, pool: asyncpg.Pool[asyncpg.Record], clock: FrozenClock
) -> None:
    kept: dict[str, int] = {"waitlist_history": 1, "api_keys": 2, "totp": 1}
    user_id, other = [
        (await person.ask("GET", "/api/auth/me")).json()["id"] for person in (people.player, people.player2)
    ]
    for days in (364, 366):
        await pool.execute(
            "INSERT INTO waitlist_history (id, club_id, user_id, slot_hash, kind, start_ts, end_ts, auto_book, priority,"
            " outcome, ended_at) VALUES (gen_random_uuid(), 1, $1, 'x', 'tennis', $2, $3, false, 0, 'left', $3)",
            user_id,
            clock.now - timedelta(days=days, hours=1),
            clock.now - timedelta(days=days),
        )
    for number, (expires, revoked) in enumerate([(-91, None), (-89, None), (300, -91), (300, None)]):
        await pool.execute(
            "INSERT INTO api_keys (user_id, name, prefix, key_hash, scopes, expires_at, revoked_at)"
            " VALUES ($1, 'k', 'p', $2, '{book}', $3, $4)",
            user_id,
            bytes([number]),
            clock.now + timedelta(days=expires),
            None if revoked is None else clock.now + timedelta(days=revoked),
        )
    for one, hours in ((user_id, 23), (other, 25)):
        await pool.execute(
            "INSERT INTO totp (user_id, secret, created_at) VALUES ($1, 'S', $2)",
            one,
            clock.now - timedelta(hours=hours),
        )
    folder = app.state.context.settings.courtside_home / "mail"
    folder.mkdir(parents=True)
    for name in ("20310413T080000Z-a.eml", "20310415T080000Z-b.eml"):
        (folder / name).write_text("To: somebody@example.com\n\n")

    await clear_away(app.state.context)

    assert {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in kept} == kept
    assert [file.name for file in folder.iterdir()] == ["20310415T080000Z-b.eml"]


async def test_a_login_and_a_renewal_are_signs_of_life(
    people: People, pool: asyncpg.Pool[asyncpg.Record], clock: FrozenClock
) -> None:
    async def seen() -> Any:
        return await pool.fetchval("SELECT last_seen_at FROM users WHERE email = $1", EMAIL)

    clock.advance(timedelta(days=3))
    answer: httpx.Response = await people.stranger.post(
        "/api/auth/login", json={"email": EMAIL, "password": DEMO_PASSWORD}
    )
    assert await seen() == clock.now
    clock.advance(timedelta(days=3))
    await people.stranger.post("/api/auth/refresh", json={"refresh_token": answer.json()["refresh_token"]})
    assert await seen() == clock.now
