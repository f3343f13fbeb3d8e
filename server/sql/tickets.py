"""Tickets that were used: remembered like any other request that is done once."""

from __future__ import annotations

from server.sql.connection import Connection

ROUTE = "WS ticket"

INSERT_USED_TICKET = """
INSERT INTO idempotency_keys (user_id, route, key, request_hash, status, body, created_at)
VALUES ($1, $2, $3, '', 204, '', now())
ON CONFLICT DO NOTHING
"""


async def insert_used_ticket(conn: Connection, *, user_id: int, ticket_id: str) -> bool:
    """Remember that a ticket was used; False if it was before."""
    return bool(await conn.execute(INSERT_USED_TICKET, user_id, ROUTE, ticket_id) == "INSERT 0 1")
