"""What staff do with the outbox: look what is parked, and have it tried again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from server.context import Context
from server.domain.errors import Conflict, NotFound
from server.sql import outbox as sql
from server.sql.accounts import lock_account
from server.sql.connection import acquire
from server.usecases.accounts import LINKS, make_link
from server.usecases.bookings import FIRST_PAGE


async def list_rows(
    context: Context, club_id: int, *, parked: bool, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """The club's rows that were set aside, or that are still to be done, oldest first. No secret is in them."""
    async with acquire(context.pool) as conn:
        list_page = sql.list_parked if parked else sql.list_pending
        return await list_page(conn, club_id, after=after or FIRST_PAGE, limit=limit)


async def retry(context: Context, club_id: int, row_id: UUID) -> None:
    """Have a row that was set aside tried again from the beginning.

    The secret of an account's link was scrubbed when the row was set aside; only its digest is known. So the mail gets
    a new link, good for as long as the first one was. Raises `NotFound`, and `Conflict` where the account is gone.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        row = await sql.update_retried(conn, row_id=row_id, club_id=club_id, now=now)
        if row is None:
            raise NotFound("No such row was set aside.")
        if row["kind"] not in LINKS or "token" in row["payload"]:
            return
        user_id: int = row["payload"]["user_id"]
        if await lock_account(conn, user_id) is None:
            raise Conflict("The account is gone, and with it whom to write to.")
        purpose, life = LINKS[row["kind"]]
        token = await make_link(conn, user_id=user_id, purpose=purpose, now=now, life=life)
        await sql.update_renewed(conn, row_id, token)
