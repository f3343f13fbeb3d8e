"""`courtside doctor`: what must be right for an installation to work, checked one by one."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import redis.exceptions
from redis.asyncio import Redis

from server.live.redis import create_redis
from server.settings import Settings, SettingsError
from server.sql.connection import CONNECT_TIMEOUT, OUT_OF_REACH, refuse_transaction_pooler
from server.sql.doctor import count_demo_accounts, fetch_server, list_missing_guards
from server.sql.migrate import fetch_schema_revision, head_revision, is_schema_ready

OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
ISOLATION = "read committed"
UNREACHABLE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)
"""Also a wrong password, an unknown database, an address that makes no sense."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, and what is wrong and what to do about it (None: nothing)."""

    name: str
    trouble: str | None = None


async def examine(settings: Settings, *, processes: int) -> list[Finding]:
    """Check database, schema and Redis, for an installation of `processes` processes with a pool each."""
    return [*await _examine_database(settings, processes), await _examine_redis(settings)]


async def _examine_database(settings: Settings, processes: int) -> list[Finding]:
    try:
        if settings.db_pooler == "none":
            await refuse_transaction_pooler(settings)
        conn = await asyncpg.connect(settings.database_url, timeout=CONNECT_TIMEOUT, statement_cache_size=0)
    except SettingsError as error:
        return [Finding("database", str(error))]
    except UNREACHABLE as error:
        reason = str(error) or type(error).__name__
        return [Finding("database", f"it cannot be reached ({reason}); check DATABASE_URL and that it runs.")]
    try:
        return [
            Finding("database"),
            *await _examine_server(conn, settings, processes),
            *await _examine_schema(conn, settings),
        ]
    finally:
        await conn.close(timeout=CONNECT_TIMEOUT)


async def _examine_server(
    conn: asyncpg.Connection[asyncpg.Record], settings: Settings, processes: int
) -> list[Finding]:
    server = await fetch_server(conn)
    wanted = processes * settings.db_pool_size
    findings = [
        Finding(
            f"Postgres {server['shown_version']}",
            f"{OLDEST_POSTGRES} is the oldest that works; upgrade it."
            if server["version"] < OLDEST_POSTGRES * 10_000
            else None,
        ),
        Finding(
            f"isolation {server['isolation']}",
            "the pool triggers need READ COMMITTED; set default_transaction_isolation back to it."
            if server["isolation"] != ISOLATION
            else None,
        ),
    ]
    if settings.db_pooler == "none":
        findings.append(
            Finding(
                f"{processes} processes with {settings.db_pool_size} connections each, of {server['connections']}",
                "lower DB_POOL_SIZE or WORKERS, or raise max_connections." if wanted >= server["connections"] else None,
            )
        )
    return findings


async def _examine_schema(conn: asyncpg.Connection[asyncpg.Record], settings: Settings) -> list[Finding]:
    revision = await fetch_schema_revision(conn)
    if not is_schema_ready(revision):
        return [
            Finding(
                f"schema {revision or 'missing'}", f"this version needs {head_revision()}; run `courtside migrate`."
            )
        ]
    missing = await list_missing_guards(conn)
    findings = [
        Finding(f"schema {revision}"),
        Finding(
            "constraint and triggers against double booking",
            f"{', '.join(missing)} missing or disabled; restore a backup, or make them as the migrations do."
            if missing
            else None,
        ),
    ]
    demo = await count_demo_accounts(conn)
    if demo and not settings.on_loopback:
        findings.append(
            Finding(
                f"{demo} demo accounts",
                f"HOST is {settings.host}: they cannot log in there; use `courtside create-admin` and suspend them.",
            )
        )
    else:
        findings.append(Finding("demo accounts"))
    return findings


async def _examine_redis(settings: Settings) -> Finding:
    client: Redis = create_redis(settings)
    try:
        version: str = (await client.info("server"))["redis_version"]
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        return Finding("Redis", f"it cannot be reached ({reason}); check REDIS_URL. Bookings go on without it.")
    finally:
        await client.aclose()
    old = int(version.partition(".")[0]) < OLDEST_REDIS
    return Finding(f"Redis {version}", f"{OLDEST_REDIS} is the oldest that works; upgrade it." if old else None)
