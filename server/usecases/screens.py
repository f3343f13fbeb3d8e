"""Screens on the wall: how one gets its token, what staff do with it, and who is behind a token that is presented.

Pairing is a device flow (as in RFC 8628): the screen shows a short code and keeps a long secret; staff approve the
code; whoever has both collects the token, once. The code alone opens nothing and is worth nothing after minutes.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from server.context import Context
from server.domain.configuration import ScreenPart, changed_fields, check_screen
from server.domain.errors import Conflict, NotFound, PairingOver, Unavailable
from server.domain.people import Screen
from server.sql import screens as sql
from server.sql.audit import insert_audit
from server.sql.connection import OUT_OF_REACH, Connection, acquire
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import check_version
from server.usecases.gathering import Gathering
from server.usecases.identities import ACQUIRE_SECONDS, IDLE, MAX_AGE, keep_refreshing
from server.usecases.ids import uuid7
from server.usecases.tokens import bad_token, digest

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628, section 6.1: no vowels, so no words; nothing that looks like something else."""
CODE_LENGTH = 8
CODE_TRIES = 3
PAIRING_LIFE = timedelta(minutes=10)
POLL_INTERVAL = 5
"""Seconds."""

TOKEN_PREFIX = "screen_"  # noqa: S105 - how a screen's token is told from others
TOKEN_BYTES = 32
TOKEN_LENGTH = len(TOKEN_PREFIX) + len(secrets.token_urlsafe(TOKEN_BYTES))
SEEN_EVERY = timedelta(minutes=1)

_TROUBLE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError)


# -- pairing ------------------------------------------------------------------------------------------------


class Pairing(NamedTuple):
    """What a screen keeps while it waits: the code for all to see, and the secret."""

    code: str
    secret: str


async def begin_pairing(context: Context) -> Pairing:
    """Have a screen wait for its approval."""
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = context.clock() + PAIRING_LIFE
    async with acquire(context.pool) as conn:
        for _ in range(CODE_TRIES):
            code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
            try:
                await sql.insert_pairing(conn, code=code, secret_hash=digest(secret), expires_at=expires_at)
            except asyncpg.UniqueViolationError:
                continue
            return Pairing(f"{code[:4]}-{code[4:]}", secret)
    raise Unavailable


async def collect_token(context: Context, *, code: str, secret: str) -> str | None:
    """The token of the screen that waits with this code and secret, the first time after its approval; None before.

    Raises `PairingOver` if nobody waits with these (any more): it says nothing about which of them was wrong.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        row = await sql.lock_pairing(conn, normal_code(code))
        if row is None or not hmac.compare_digest(row["secret_hash"], digest(secret)) or row["expires_at"] <= now:
            raise PairingOver
        screen_id: int | None = row["screen_id"]
        if screen_id is None:
            return None
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        await sql.update_screen_token(conn, screen_id, digest(token))
        await sql.delete_pairing(conn, normal_code(code))
        screen = _stored(await sql.fetch_screen(conn, screen_id))
        await _audit(conn, now, "screen.paired", None, screen)
    return token


def normal_code(code: str) -> str:
    """The code as it is stored, however somebody wrote it."""
    return code.upper().replace("-", "").replace(" ", "")


# -- what staff do ------------------------------------------------------------------------------------------


class StoredScreen(msgspec.Struct, frozen=True, kw_only=True):
    """A screen as staff see it."""

    id: int
    club_id: int
    version: int
    part: ScreenPart
    paired: bool
    """Whether it has collected its token."""
    created_by: int
    approved_at: datetime
    last_seen_at: datetime | None
    revoked_at: datetime | None


async def list_screens(context: Context, club_id: int, after: int, limit: int) -> list[StoredScreen]:
    """The club's screens in order of id, the revoked ones too, beginning after `after`."""
    async with acquire(context.pool) as conn:
        return [_stored(row) for row in await sql.list_screens(conn, club_id, after, limit)]


