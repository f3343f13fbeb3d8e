"""The process's copy of each club's configuration, kept true without asking more than it must.

Postgres is the truth: `clubs.config_version` grows with every change, in the transaction that makes it. A copy
is used as long as its version is the committed one, so a change in one process is seen by every other at its
next `current`, with Redis or without. Redis only saves the reading: its key names the database's history, the
club and the version, so that an entry can be missing but never stale.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
import structlog
from redis.exceptions import RedisError

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound
from server.sql import catalogue as sql
from server.sql.catalogue import ClubVersion
from server.sql.connection import Connection, acquire
from server.usecases.gathering import Gathering

CACHE_SECONDS = 3600
"""DOMAIN 18."""
REDIS_TIMEOUT = 0.25
REDIS_PAUSE = 5.0
"""Seconds without Redis after a call failed, so that a frozen server costs one timeout and not one each."""
MAX_ID = 2**63 - 1

# The shape is part of the key: processes of two releases that run side by side never read each other's entries.
_SHAPE = hashlib.sha256(msgspec.json.encode(msgspec.json.schema(Catalogue))).hexdigest()[:8]
_decoder = msgspec.json.Decoder(Catalogue)

T = TypeVar("T")

log = structlog.get_logger(__name__)


def cache_key(version: ClubVersion) -> str:
    """The Redis key of one version of one club's catalogue."""
    return f"courtside:catalogue:{_SHAPE}:{version.epoch}:{version.club_id}:{version.config_version}"


class _Copy(NamedTuple):
    version: ClubVersion
    catalogue: Catalogue


