"""What staff do with the outbox: look what is parked, and have it tried again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from server.context import Context
from server.domain.errors import NotFound
from server.sql import outbox as sql
from server.sql.connection import acquire
from server.usecases.bookings import FIRST_PAGE


async def list_rows(
    context: Context, club_id: int, *, parked: bool, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """The club's rows that were set aside, or that are still to be done, oldest first. No secret is in them."""
    async with acquire(context.pool) as conn:
        return await sql.list_of_club(conn, club_id, parked=parked, after=after or FIRST_PAGE, limit=limit)


async def retry(context: Context, club_id: int, row_id: UUID) -> None:
    """Have a row that was set aside tried again from the beginning. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        if not await sql.update_retried(conn, row_id=row_id, club_id=club_id, now=context.clock()):
            raise NotFound("No such row was set aside.")
