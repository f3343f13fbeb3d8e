"""Idempotency-Key over HTTP: a repeated request gets the first answer, byte for byte, and is done once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from server.context import Context
from server.settings import Settings
from tests.conftest import FrozenClock, administer
from tests.edge.conftest import StartApp
from tests.edge.demo import DAY, Demo, People, booked, new_key, slot
from tests.edge.staff import Person, problem

Json = dict[str, Any]


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def book(person: Person, body: Json, key: str) -> httpx.Response:
    return await person.ask("POST", "/api/bookings", body, Idempotency_Key=key)


def same(one: httpx.Response, other: httpx.Response) -> bool:
    return (one.status_code, one.content, one.headers["content-type"]) == (
        other.status_code,
        other.content,
        other.headers["content-type"],
    )


async def count(context: Context, table: str = "bookings") -> int:
    return int(await context.pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_retry_gets_the_same_bytes_and_books_once(people: People, context: Context) -> None:
    first = await book(people.player, slot(), "one")
    again = await book(people.player, slot(), "one")
    assert first.status_code == 201
    assert same(first, again)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await count(context), await count(context, "audit_events WHERE event_type = 'confirmed'")) == (1, 1)


async def test_a_retry_gets_the_first_answer_whatever_has_happened_since(
    people: People, clock: FrozenClock, context: Context
) -> None:
    first = await book(people.player, slot("10:00", "11:00", day="2031-05-14"), "one")
    await people.player.ask("POST", f"/api/bookings/{first.json()['id']}/cancel")
    clock.advance(timedelta(minutes=40))  # what has begun can no longer be booked
    token = {"email": "player@courtside.example", "password": "courtside-demo"}
    answer = await people.stranger.post("/api/auth/login", json=token)
    later = Person(people.stranger, answer.json()["access_token"])
    assert same(first, await book(later, slot("10:00", "11:00", day="2031-05-14"), "one"))
    other = await book(later, slot("10:30", "11:30", day="2031-05-14"), "one")
    assert problem(other)[:2] == (422, "idempotency_key_reused")
    assert await count(context) == 1


async def test_the_same_key_with_another_body_is_refused_and_books_nothing(people: People, context: Context) -> None:
    await booked(people.player, slot(), Idempotency_Key="one")
    for other in (slot("12:00", "13:00"), slot(expected_total=3000), slot(court=2), slot(coach_id=1)):
        assert problem(await book(people.player, other, "one"))[:2] == (422, "idempotency_key_reused")
    assert await count(context) == 1


async def test_the_same_body_in_other_words_is_the_same_request(people: People) -> None:
    first = await book(people.player, slot(), "one")
    again = await book(people.player, slot(coach_id=None, equipment=[], waitlist=False), "one")
    assert same(first, again)


async def test_both_at_once_in_two_processes_are_one_booking(
    start_app: StartApp, settings: Settings, demo: Demo, context: Context
) -> None:
    one, other = People(await start_app(settings), demo.tokens), People(await start_app(settings), demo.tokens)
    for turn in range(5):
        body = slot(day=f"2031-05-2{turn}")
        answers = await asyncio.gather(
            *(book(person, body, f"turn-{turn}") for person in (one.player, other.player, one.player, other.player))
        )
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 3
    assert await count(context) == 5


async def test_a_refusal_is_remembered_as_the_problem_that_it_was(people: People) -> None:
    made = await booked(people.player2, slot())
    first = await book(people.player, slot(), "one")
    assert problem(first)[:2] == (409, "slot_taken")
    await people.player2.ask("POST", f"/api/bookings/{made['id']}/cancel")
    again = await book(people.player, slot(), "one")
    assert same(first, again)
    assert again.headers["content-type"] == "application/problem+json"
    assert (await book(people.player, slot(), "two")).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (slot(court=99), 422, "unknown_court"),
        (slot("05:00", "06:00"), 422, "outside_hours"),
        (slot(coach_id=99), 422, "unknown_coach"),
        (slot(day="2031-05-13"), 422, "bad_time"),
        (slot(user_email="player2@courtside.example"), 403, "forbidden"),
    ],
)
async def test_what_is_refused_without_looking_at_what_is_taken_is_remembered_as_well(
    people: People, context: Context, body: Json, status: int, code: str
) -> None:
    first = await book(people.player, body, "one")
    assert problem(first)[:2] == (status, code)
    again = await book(people.player, body, "one")
    assert same(first, again)
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(await book(people.player, slot(), "one"))[:2] == (422, "idempotency_key_reused")
    assert (await book(people.player, slot(), "two")).status_code == 201
    assert (await count(context), await count(context, "idempotency_keys")) == (1, 2)


async def test_a_refusal_stays_the_answer_when_the_rules_would_grant_it_by_now(
    people: People, clock: FrozenClock
) -> None:
    body = slot(day="2031-07-14")  # the horizon ends the day before
    first = await book(people.player, body, "one")
    assert problem(first)[:2] == (422, "outside_horizon")
    clock.advance(timedelta(hours=18))
    assert same(first, await book(people.player, body, "one"))
    assert (await book(people.player, body, "two")).status_code == 201


async def test_a_booking_that_is_not_there_is_remembered_as_such(people: People) -> None:
    made = await booked(people.player, slot())
    for method, path, body in (("POST", "/cancel", None), ("PATCH", "", {"court_id": 2})):
        where = f"/api/bookings/{made['id']}{path}"
        first = await people.player2.ask(method, where, body, Idempotency_Key=method)
        assert problem(first)[:2] == (404, "not_found")
        again = await people.player2.ask(method, where, body, Idempotency_Key=method)
        assert same(first, again)
        assert again.headers["idempotency-replayed"] == "true"


async def test_a_quota_refusal_is_remembered(people: People, context: Context) -> None:
    await context.pool.execute(
        """UPDATE clubs SET config_version = config_version + 1,
        policy = policy || '{"quotas": {"active_bookings": 1}}'::jsonb"""
    )
    made = await booked(people.player, slot())
    first = await book(people.player, slot("12:00", "13:00"), "one")
    assert problem(first)[:2] == (403, "quota_exceeded")
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    assert same(first, await book(people.player, slot("12:00", "13:00"), "one"))


async def test_what_says_nothing_about_the_request_is_not_remembered(people: People, context: Context) -> None:
    stranger = await people.stranger.post("/api/bookings", json=slot(), headers={"Idempotency-Key": "one"})
    assert problem(stranger)[:2] == (401, "unauthenticated")
    for broken in (slot(colour="red"), slot("now"), slot(equipment=[{"equipment_id": 1, "quantity": 1}] * 2)):
        answer = await people.player.ask("POST", "/api/bookings", broken, Idempotency_Key="one")
        assert problem(answer)[:2] == (422, "invalid_request")
    assert await count(context, "idempotency_keys") == 0
    assert (await book(people.player, slot(), "one")).status_code == 201


async def test_a_rate_limit_is_not_remembered(start_app: StartApp, settings: Settings, demo: Demo) -> None:
    limited = People(await start_app(replace(settings, rate_limit_per_minute=100)), demo.tokens)
    answers = [await book(limited.player, slot("06:00", "07:00"), new_key()) for _ in range(31)]
    assert problem(answers[-1])[:2] == (429, "rate_limited")
    assert problem(await book(limited.player, slot(), "one"))[:2] == (429, "rate_limited")
    free = People(await start_app(settings), demo.tokens)
    assert (await book(free.player, slot(), "one")).status_code == 201


async def test_a_database_out_of_reach_is_not_remembered(
    people: People, settings: Settings, database_server: str
) -> None:
    name = urlsplit(settings.database_url).path[1:]
    await administer(database_server, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    await administer(
        database_server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    away = await book(people.player, slot(), "one")
    assert problem(away)[:2] == (503, "unavailable")
    assert int(away.headers["retry-after"]) >= 1
    await administer(database_server, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    assert (await book(people.player, slot(), "one")).status_code == 201


async def test_a_key_is_forgotten_after_a_day(people: People, clock: FrozenClock, context: Context) -> None:
    first = await book(people.player, slot(day="2031-05-20"), "one")
    await context.pool.execute("UPDATE idempotency_keys SET created_at = created_at - interval '23 h 59 min'")
    assert same(first, await book(people.player, slot(day="2031-05-20"), "one"))
    await context.pool.execute("UPDATE idempotency_keys SET created_at = created_at - interval '1 min'")
    again = await book(people.player, slot(day="2031-05-20"), "one")
    assert problem(again)[:2] == (409, "slot_taken")
    # Now that is the answer of the key.
    assert same(again, await book(people.player, slot(day="2031-05-20"), "one"))


async def test_a_key_is_its_users_and_its_routes_own(people: People) -> None:
    first = await book(people.player, slot(), "one")
    other = await book(people.player2, slot("12:00", "13:00"), "one")
    assert (first.status_code, other.status_code) == (201, 201)
    path = f"/api/bookings/{first.json()['id']}"
    moved = await people.player.ask("PATCH", path, {"court_id": 2}, Idempotency_Key="one")
    assert (moved.status_code, moved.json()["court_id"]) == (200, 2)
    cancelled = await people.player.ask("POST", f"{path}/cancel", Idempotency_Key="one")
    assert cancelled.json()["status"] == "cancelled"


async def test_moves_and_cancels_are_repeated_as_safely(people: People, context: Context) -> None:
    made, other = await booked(people.player, slot()), await booked(people.player, slot("14:00", "15:00"))
    path = f"/api/bookings/{made['id']}"
    change = {"start_ts": f"{DAY}T11:00", "end_ts": f"{DAY}T12:00"}
    moved = await people.player.ask("PATCH", path, change, Idempotency_Key="m")
    assert same(moved, await people.player.ask("PATCH", path, change, Idempotency_Key="m"))
    assert await count(context, "audit_events WHERE event_type = 'moved'") == 1
    reused = await people.player.ask("PATCH", f"/api/bookings/{other['id']}", change, Idempotency_Key="m")
    assert problem(reused)[:2] == (422, "idempotency_key_reused")
    cancelled = await people.player.ask("POST", f"{path}/cancel", Idempotency_Key="c")
    assert same(cancelled, await people.player.ask("POST", f"{path}/cancel", Idempotency_Key="c"))
    reused = await people.player.ask("POST", f"/api/bookings/{other['id']}/cancel", Idempotency_Key="c")
    assert problem(reused)[:2] == (422, "idempotency_key_reused")
    assert (await people.player.ask("GET", f"/api/bookings/{other['id']}")).json() == other


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é".encode().decode("latin-1"), "\x7f"])
async def test_a_malformed_key_is_refused(people: People, context: Context, key: str) -> None:
    made = await booked(people.player, slot("18:00", "19:00"))
    sent = people.player.headers | {"Content-Type": "application/json"}
    headers = httpx.Headers([*sent.items()], encoding="latin-1")
    headers["Idempotency-Key"] = key
    for method, path, body in (
        ("POST", "/api/bookings", slot()),
        ("PATCH", f"/api/bookings/{made['id']}", {"court_id": 2}),
        ("POST", f"/api/bookings/{made['id']}/cancel", None),
    ):
        answer = await people.stranger.request(method, path, json=body, headers=headers)
        assert problem(answer) == (422, "invalid_request", ["Idempotency-Key"])
    assert (await count(context), await count(context, "idempotency_keys")) == (1, 0)


async def test_the_longest_key_is_kept_whole(people: People) -> None:
    long = "x" * 254
    assert (await book(people.player, slot(), f"{long}a")).status_code == 201
    assert (await book(people.player, slot("12:00", "13:00"), f"{long}b")).status_code == 201
