"""The frame of every change to a club's configuration: locked, checked, counted, audited, and told.

The club's advisory lock is taken alone and first, so no booking is settled by rules that are changing; bookings
hold the same lock shared and re-read the configuration when its version differs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from server.domain.errors import NotFound, PreconditionFailed
from server.sql.audit import insert_audit
from server.sql.clubs import fetch_club, update_config_version
from server.sql.connection import Connection, acquire
from server.sql.locks import lock_club
from server.usecases.batch import rematch_within
from server.usecases.catalogue import Catalogues
from server.usecases.ids import uuid7

T = TypeVar("T")
Part = TypeVar("Part")


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a club as it is stored: `part` is what staff wrote, `version` counts their changes."""

    id: int
    club_id: int
    version: int
    part: Any


@dataclass(slots=True)
class Change:
    """A change under way. What `record` was told is written to the audit trail with it; if nothing was, nothing is."""

    conn: Connection
    club_id: int
    now: datetime
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    releases_moved: bool = False
    """Whether days are released at other times from now on."""

    def record(self, event_type: str, **payload: Any) -> None:
        """Say what was changed: ids, field names and their new values; never an address."""
        self.events.append((event_type, payload))


@asynccontextmanager
async def changing(catalogues: Catalogues, club_id: int, actor_id: int) -> AsyncIterator[Change]:
    """One transaction that changes the club's configuration, alone.

    Raises `NotFound` if the club is unknown or retired, `Unavailable` if the database is out of reach.
    """
    context = catalogues.context
    async with acquire(context.pool) as conn, conn.transaction():
        await lock_club(conn, club_id)
        if await fetch_club(conn, club_id) is None:
            raise NotFound("There is no such club.")
        # The time is read after the lock: what it is compared with may have been booked while this waited.
        change = Change(conn, club_id, context.clock())
        yield change
        if change.events:
            await update_config_version(conn, club_id)
            await rematch_within(conn, catalogues, club_id, releases_moved=change.releases_moved)
        for event_type, payload in change.events:
            await insert_audit(
                conn, id=uuid7(change.now), club_id=club_id, event_type=event_type, actor_id=actor_id, payload=payload
            )
    if change.events:
        catalogues.changed(club_id)


def check_version(stored: int, expected: int) -> None:
    """Raise `PreconditionFailed` unless what is stored is what the change was made from."""
    if stored != expected:
        raise PreconditionFailed
