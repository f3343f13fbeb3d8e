"""Who is behind a token, remembered: a token is verified once, and its user is read once.

Every couple of seconds one query tells what changed about all remembered users, so that logout everywhere, a new
password, a suspension or another role end or change what old tokens may do within seconds, in every process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from server.context import Context
from server.domain.errors import Unavailable
from server.domain.people import Identity, Membership
from server.sql import identities as sql
from server.sql.connection import OUT_OF_REACH, acquire
from server.usecases.tokens import Claims, bad_token, read_access_token

REFRESH_SECONDS = 2.0
MAX_AGE = timedelta(seconds=30)
"""How long a standing is believed without news, when the database is out of reach."""
IDLE = timedelta(minutes=5)
"""A user who was not seen for so long is forgotten, so that the refresh stays small."""
MAX_TOKENS = 50_000
MAX_USERS = 20_000
ACQUIRE_SECONDS = 2.0

_TROUBLE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError)

log = structlog.get_logger(__name__)

_memberships = msgspec.json.Decoder(dict[int, Membership])


async def keep_refreshing(refresh: Callable[[], Awaitable[None]], whose: str) -> None:
    """Refresh for ever, at the pace of `REFRESH_SECONDS`; a failure is logged once until it is over."""
    failing = False
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            await refresh()
        except Unavailable:
            if not failing:
                log.warning("standings_stale", whose=whose, believed_for_seconds=MAX_AGE.total_seconds())
            failing = True
        except Exception:
            # Without this loop a revoked token would live on: nothing that goes wrong once may end it.
            log.exception("standings_refresh_failed", whose=whose)
            failing = True
        else:
            if failing:
                log.info("standings_fresh_again", whose=whose)
            failing = False


class _Known:
    """What the last look at one user said. `identity` is None if the user is gone, suspended or not admitted."""

    __slots__ = ("believed_until", "ended", "identity", "session_version", "stamp", "used_at")

    def __init__(self, identity: Identity | None, stamp: int, ended: frozenset[UUID], now: datetime) -> None:
        self.identity = identity
        self.session_version = identity.session_version if identity else -1
        self.stamp = stamp
        self.ended = ended
        self.believed_until = now + MAX_AGE
        self.used_at = now


class Identities:
    """The process's memory of tokens and their users. Belongs to one event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = context.clock
        self._claims: dict[bytes, Claims] = {}
        self._known: dict[int, _Known] = {}
        self._loading: dict[int, asyncio.Task[_Known]] = {}

    def recall(self, token: bytes) -> tuple[Identity, Claims] | None:
        """Who `token` stands for, if that is known and fresh: a few look-ups, no I/O. None says: `resolve` it."""
        claims = self._claims.get(token)
        if claims is None:
            return None
        known = self._known.get(claims.user_id)
        if known is None:
            return None
        now = self._clock()
        identity = known.identity
        if (
            identity is None
            or known.session_version != claims.session_version
            or claims.expires <= now
            or known.believed_until < now
            or (known.ended and claims.session in known.ended)
        ):
            return None
        known.used_at = now
        return identity, claims

    async def resolve(self, token: bytes) -> tuple[Identity, Claims]:
        """Who `token` stands for, read from the database where it is not known.

        Raises `Unauthenticated` for a token that does not hold (any more), `Unavailable` when the database is
        out of reach and what is known is too old to be believed.
        """
        now = self._clock()
        claims = self._claims.get(token) or read_access_token(self._context.settings, token, now)
        if claims.expires <= now:
            self._claims.pop(token, None)
        identity = await self.standing(claims)
        if token not in self._claims:
            _make_room(self._claims, MAX_TOKENS)
            self._claims[token] = claims
        return identity, claims

    async def standing(self, claims: Claims) -> Identity:
        """Who stands behind the claims of a token that was read before, as long as they hold. Raises as `resolve`."""
        now = self._clock()
        if claims.expires <= now:
            raise bad_token()
        known = self._known.get(claims.user_id)
        if (
            known is None
            or known.believed_until < now
            # A token newer than what is known: the change was made by another process, a moment ago.
            or (known.identity is not None and known.session_version < claims.session_version)
        ):
            known = await self._load(claims.user_id)
        known.used_at = now
        if known.identity is None or known.session_version != claims.session_version or claims.session in known.ended:
            raise bad_token()
        return known.identity

    async def of(self, user_id: int) -> Identity:
        """A user as it is now, whatever session or key it acts by. Raises as `resolve`."""
        known = self._known.get(user_id)
        now = self._clock()
        if known is None or known.believed_until < now:
            known = await self._load(user_id)
        known.used_at = now
        if known.identity is None:
            raise bad_token()
        return known.identity

    async def now(self, user_id: int) -> Identity:
        """As `of`, and never older than this call."""
        self.forget(user_id)
        return await self.of(user_id)

    def forget(self, user_id: int) -> None:
        """Drop what is known of a user, because this process just changed it: the next request reads it anew."""
        self._known.pop(user_id, None)
        self._loading.pop(user_id, None)

    async def refresh(self) -> None:
        """Learn in one query what changed about all remembered users. Raises `Unavailable` if that fails."""
        now = self._clock()
        for user_id in [user_id for user_id, known in self._known.items() if now - known.used_at > IDLE]:
            del self._known[user_id]
        asked = dict(self._known)
        if not asked:
            return
        changed = {row["id"]: row for row in await self._read(list(asked), [one.stamp for one in asked.values()], now)}
        for user_id, known in asked.items():
            if self._known.get(user_id) is not known:
                continue  # forgotten or read anew meanwhile; this answer may be the older one
            row = changed.get(user_id)
            if row is None:
                known.believed_until = now + MAX_AGE
            else:
                fresh = self._understand(row, now)
                fresh.used_at = known.used_at
                self._known[user_id] = fresh

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        await keep_refreshing(self.refresh, "identities")

    async def _load(self, user_id: int) -> _Known:
        """Read one user; requests that want the same one share the query."""
        task = self._loading.get(user_id)
        if task is None:
            task = asyncio.create_task(self._load_alone(user_id))
            self._loading[user_id] = task
        # Shielded: the request that began it may be cancelled while others wait for the same answer.
        return await asyncio.shield(task)

    async def _load_alone(self, user_id: int) -> _Known:
        this = asyncio.current_task()
        try:
            now = self._clock()
            (row,) = await self._read([user_id], [None], now)
            known = self._understand(row, now)
            # After `forget` the answer may be from before the change: it serves those who wait, and is not kept.
            if self._loading.get(user_id) is this:
                _make_room(self._known, MAX_USERS)
                self._known[user_id] = known
            return known
        finally:
            if self._loading.get(user_id) is this:
                del self._loading[user_id]

    async def _read(self, user_ids: list[int], stamps: Iterable[int | None], now: datetime) -> list[asyncpg.Record]:
        # A revoked session matters for as long as an access token issued in it may live.
        ended_since = now - timedelta(minutes=self._context.settings.jwt_expire_minutes)
        try:
            async with acquire(self._context.pool, ACQUIRE_SECONDS) as conn:
                return await sql.list_standings(conn, user_ids, list(stamps), ended_since)
        except _TROUBLE as error:
            # Whatever the database's reason: nothing was decided, so the asker may try again.
            raise Unavailable from error

    def _understand(self, row: asyncpg.Record, now: datetime) -> _Known:
        admitted = row["active"] and (not row["demo"] or self._context.settings.on_loopback)
        identity = (
            Identity(
                user_id=row["id"],
                email=row["email"],
                name=row["name"],
                verified=row["verified"],
                session_version=row["session_version"],
                operator=row["operator"],
                memberships=_memberships.decode(row["memberships"]),
            )
            if admitted
            else None
        )
        if identity and self._context.settings.require_staff_totp and not row["second_factor"]:
            identity = _without_say(identity)
        return _Known(identity, row["stamp"], frozenset(row["ended_sessions"]), now)


def _without_say(identity: Identity) -> Identity:
    """Staff and operators as players, until they have a second factor; players as they are."""
    if not identity.operator and all(member.role == "player" for member in identity.memberships.values()):
        return identity
    return msgspec.structs.replace(identity.as_player(), awaits_totp=True)


def _make_room(remembered: dict[Any, Any], limit: int) -> None:
    """Drop the oldest quarter of a full memory."""
    if len(remembered) >= limit:
        for key in list(remembered)[: limit // 4]:
            del remembered[key]