class Catalogues:
    """The configurations of all clubs, as this process knows them. Made once per process and event loop.

    `cached`, `by_slug`, `by_id` and `of_court` answer from memory and may be behind by what another process
    has just committed; `current` is never older than the call. What refuses for good must look at `current`.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.after_change: Callable[[int], None] = lambda _: None
        """Called with the club whose configuration this process has changed, after the commit."""
        self._clubs: dict[int, ClubVersion] = {}
        self._copies: dict[int, _Copy] = {}
        self._club_of_court: dict[int, int] = {}
        self._version_query: Gathering[None, dict[int, ClubVersion]] = Gathering(self._query_versions)
        self._loads: dict[ClubVersion, asyncio.Task[Catalogue]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._redis_pause_until = 0.0

    # -- from memory -------------------------------------------------------------------------------------

    def cached(self, club_id: int) -> Catalogue | None:
        """The copy in memory, however old; None if there is none."""
        copy = self._copies.get(club_id)
        return copy.catalogue if copy else None

    async def by_slug(self, slug: str | None) -> Catalogue:
        """The club of that name; None is the default club: the lowest id that is not retired.

        Raises `NotFound`.
        """
        club_id = self._find(slug)
        if club_id is None:
            await self._versions()
            club_id = self._find(slug)
        if club_id is None:
            raise NotFound("There is no such club." if slug else "There is no club yet.", field="club")
        return await self.by_id(club_id)

    async def by_id(self, club_id: int) -> Catalogue:
        """The club with that id. Raises `NotFound`."""
        return self.cached(club_id) or await self.current(club_id)

    async def even_retired(self, club_id: int) -> Catalogue:
        """As `by_id`, also for a club that is retired: what was booked there keeps its place and its zone."""
        try:
            return await self.by_id(club_id)
        except NotFound:
            async with acquire(self.context.pool) as conn:
                found = await sql.fetch_catalogue(conn, club_id, even_retired=True)
            if found is None:
                raise
            return found

    async def of_court(self, court_id: int) -> Catalogue:
        """The club that a court belongs to. Raises `NotFound` if the court is unknown or retired."""
        known = self._club_of_court.get(court_id)
        catalogue = self.cached(known) if known is not None else None
        if catalogue is not None and court_id in catalogue.court_by_id:
            return catalogue
        if 0 < court_id <= MAX_ID:
            async with acquire(self.context.pool) as conn:
                club_id = await sql.fetch_club_of_court(conn, court_id)
            if club_id is not None:
                catalogue = await self.current(club_id)
                if court_id in catalogue.court_by_id:
                    return catalogue
        raise NotFound("There is no such court.", field="court_id")

    # -- from the database -------------------------------------------------------------------------------

    async def clubs(self) -> list[Catalogue]:
        """Every club that is not retired, lowest id first, as fresh as `current`."""
        versions = await self._versions()
        return [await self._at_least(version) for version in versions.values()]

    async def current(self, club_id: int) -> Catalogue:
        """The club's configuration, never older than this call. Raises `NotFound`.

        Calls that wait at the same time share one version query, which begins after the last of them came.
        """
        versions = await self._versions()
        version = versions.get(club_id)
        if version is None:
            raise NotFound("There is no such club.", field="club")
        return await self._at_least(version)

    async def current_by_slug(self, slug: str | None) -> Catalogue:
        """The club of that name, or the default club, never older than this call. Raises `NotFound`."""
        versions = await self._versions()
        for version in versions.values():
            if slug is None or version.slug == slug:
                return await self._at_least(version)
        raise NotFound("There is no such club." if slug else "There is no club yet.", field="club")

    async def load(self, club_id: int, *, conn: Connection) -> Catalogue:
        """The configuration as that transaction sees it, by one statement and without Redis: for who has seen there
        that the copy is of another moment. Raises `NotFound`."""
        catalogue = await sql.fetch_catalogue(conn, club_id)
        if catalogue is None:
            self._forget(club_id)
            raise NotFound("There is no such club.", field="club")
        self._install(_version_of(catalogue), catalogue, store=True)
        return catalogue

    def changed(self, club_id: int) -> None:
        """Say, after the commit, that this process changed the club: its copy and that of Redis are renewed."""
        if club_id in self._copies:
            self._spawn(self._renew(club_id))
        self.after_change(club_id)

    async def close(self) -> None:
        """Let what runs in the background end."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------

    def _find(self, slug: str | None) -> int | None:
        if slug is None:
            return min(self._clubs, default=None)
        return next((club_id for club_id, club in self._clubs.items() if club.slug == slug), None)

    async def _renew(self, club_id: int) -> None:
        with suppress(NotFound):  # it was retired just now, and asking has dropped the copy
            await self.current(club_id)

    async def _versions(self) -> dict[int, ClubVersion]:
        return await self._version_query.get(None)

    async def _query_versions(self, _: Sequence[None]) -> dict[None, dict[int, ClubVersion]]:
        async with acquire(self.context.pool) as conn:
            rows = await sql.list_club_versions(conn)
        versions = {row.club_id: row for row in rows}
        self._clubs = dict(versions)
        for gone in self._copies.keys() - versions.keys():
            self._forget(gone)
        return {None: versions}

    async def _at_least(self, version: ClubVersion) -> Catalogue:
        copy = self._copies.get(version.club_id)
        if copy is not None and _covers(copy.version, version):
            return copy.catalogue
        task = self._loads.get(version)
        if task is None:
            task = self._loads[version] = asyncio.create_task(self._load(version))
            task.add_done_callback(lambda _: self._loads.pop(version, None))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _load(self, version: ClubVersion) -> Catalogue:
        raw = await self._redis(self.context.redis.get(cache_key(version)))
        if raw is not None:
            try:
                catalogue = _decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeError):
                log.warning("catalogue_cache_unreadable", club_id=version.club_id)
            else:
                if (catalogue.club_id, *catalogue.mark) == (version.club_id, version.epoch, version.config_version):
                    self._install(version, catalogue, store=False)
                    return catalogue
        async with acquire(self.context.pool) as conn:
            found = await sql.fetch_catalogue(conn, version.club_id)
        if found is None:
            self._forget(version.club_id)
            raise NotFound("There is no such club.", field="club")
        self._install(_version_of(found), found, store=True)
        return found

    def _install(self, version: ClubVersion, catalogue: Catalogue, *, store: bool) -> None:
        old = self._copies.get(version.club_id)
        if old is not None and _covers(old.version, version):
            return  # a slower load of something older, or the same again
        self._forget(version.club_id)
        self._copies[version.club_id] = _Copy(version, catalogue)
        self._clubs[version.club_id] = version
        for court in catalogue.courts:
            self._club_of_court[court.id] = version.club_id
        redis = self.context.redis
        if old is not None:
            self._spawn(self._redis(redis.delete(cache_key(old.version))))
        if store:
            value = msgspec.json.encode(catalogue)
            self._spawn(self._redis(redis.set(cache_key(version), value, ex=CACHE_SECONDS)))

    def _forget(self, club_id: int) -> None:
        copy = self._copies.pop(club_id, None)
        self._clubs.pop(club_id, None)
        for court in copy.catalogue.courts if copy else ():
            self._club_of_court.pop(court.id, None)

    async def _redis(self, call: Awaitable[T]) -> T | None:
        """The answer of Redis, or None if it has none, is away, slow or was so a moment ago."""
        if time.monotonic() < self._redis_pause_until:
            if asyncio.iscoroutine(call):
                call.close()
            return None
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            self._redis_pause_until = time.monotonic() + REDIS_PAUSE
            log.warning("catalogue_cache_away", error=type(error).__name__)
            return None

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception:
                log.warning("catalogue_background_failed", exc_info=True)

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _version_of(catalogue: Catalogue) -> ClubVersion:
    return ClubVersion(catalogue.club_id, catalogue.slug, catalogue.config_version, catalogue.epoch)


def _covers(known: ClubVersion, wanted: ClubVersion) -> bool:
    return known.epoch == wanted.epoch and known.config_version >= wanted.config_version


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the outcome, so that a failure whose waiters have all left is not reported as forgotten."""
    if not task.cancelled():
        task.exception()
