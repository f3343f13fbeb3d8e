"""Each index serves the statement that docs/database.md names beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.sql.connection import Connection
from tests.sql.test_statements import statements

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "database.md"
LIST_INDEXES = """
SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey'
  AND (indexname LIKE 'idx\\_%' OR indexname IN ('allocations_no_double_booking', 'users_verified_email_key'))
"""
OTHERS = {
    # The guide's query, for one slot of it.
    "idx_waitlist_slot_hash": "SELECT count(*) FROM waitlist_entries WHERE slot_hash = $1 AND created_at < $2",
    "idx_waitlist_history_user_id": "SELECT * FROM waitlist_history WHERE user_id = $1 ORDER BY ended_at",
    "idx_audit_events_type_created": (
        "SELECT * FROM audit_events WHERE event_type = 'confirmed' AND created_at > now() - interval '24 hours'"
    ),
    "idx_users_erase_asked_at": "SELECT id FROM users WHERE erase_asked_at IS NOT NULL ORDER BY erase_asked_at",
    "idx_refresh_tokens_family_id": "SELECT * FROM refresh_tokens WHERE family_id = $1",
}
"""Index → a question, where it is no statement of `server.sql` by a name."""


def served() -> dict[str, list[str]]:
    """Index → statements, as the document has them."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    named = {index: re.findall(r"`(\w+\.[A-Z_]+)`", what) for index, what in rows}
    return {index: [statements()[name] for name in names] or [OTHERS[index]] for index, names in named.items()}


async def test_the_document_has_every_index_and_no_other(conn: Connection) -> None:
    assert set(served()) == {row["indexname"] for row in await conn.fetch(LIST_INDEXES)}


async def plan_of(conn: Connection, statement: str) -> str:
    """The plan of a statement whatever its arguments are, where reading a whole table is the last resort."""
    arguments = max([0, *map(int, re.findall(r"\$(\d+)", statement))])
    async with conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await conn.execute(f"PREPARE asked AS {statement}")
        values = f"({', '.join(['NULL'] * arguments)})" if arguments else ""
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN EXECUTE asked{values}"))
        await conn.execute("DEALLOCATE asked")
    return plan


async def test_each_statement_uses_its_index(conn: Connection) -> None:
    unused = {}
    for index, asked in served().items():
        for statement in asked:
            plan = await plan_of(conn, statement)
            if not re.search(rf"\b{index}\b", plan):
                unused[index, statement] = plan
    assert unused == {}


@pytest.mark.parametrize("index", ["idx_bookings_start_end", "idx_waitlist_slot_hash"])
async def test_the_guides_indexes_are_the_guides(conn: Connection, index: str) -> None:
    made = await conn.fetchval("SELECT pg_get_indexdef($1::text::regclass)", index)
    assert made in {
        "CREATE INDEX idx_bookings_start_end ON public.bookings USING btree (start_ts, end_ts)"
        " WHERE (status = 'confirmed'::text)",
        "CREATE INDEX idx_waitlist_slot_hash ON public.waitlist_entries USING btree (slot_hash, created_at)",
    }


async def test_a_missing_index_would_be_noticed(conn: Connection) -> None:
    await conn.execute("DROP INDEX idx_outbox_due")
    assert "idx_outbox_due" not in await plan_of(conn, served()["idx_outbox_due"][0])
