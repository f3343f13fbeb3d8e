"""Who has a say over what a person has in every club at once: a key, a second factor."""

from __future__ import annotations

import asyncpg

from server.domain.people import Identity
from server.sql import users
from server.sql.connection import Connection


async def has_say_over(conn: Connection, actor: Identity, account: asyncpg.Record) -> bool:
    """Whether `actor` is staff of each club in which the account's owner is a player, and an administrator of each in
    which more. Operators have a say over everybody, and nobody else over them."""
    if actor.operator:
        return True
    if account["operator"]:
        return False
    return all(
        actor.is_staff_of(row["club_id"]) if row["role"] == "player" else actor.role_in(row["club_id"]) == "admin"
        for row in await users.list_roles(conn, account["id"])
    )