async def read_screen(context: Context, screen_id: int) -> StoredScreen:
    """A screen of whatever club. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        return _stored(await sql.fetch_screen(conn, screen_id))


async def approve_screen(
    catalogues: Catalogues, actor_id: int, club_id: int, code: str, part: ScreenPart
) -> StoredScreen:
    """Take the screen that shows this code into the club. Raises `NotFound` for the code, `InvalidRequest`."""
    context = catalogues.context
    check_screen(part, (await catalogues.current(club_id)).court_by_id)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        code = normal_code(code)
        row = await sql.lock_pairing(conn, code)
        if row is None or row["screen_id"] is not None or row["expires_at"] <= now:
            raise NotFound("No screen waits with this code. Look at what it shows now.", field="code")
        screen_id = await sql.insert_screen(
            conn, club_id=club_id, name=part.name, court_ids=part.court_ids, created_by=actor_id, now=now
        )
        await sql.update_pairing_approved(conn, code=code, screen_id=screen_id, expires_at=now + PAIRING_LIFE)
        screen = _stored(await sql.fetch_screen(conn, screen_id))
        await _audit(conn, now, "screen.approved", actor_id, screen, court_ids=part.court_ids)
    return screen


async def change_screen(
    catalogues: Catalogues, actor_id: int, screen_id: int, version: int, fields: dict[str, Any]
) -> StoredScreen:
    """Give a screen that is at `version` another name or other courts.

    Raises `NotFound`, `PreconditionFailed`, `InvalidRequest`, `Conflict` for a revoked one.
    """
    context = catalogues.context
    club = await catalogues.current((await read_screen(context, screen_id)).club_id)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        await sql.lock_screen(conn, screen_id)
        before = _stored(await sql.fetch_screen(conn, screen_id))
        check_version(before.version, version)
        if before.revoked_at is not None:
            raise Conflict("This screen was shut out. Pair it again.")
        part: ScreenPart = msgspec.structs.replace(before.part, **fields)
        changed = changed_fields(before.part, part)
        if not changed:
            return before
        check_screen(part, club.court_by_id)
        await sql.update_screen(conn, screen_id, name=part.name, court_ids=part.court_ids)
        screen = _stored(await sql.fetch_screen(conn, screen_id))
        await _audit(conn, now, "screen.changed", actor_id, screen, changed=sorted(changed), court_ids=part.court_ids)
    return screen


async def revoke_screen(context: Context, actor_id: int, screen_id: int, version: int) -> None:
    """Shut a screen that is at `version` out, for good. Raises `NotFound`, `PreconditionFailed`."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        # The pairing before the screen, as whoever collects the token locks them.
        await sql.delete_pairing_of(conn, screen_id)
        await sql.lock_screen(conn, screen_id)
        before = _stored(await sql.fetch_screen(conn, screen_id))
        check_version(before.version, version)
        if before.revoked_at is None:
            await sql.update_screen_revoked(conn, screen_id, now)
            await _audit(conn, now, "screen.revoked", actor_id, before)


async def _audit(
    conn: Connection, now: datetime, event_type: str, actor_id: int | None, screen: StoredScreen, **more: Any
) -> None:
    await insert_audit(
        conn,
        id=uuid7(now),
        club_id=screen.club_id,
        event_type=event_type,
        actor_id=actor_id,
        payload={"screen_id": screen.id, **more},
    )


def _stored(row: asyncpg.Record | None) -> StoredScreen:
    if row is None:
        raise NotFound("There is no such screen.")
    return StoredScreen(
        id=row["id"],
        club_id=row["club_id"],
        version=row["version"],
        part=ScreenPart(name=row["name"], court_ids=_courts(row)),
        paired=row["paired"],
        created_by=row["created_by"],
        approved_at=row["approved_at"],
        last_seen_at=row["last_seen_at"],
        revoked_at=row["revoked_at"],
    )


