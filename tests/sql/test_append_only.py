"""The audit trail and the ledger only grow."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from server.sql.connection import Connection
from tests.sql.clubs import Club


@pytest.fixture
async def entries(conn: Connection, club: Club) -> None:
    await conn.execute(
        "INSERT INTO audit_events (id, event_type, payload) VALUES ($1, 'confirmed', $2)", uuid4(), {"booking": 1}
    )
    await conn.execute(
        "INSERT INTO ledger (club_id, booking_id, user_id, kind, amount, currency) VALUES ($1, $2, $3, 'due', 5, 'GBP')",
        club.id,
        club.booking,
        club.user,
    )


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("table", ["audit_events", "ledger"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET created_at = now()",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {}",
        "TRUNCATE {}, outbox",
        "TRUNCATE clubs, users CASCADE",
    ],
)
async def test_entries_cannot_be_changed_or_removed(conn: Connection, table: str, statement: str) -> None:
    if "CASCADE" in statement and table == "audit_events":
        statement = "TRUNCATE audit_events CASCADE"  # nothing refers to it: the trail outlives what it tells of

    with pytest.raises(asyncpg.RestrictViolationError) as refusal:
        await conn.execute(statement.format(table))

    assert refusal.value.constraint_name == f"{table}_append_only"
    assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 1
