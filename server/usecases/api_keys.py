"""API keys: made and revoked by their owner, revoked by staff, and who is behind one that is presented."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from server.context import Context
from server.domain.accounts import normal_name
from server.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from server.domain.people import Identity
from server.sql import accounts, users
from server.sql import api_keys as sql
from server.sql.audit import insert_audit
from server.sql.connection import OUT_OF_REACH, Connection, acquire
from server.usecases.gathering import Gathering
from server.usecases.identities import ACQUIRE_SECONDS, IDLE, MAX_AGE, keep_refreshing
from server.usecases.ids import uuid7
from server.usecases.say import has_say_over
from server.usecases.tokens import bad_token, digest

KEY_PREFIX = "courtside_"
"""How a key is told from a token, also by programs that look for secrets in published code."""
KEY_BYTES = 32
KEY_LENGTH = len(KEY_PREFIX) + len(secrets.token_urlsafe(KEY_BYTES))
SHOWN = len(KEY_PREFIX) + 6
"""Characters of a key that its owner goes on seeing; 37 that nobody does are left."""
MOST_KEYS = 20
MOST_DAYS = 730
USED_EVERY = timedelta(minutes=1)

_TROUBLE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError)


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner and staff see it."""

    id: int
    user_id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


# -- owners and staff ---------------------------------------------------------------------------------------


async def create_key(
    context: Context, *, user_id: int, name: str, scopes: Sequence[str], days: int
) -> tuple[StoredKey, str]:
    """Make a key that acts for a user for so many days; what is kept of it, and the key itself, which nobody can be
    told again. Raises `InvalidRequest`, `Conflict` for one too many."""
    name = normal_name(name)
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        await accounts.lock_account(conn, user_id)
        if await sql.count_live(conn, user_id, now) >= MOST_KEYS:
            raise Conflict(f"You have {MOST_KEYS} keys. Revoke one that is not used.")
        key_id = await sql.insert_api_key(
            conn,
            user_id=user_id,
            name=name,
            prefix=key[:SHOWN],
            key_hash=digest(key),
            scopes=sorted(set(scopes)),
            now=now,
            expires_at=now + timedelta(days=days),
        )
        made = _stored(await sql.fetch_api_key(conn, key_id))
        await _audit(conn, now, "api_key.created", user_id, made)
    return made, key


async def list_keys(context: Context, user_id: int) -> list[StoredKey]:
    """A user's keys, the revoked and expired ones too."""
    async with acquire(context.pool) as conn:
        return [_stored(row) for row in await sql.list_own(conn, user_id)]


async def list_keys_of_club(context: Context, club_id: int, after: int, limit: int) -> list[StoredKey]:
    """The keys of a club's members in order of id, beginning after `after`."""
    async with acquire(context.pool) as conn:
        return [_stored(row) for row in await sql.list_of_members(conn, club_id, after, limit)]


async def revoke_key(context: Context, user_id: int, key_id: int) -> None:
    """End a key of one's own for good; a second time changes nothing. Raises `NotFound`."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        key = _stored(await sql.fetch_api_key(conn, key_id))
        if key.user_id != user_id:
            raise NotFound(NO_KEY)
        if await sql.update_revoked(conn, key_id, now):
            await _audit(conn, now, "api_key.revoked", user_id, key)


async def revoke_key_of_member(context: Context, actor: Identity, club_id: int, key_id: int) -> None:
    """End a member's key. It acts in every club, so it takes a say in each. Raises `NotFound`, `Forbidden`."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        key = _stored(await sql.fetch_api_key(conn, key_id))
        owner = await accounts.lock_account(conn, key.user_id)
        if owner is None or await users.fetch_person(conn, club_id=club_id, user_id=key.user_id) is None:
            raise NotFound(NO_KEY)
        if not await has_say_over(conn, actor, owner):
            raise Forbidden("This key acts where you have no say, too. Suspend the member of your club instead.")
        if await sql.update_revoked(conn, key_id, now):
            await _audit(conn, now, "api_key.revoked", actor.user_id, key, club_id=club_id)


NO_KEY = "There is no such key."