def _courts(row: asyncpg.Record) -> tuple[int, ...] | None:
    return None if row["court_ids"] is None else tuple(row["court_ids"])


# -- who is behind a token ----------------------------------------------------------------------------------


class _Standing(NamedTuple):
    screen: Screen
    last_seen_at: datetime | None


class _Known:
    __slots__ = ("believed_until", "standing", "used_at")

    def __init__(self, standing: _Standing, now: datetime) -> None:
        self.standing = standing
        self.believed_until = now + MAX_AGE
        self.used_at = now

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be written that the screen was seen."""
        seen = self.standing.last_seen_at
        return seen is None or (self.used_at > seen and now - seen >= SEEN_EVERY)


class Screens:
    """The process's memory of screens' tokens, as `Identities` is that of users'. Belongs to one event loop.

    One query every couple of seconds learns what was revoked or changed, and notes who was seen: no request and no
    socket writes anything.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clock = context.clock
        self._known: dict[bytes, _Known] = {}
        # One query at a time for whatever is presented: tokens are guessed at the cost of whoever guesses.
        self._lookup: Gathering[bytes, _Standing | None] = Gathering(self._read)

    def recall(self, token: bytes) -> Screen | None:
        """The screen with this token, if that is known and fresh; no I/O. None says: `resolve` it."""
        known = self._known.get(token)
        if known is None:
            return None
        now = self._clock()
        if known.believed_until < now:
            return None
        known.used_at = now
        return known.standing.screen

    async def resolve(self, token: bytes) -> Screen:
        """The screen with this token. Raises `Unauthenticated` if there is none (any more), `Unavailable`."""
        if (known := self.recall(token)) is not None:
            return known
        if len(token) != TOKEN_LENGTH:
            raise bad_token()
        standing = await self._lookup.get(token)
        if standing is None:
            self._known.pop(token, None)
            raise bad_token()
        self._known[token] = _Known(standing, self._clock())
        return standing.screen

    def forget(self, screen_id: int) -> None:
        """Drop what is known of a screen, because this process just changed it."""
        for token in [token for token, known in self._known.items() if known.standing.screen.screen_id == screen_id]:
            del self._known[token]

    async def refresh(self) -> None:
        """Learn what became of the screens that were seen of late, and note that they were. Raises `Unavailable`."""
        now = self._clock()
        for token in [token for token, known in self._known.items() if now - known.used_at > IDLE]:
            del self._known[token]
        asked = dict(self._known)
        if not asked:
            return
        found = await self._read(list(asked))
        for token, known in asked.items():
            if self._known.get(token) is not known:
                continue  # forgotten or read anew meanwhile; this answer may be the older one
            standing = found[token]
            if standing is None:
                del self._known[token]
            else:
                known.standing = standing
                known.believed_until = now + MAX_AGE
        await self._note_seen(now)

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        await keep_refreshing(self.refresh, "screens")

    async def _note_seen(self, now: datetime) -> None:
        due = [known.standing.screen.screen_id for known in self._known.values() if known.is_due(now)]
        if not due:
            return
        try:
            async with acquire(self._context.pool, ACQUIRE_SECONDS) as conn:
                await sql.update_screens_seen(conn, due, now, now - SEEN_EVERY)
        except _TROUBLE as error:
            raise Unavailable from error

    async def _read(self, tokens: Sequence[bytes]) -> dict[bytes, _Standing | None]:
        hashes = {digest(token.decode("latin-1")): token for token in tokens}
        try:
            async with acquire(self._context.pool, ACQUIRE_SECONDS) as conn:
                rows = await sql.list_screens_behind(conn, list(hashes))
        except _TROUBLE as error:
            raise Unavailable from error
        found: dict[bytes, _Standing | None] = dict.fromkeys(tokens)
        for row in rows:
            screen = Screen(screen_id=row["id"], club_id=row["club_id"], name=row["name"], court_ids=_courts(row))
            found[hashes[row["token_hash"]]] = _Standing(screen, row["last_seen_at"])
        return found
