"""What every use case needs: settings, the database pool, Redis, the clock and the cost of passwords. Made once, passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from argon2 import PasswordHasher
from redis.asyncio import Redis

from server.settings import Settings

Clock = Callable[[], datetime]

# OWASP's recommendation for argon2id (19 MiB, 2 passes, 1 lane): 20 ms. RFC 9106's 64 MiB and 4 lanes take 60 ms
# on the cores that the bookings need too. No setting: nobody shall make it cheap where passwords are real.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def system_clock() -> datetime:
    """The server's clock: an aware UTC datetime. The only clock that decides (DOMAIN 6)."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, pool, Redis, clock and password hasher of one process."""

    settings: Settings
    pool: asyncpg.Pool[asyncpg.Record]
    redis: Redis
    clock: Clock = system_clock
    hasher: PasswordHasher = HASHER