async def _audit(
    conn: Connection, now: datetime, event_type: str, actor_id: int, key: StoredKey, *, club_id: int | None = None
) -> None:
    await insert_audit(
        conn,
        id=uuid7(now),
        club_id=club_id,
        event_type=event_type,
        actor_id=actor_id,
        payload={"user_id": key.user_id, "api_key_id": key.id, "scopes": list(key.scopes)},
    )


def _stored(row: asyncpg.Record | None) -> StoredKey:
    if row is None:
        raise NotFound(NO_KEY)
    return StoredKey(**{**row, "scopes": tuple(row["scopes"])})


# -- who is behind a key ------------------------------------------------------------------------------------


class ApiKey(NamedTuple):
    """What a key that holds stands for."""

    key_id: int
    user_id: int
    scopes: frozenset[str]
    expires_at: datetime
    last_used_at: datetime | None


class _Known:
    __slots__ = ("believed_until", "key", "used_at")

    def __init__(self, key: ApiKey, now: datetime) -> None:
        self.key = key
        self.believed_until = now + MAX_AGE
        self.used_at = now

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be written that the key was used."""
        last = self.key.last_used_at
        return last is None or (self.used_at > last and now - last >= USED_EVERY)


class ApiKeys:
    """The process's memory of keys, as `Screens` is that of screens' tokens. Belongs to one event loop.

    One query every couple of seconds learns what was revoked, and notes what was used: no request writes anything.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = context.clock
        self._known: dict[bytes, _Known] = {}
        # One query at a time for whatever is presented: keys are guessed at the cost of whoever guesses.
        self._lookup: Gathering[bytes, ApiKey | None] = Gathering(self._read)

    async def resolve(self, presented: bytes) -> ApiKey:
        """What a key stands for. Raises `Unauthenticated` if it does not hold (any more), `Unavailable`."""
        now = self._clock()
        known = self._known.get(presented)
        if known is None or known.believed_until < now:
            if len(presented) != KEY_LENGTH:
                raise bad_token()
            found = await self._lookup.get(presented)
            if found is None:
                self._known.pop(presented, None)
                raise bad_token()
            known = self._known[presented] = _Known(found, now)
        if known.key.expires_at <= now:
            raise bad_token()
        known.used_at = now
        return known.key

    def forget(self, key_id: int) -> None:
        """Drop what is known of a key, because this process just revoked it."""
        for presented in [presented for presented, known in self._known.items() if known.key.key_id == key_id]:
            del self._known[presented]

    async def refresh(self) -> None:
        """Learn which of the keys seen of late were revoked, and note that they were used. Raises `Unavailable`."""
        now = self._clock()
        asked = dict(self._known)
        if not asked:
            return
        found = await self._read(list(asked))
        for presented, known in asked.items():
            if self._known.get(presented) is not known:
                continue  # forgotten or read anew meanwhile; this answer may be the older one
            key = found[presented]
            if key is None:
                del self._known[presented]
            else:
                known.key = key
                known.believed_until = now + MAX_AGE
        await self._note_used(now)
        for presented in [presented for presented, known in self._known.items() if now - known.used_at > IDLE]:
            del self._known[presented]

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        await keep_refreshing(self.refresh, "api_keys")

    async def _note_used(self, now: datetime) -> None:
        due = [known.key.key_id for known in self._known.values() if known.is_due(now)]
        if not due:
            return
        try:
            async with acquire(self._context.pool, ACQUIRE_SECONDS) as conn:
                await sql.update_used(conn, due, now, now - USED_EVERY)
        except _TROUBLE as error:
            raise Unavailable from error

    async def _read(self, presented: Sequence[bytes]) -> dict[bytes, ApiKey | None]:
        hashes = {digest(one.decode("latin-1")): one for one in presented}
        try:
            async with acquire(self._context.pool, ACQUIRE_SECONDS) as conn:
                rows = await sql.list_behind(conn, list(hashes))
        except _TROUBLE as error:
            raise Unavailable from error
        found: dict[bytes, ApiKey | None] = dict.fromkeys(presented)
        for row in rows:
            found[hashes[row["key_hash"]]] = ApiKey(
                row["id"], row["user_id"], frozenset(row["scopes"]), row["expires_at"], row["last_used_at"]
            )
        return found
