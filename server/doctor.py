"""`courtside doctor`: what must be right for an installation to work, checked one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import redis.exceptions
from redis.asyncio import Redis

from server.live.redis import create_redis
from server.settings import Settings, SettingsError, is_loopback
from server.sql.connection import CONNECT_TIMEOUT, OUT_OF_REACH, refuse_transaction_pooler
from server.sql.doctor import (
    count_demo_accounts,
    fetch_clock,
    fetch_first_booking,
    fetch_server,
    list_missing_guards,
    list_missing_parts,
)
from server.sql.migrate import fetch_schema_revision, head_revision, is_schema_ready
from server.sql.recovery import BACKUP, list_last_runs
from server.sql.totp import count_sealed
from server.usecases.post import SmtpPost, Unreachable
from server.usecases.sealing import key_name

OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
ISOLATION = "read committed"
CLOCK_TOLERANCE = timedelta(seconds=2)
"""A booking's deadline is judged by the server's clock, a mail's and a lease's by Postgres'."""
OLDEST_BACKUP = timedelta(hours=26)
OLDEST_TRIAL = timedelta(days=8)
"""One each day and one each week, and some time to run."""
FOR_PEOPLE = (
    "All endpoints tested with realistic load",
    "Error handling and retry logic verified",
    "Monitoring and alerting configured, and an alert seen to arrive",
    "A restore done by those who will have to, on the machine where they will have to",
    "Security audit completed",
    "Documentation updated",
    "Team training completed",
    "Runbooks read by those on duty",
    "Incident response plan in place: who is called, who decides",
    "Launch date confirmed",
    "Rollback plan prepared: the version before can be started by its commit",
)
"""What remains of the guide's rollout checklist: no machine can say whether it is so."""
UNREACHABLE: tuple[type[Exception], ...] = (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)
"""Also a wrong password, an unknown database, an address that makes no sense."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, and what is wrong and what to do about it (None: nothing)."""

    name: str
    trouble: str | None = None


async def examine(settings: Settings, *, processes: int) -> list[Finding]:
    """Check the settings, database, schema, backups, Redis and mail, for `processes` processes with a pool each."""
    return [
        *_examine_openness(settings),
        *await _examine_database(settings, processes),
        await _examine_redis(settings),
        await _examine_mail(settings),
    ]


def _examine_openness(settings: Settings) -> list[Finding]:
    """What must be set where others than this machine's users come; a browser on this machine needs none of it."""
    public = urlsplit(settings.public_url)
    open_to_others = not settings.on_loopback or not is_loopback(public.hostname or "")
    if not open_to_others:
        return [Finding("open to this machine only")]
    encrypted = public.scheme == "https"
    findings = [
        Finding(
            f"links and cookies over {public.scheme}",
            None if encrypted else "cookies are not marked Secure; let PUBLIC_URL begin with https://.",
        ),
        Finding(
            "HTTPS at the server or before it",
            None
            if settings.tls_cert or settings.trusted_proxies
            else "set TLS_CERT and TLS_KEY, or TRUSTED_PROXIES to the proxy that speaks HTTPS.",
        ),
        Finding("DEBUG off", "it is on; set it to false." if settings.debug else None),
        Finding(
            "rate limits on", None if settings.rate_limit_per_minute else "RATE_LIMIT_PER_MINUTE is 0; set it to 100."
        ),
    ]
    if settings.cookie_samesite == "none" and not encrypted:
        findings.append(Finding("COOKIE_SAMESITE none", "browsers take such cookies over HTTPS only; see PUBLIC_URL."))
    return findings


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
            await _examine_clock(conn),
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
    constraints, indexes = await list_missing_parts(conn)
    findings = [
        Finding(f"schema {revision}"),
        Finding(
            "constraint and triggers against double booking",
            f"{', '.join(missing)} missing or disabled; restore a backup, or make them as the migrations do."
            if missing
            else None,
        ),
        Finding(
            "all other constraints",
            f"{', '.join(others)} missing or never validated; make them as the migrations do."
            if (others := [name for name in constraints if name not in missing])
            else None,
        ),
        Finding(
            "indexes",
            f"{', '.join(indexes)} missing or half-made; make them as the migrations do, or REINDEX."
            if indexes
            else None,
        ),
        await _examine_seals(conn, settings),
        *await _examine_backups(conn),
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


async def _examine_seals(conn: asyncpg.Connection[asyncpg.Record], settings: Settings) -> Finding:
    """Whether the secrets of second factors are sealed, and with a key that stays."""
    counted = await count_sealed(conn)
    newest, *older = (key_name(secret) for secret in settings.jwt_secrets)
    foreign = sum(factors for key, factors in counted.items() if key not in ("", newest, *older))
    stale = sum(factors for key, factors in counted.items() if key in ("", *older))
    trouble = None
    if foreign:
        trouble = (
            f"{foreign} cannot be opened with JWT_SECRET; run `courtside reseal` with the one before as "
            "JWT_SECRET_PREVIOUS, or take them away."
        )
    elif stale:
        trouble = f"{stale} are not sealed with JWT_SECRET yet; run `courtside reseal`, or a worker."
    return Finding("second factors are sealed", trouble)


async def _examine_clock(conn: asyncpg.Connection[asyncpg.Record]) -> Finding:
    before = datetime.now(UTC)
    there = await fetch_clock(conn)
    off = max(before - there, there - datetime.now(UTC), timedelta(0))
    return Finding(
        "clock",
        f"it differs from the database's by {off.total_seconds():.0f} seconds; have both set by NTP."
        if off > CLOCK_TOLERANCE
        else None,
    )


async def _examine_backups(conn: asyncpg.Connection[asyncpg.Record]) -> list[Finding]:
    """Age and outcome of the last backup and of its trial; a club that began today needs none yet."""
    now = await fetch_clock(conn)
    first = await fetch_first_booking(conn)
    findings = []
    for run in await list_last_runs(conn):
        is_backup = run["kind"] == BACKUP
        name, limit = ("backup", OLDEST_BACKUP) if is_backup else ("trial of a backup", OLDEST_TRIAL)
        advice = "run `courtside backup` each day." if is_backup else "run `courtside backup --verify` each week."
        good_at: datetime | None = run["good_at"]
        trouble = None
        if run["ok"] is False:
            trouble = f"the last one failed: {run['error']}"
        elif good_at is None and first is not None and now - first > limit:
            trouble = f"there is none; {advice}"
        elif good_at is not None and now - good_at > limit:
            trouble = f"the last one is of {good_at:%Y-%m-%d %H:%M} UTC; {advice}"
        findings.append(
            Finding(f"{name}{f' of {good_at:%Y-%m-%d %H:%M} UTC' if good_at and not trouble else ''}", trouble)
        )
    return findings


async def _examine_mail(settings: Settings) -> Finding:
    if not settings.smtp_host:
        return Finding(
            "mail to files",
            None if settings.on_loopback else "SMTP_HOST is not set, so nobody gets any; set it to a mail server.",
        )
    try:
        await SmtpPost(settings).greet()
    except Unreachable as error:
        return Finding("mail", f"{settings.smtp_host} cannot be reached or refuses the login ({error}); see SMTP_HOST.")
    return Finding(f"mail by {settings.smtp_host}")


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
