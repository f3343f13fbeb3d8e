"""What every use case needs: settings, the database pool, Redis and the clock. Made once, passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from redis.asyncio import Redis

from server.settings import Settings

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The server's clock: an aware UTC datetime. The only clock that decides (DOMAIN 6)."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, pool, Redis and clock of one process."""

    settings: Settings
    pool: asyncpg.Pool[asyncpg.Record]
    redis: Redis
    clock: Clock = system_clock
