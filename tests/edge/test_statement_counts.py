"""A list asks Postgres as often for forty rows as for two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from server.app import HANDLERS
from tests.edge.demo import DAY, Demo

ASKED = ("fetch", "fetchrow", "fetchval", "execute", "executemany")
QUERIES = {
    "/api/availability": {"start_ts": f"{DAY}T10:00", "end_ts": f"{DAY}T11:00"},
    "/api/grid": {"date": DAY},
    "/api/prices": {"date": DAY},
}
LISTS = {
    "/api/bookings",
    "/api/waitlist",
    "/api/clubs",
    "/api/courts",
    "/api/coaches",
    "/api/equipment",
    "/api/days",
    "/api/api-keys",
    "/api/admin/users",
    "/api/admin/bookings",
    "/api/admin/closures",
    "/api/admin/courts",
    "/api/admin/coaches",
    "/api/admin/equipment",
    "/api/admin/pricing-rules",
    "/api/admin/clubs",
    "/api/admin/screens",
    "/api/admin/outbox",
    "/api/admin/waitlist",
}
"""Those that are known to be lists; the walk below must find them."""

ROOM = "(SELECT id FROM clubs LIMIT 1)"
WHO = "(SELECT id FROM users WHERE email = 'admin@courtside.example')"
MANY = "generate_series(1, 40) AS n"
WAITING = f"""
INSERT INTO waitlist_entries (id, club_id, user_id, slot_hash, court_id, start_ts, end_ts, auto_book, priority)
SELECT gen_random_uuid(), {ROOM}, {WHO}, n, 1, '{DAY} 10:00Z', '{DAY} 11:00Z', false, 0
"""
BOOKED = f"""
INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, status, grid_ref, price_currency, price_total,
                      price_lines, cancel_until, created_by)
SELECT gen_random_uuid(), {ROOM}, 1, {WHO}, '{DAY} 10:00Z', '{DAY} 11:00Z', 'confirmed', n, 'GBP', 0, '[]', now(), {WHO}
"""
RESOURCES = (
    f"INSERT INTO resources (club_id, kind, exclusive, quantity) SELECT {ROOM}, $1, $2, 1 FROM {MANY} RETURNING id"
)
ROWS = f"""
INSERT INTO users (email, name, password_hash, verified_at) SELECT n || '@many.example', 'x', 'x', now() FROM {MANY};
INSERT INTO memberships (user_id, club_id) SELECT id, {ROOM} FROM users WHERE email LIKE '%@many.example';
INSERT INTO pricing_rules (club_id, name, effect, value) SELECT {ROOM}, 'r' || n, 'percent', 100 FROM {MANY};
INSERT INTO closures (id, club_id, start_ts, end_ts, court_ids, created_by)
SELECT gen_random_uuid(), {ROOM}, '{DAY} 10:00Z', '{DAY} 11:00Z', '{{1}}', {WHO} FROM {MANY};
INSERT INTO screens (club_id, name, created_by, approved_at) SELECT {ROOM}, 's' || n, {WHO}, now() FROM {MANY};
INSERT INTO outbox (id, club_id, kind, payload, parked_at)
SELECT gen_random_uuid(), {ROOM}, 'booking.confirmed', '{{}}', now() FROM {MANY};
{BOOKED} FROM {MANY};
{WAITING} FROM {MANY};
UPDATE clubs SET config_version = config_version + 1;
"""


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that are sent to Postgres."""
    said: list[str] = []

    def counted(name: str) -> Any:
        call = getattr(asyncpg.Connection, name)

        async def count(self: object, statement: str, *arguments: object, **more: object) -> object:
            said.append(statement)
            return await call(self, statement, *arguments, **more)

        return count

    for name in ASKED:
        monkeypatch.setattr(asyncpg.Connection, name, counted(name))
    return said  # type: ignore[return-value] # nothing is undone here but by monkeypatch


def plain_routes() -> list[str]:
    """The GET routes under /api that need nothing in their path."""
    return sorted(
        path
        for handler in HANDLERS
        if "GET" in getattr(handler, "http_methods", ())
        for path in handler.paths  # type: ignore[union-attr] # all of ours are handlers
        if path.startswith("/api/") and "{" not in path
    )


async def counts(client: httpx.AsyncClient, asked: list[str], token: str) -> dict[str, tuple[int, int]]:
    """Path of a list → its rows and its statements, once the process has its copies."""
    found = {}
    for path in plain_routes():
        headers = {"Authorization": f"Bearer {token}"}
        await client.get(path, params=QUERIES.get(path), headers=headers)
        asked.clear()
        answer = await client.get(path, params=QUERIES.get(path), headers=headers)
        if answer.status_code == httpx.codes.OK and "items" in answer.json():
            found[path] = (len(answer.json()["items"]), len(asked))
    return found


async def test_the_number_of_statements_of_a_list_does_not_depend_on_its_rows(
    client: httpx.AsyncClient, asked: list[str], demo: Demo, database_url: str
) -> None:
    filling = await asyncpg.connect(database_url)
    for rows in (WAITING, BOOKED):
        await filling.execute(f"{rows} FROM (VALUES ('a'), ('b')) AS few (n)")
    few = await counts(client, asked, demo.tokens["admin"])
    assert set(few) >= LISTS
    for kind, exclusive, more in (
        (
            "court",
            True,
            "courts (club_id, resource_id, name, kind, indoor, base_rate) SELECT club_id, id, id, 'padel', true, 1",
        ),
        ("coach", True, "coaches (club_id, resource_id, name, rate) SELECT club_id, id, id, 1"),
        ("equipment", False, "equipment (club_id, resource_id, name, price) SELECT club_id, id, id, 1"),
    ):
        made = [row["id"] for row in await filling.fetch(RESOURCES, kind, exclusive)]
        await filling.execute(f"INSERT INTO {more} FROM resources WHERE id = ANY ($1)", made)
    await filling.execute("INSERT INTO court_units SELECT id, resource_id FROM courts ON CONFLICT DO NOTHING")
    await filling.execute(ROWS)
    await filling.close()

    many = await counts(client, asked, demo.tokens["admin"])

    grown = {path for path in many if many[path][0] >= few[path][0] + 10}
    assert grown >= LISTS - {"/api/clubs", "/api/admin/clubs", "/api/days", "/api/api-keys"}
    assert {path: many[path][1] for path in many} == {path: few[path][1] for path in few}
