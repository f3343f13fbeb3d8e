"""Calendar feeds: a private address for one's own bookings and, for staff, for each court.

The address is all that it takes to read, so it is a secret: shown once, kept as a digest, and replaced or ended at any
time. A court's ends by itself with its owner's role.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from server.context import Context
from server.domain.errors import NotFound
from server.sql import feeds as sql
from server.sql.audit import insert_audit
from server.sql.connection import acquire
from server.usecases import calendars
from server.usecases.ids import uuid7
from server.usecases.tokens import digest

TOKEN_BYTES = 32
TOKEN_LENGTH = len(secrets.token_urlsafe(TOKEN_BYTES))
PAST = timedelta(days=30)
"""How far back a calendar goes."""
MOST_EVENTS = 2000


async def make_feed(context: Context, user_id: int, court_id: int | None = None, club_id: int | None = None) -> str:
    """The new address of somebody's own calendar or, with the court's club, of a court's; the old one ends."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        await sql.upsert_feed(conn, token_hash=digest(token), user_id=user_id, court_id=court_id, now=now)
        await insert_audit(
            conn,
            id=uuid7(now),
            club_id=club_id,
            event_type="calendar_feed.made",
            actor_id=user_id,
            payload={"user_id": user_id, "court_id": court_id},
        )
    return f"{context.settings.public_url}/calendar.ics?token={token}"


async def end_feed(context: Context, user_id: int, court_id: int | None = None, club_id: int | None = None) -> None:
    """End the address; a second time changes nothing."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        if await sql.delete_feed(conn, user_id=user_id, court_id=court_id):
            await insert_audit(
                conn,
                id=uuid7(now),
                club_id=club_id,
                event_type="calendar_feed.ended",
                actor_id=user_id,
                payload={"user_id": user_id, "court_id": court_id},
            )


async def feed_since(context: Context, user_id: int, court_id: int | None = None) -> datetime | None:
    """Since when there is an address, if there is one."""
    async with acquire(context.pool) as conn:
        return await sql.fetch_feed_since(conn, user_id=user_id, court_id=court_id)


class Feed(msgspec.Struct, frozen=True):
    """A calendar, and what tells it from another state of it (all but the moment at which it was written)."""

    content: bytes
    tag: str


async def read_feed(context: Context, token: str) -> Feed:
    """The calendar at an address. Raises `NotFound` for one that is not, or not any more."""
    if len(token) != TOKEN_LENGTH:
        raise NotFound("There is no such calendar.")
    now = context.clock()
    since = now - PAST
    async with acquire(context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        owner = await sql.fetch_feed_behind(conn, digest(token))
        if owner is None:
            raise NotFound("There is no such calendar.")
        court = owner["court_id"]
        if court is None:
            name = "Courtside"
            closures: list[dict[str, Any]] = []
            bookings = await sql.list_own_events(conn, owner["user_id"], since, MOST_EVENTS)
        else:
            name = f"{owner['court']} · {owner['club']}"
            bookings = await sql.list_court_events(conn, court, since, MOST_EVENTS)
            closures = await sql.list_court_closures(conn, court, since, MOST_EVENTS)
    state = msgspec.json.encode([name, bookings, closures])
    sender = context.settings.notification_from_email
    content = calendars.publication(name, bookings, closures, of_court=court is not None, sender=sender, now=now)
    return Feed(content, hashlib.sha256(state).hexdigest()[:32])
