"""Each check of `courtside doctor`, and what makes it fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import asyncpg
import pytest

from server import doctor
from server.context import Context
from server.doctor import FOR_PEOPLE, Finding, examine
from server.settings import Settings
from tests.house import make_house
from tests.mailing import mail_server

PUBLIC: dict[str, Any] = {
    "host": "0.0.0.0",  # noqa: S104 - what a public server has
    "public_url": "https://club.example",
    "trusted_proxies": (ip_network("10.0.0.0/8"),),
    "rate_limit_per_minute": 100,
}


async def troubles(settings: Settings, *, processes: int = 3) -> dict[str, str]:
    """Name of a check that fails → what it says."""
    found = await examine(settings, processes=processes)
    return {finding.name: finding.trouble for finding in found if finding.trouble}


async def test_a_whole_public_installation_has_no_trouble(settings: Settings) -> None:
    async with mail_server() as mail:
        assert await troubles(replace(settings, **PUBLIC, smtp_host="127.0.0.1", smtp_port=mail.port)) == {}


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        ({"public_url": "http://club.example"}, "links and cookies over http", "let PUBLIC_URL begin with https"),
        ({"public_url": "http://club.example", "cookie_samesite": "none"}, "COOKIE_SAMESITE none", "over HTTPS only"),
        ({"trusted_proxies": ()}, "HTTPS at the server or before it", "set TLS_CERT and TLS_KEY"),
        ({"debug": True}, "DEBUG off", "set it to false"),
        ({"rate_limit_per_minute": 0}, "rate limits on", "set it to 100"),
        ({"smtp_host": ""}, "mail to files", "set it to a mail server"),
        ({"smtp_port": 1}, "mail", "cannot be reached"),
        ({"redis_url": "redis://127.0.0.1:1"}, "Redis", "check REDIS_URL"),
        ({"db_pool_size": 900}, "3 processes with 900 connections each", "lower DB_POOL_SIZE"),
        ({"database_url": "postgresql://x@127.0.0.1:1/x"}, "database", "check DATABASE_URL"),
    ],
)
async def test_a_setting_that_is_wrong_is_found(
    change: dict[str, Any], name: str, expected: str, settings: Settings
) -> None:
    async with mail_server() as mail:
        whole = replace(settings, **PUBLIC, smtp_host="127.0.0.1", smtp_port=mail.port)
        found = await troubles(replace(whole, **change))
    said = [trouble for check, trouble in found.items() if check.startswith(name)]
    assert len(said) == 1, found
    assert expected in said[0]


@pytest.mark.parametrize(
    ("statement", "name", "expected"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "schema 0001", "run `courtside migrate`"),
        ("ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking", "constraint and triggers", "missing"),
        ("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only", "constraint and triggers", "ledger_append_only"),
        (
            "ALTER TABLE bookings DROP CONSTRAINT bookings_times_in_order_check",
            "all other constraints",
            "times_in_order",
        ),
        ("ALTER TABLE memberships DROP CONSTRAINT memberships_pkey", "all other constraints", "memberships_pkey"),
        ("DROP INDEX idx_outbox_due", "indexes", "idx_outbox_due"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_outbox_due'::regclass",
            "indexes",
            "idx_outbox_due",
        ),
        (
            "INSERT INTO users (email, password_hash) VALUES ('p@x.example', 'x');"
            "INSERT INTO totp (user_id, secret) SELECT id, 'PLAIN' FROM users",
            "second factors",
            "1 are not sealed with JWT_SECRET yet",
        ),
        (
            "INSERT INTO users (email, password_hash) VALUES ('p@x.example', 'x');"
            "INSERT INTO totp (user_id, secret, sealed_by) SELECT id, 'gAAAA', 'the key of somewhere else' FROM users",
            "second factors",
            "1 cannot be opened with JWT_SECRET",
        ),
        (
            "INSERT INTO backup_runs (kind, started_at, finished_at, ok) VALUES ('backup', now(), now() - interval '27 h', true)",
            "backup",
            "each day",
        ),
        (
            "INSERT INTO backup_runs (kind, started_at, finished_at, ok) VALUES ('verify', now(), now() - interval '9 d', true)",
            "trial of a backup",
            "each week",
        ),
        (
            "INSERT INTO backup_runs (kind, started_at, finished_at, ok, error) VALUES ('verify', now(), now(), false, 'a byte')",
            "trial of a backup",
            "the last one failed: a byte",
        ),
    ],
)
async def test_what_is_wrong_in_the_database_is_found(
    statement: str, name: str, expected: str, settings: Settings
) -> None:
    conn = await asyncpg.connect(settings.database_url)
    await conn.execute(statement)
    await conn.close()
    found = await troubles(settings)
    said = [trouble for check, trouble in found.items() if check.startswith(name)]
    assert len(said) == 1, found
    assert expected in said[0]


async def test_a_club_that_has_run_for_days_without_a_backup_is_found(settings: Settings, context: Context) -> None:
    house = await make_house(context)
    await house.book(await house.player(), "10:00", "11:00")
    await house.close()
    assert await troubles(settings) == {}, "its first day"
    await context.pool.execute("UPDATE bookings SET created_at = now() - interval '9 days'")
    assert list(await troubles(settings)) == ["backup", "trial of a backup"]


async def test_a_clock_that_is_wrong_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) + timedelta(minutes=1)

    monkeypatch.setattr(doctor, "datetime", Late)
    assert "differs from the database's by 60 seconds" in (await troubles(settings))["clock"]


async def test_old_servers_and_a_wrong_isolation_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_POSTGRES", 99)
    monkeypatch.setattr(doctor, "OLDEST_REDIS", 99)
    conn = await asyncpg.connect(settings.database_url)
    database = settings.database_url.rpartition("/")[2]
    await conn.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    await conn.close()
    found = await troubles(settings)
    assert [name.split()[0] for name in found] == ["Postgres", "isolation", "Redis"]


async def test_demo_accounts_where_others_come_are_found(settings: Settings, context: Context) -> None:
    await context.pool.execute("INSERT INTO users (email, password_hash, demo) VALUES ('d@x.example', 'x', true)")
    assert "1 demo accounts" not in await troubles(settings)
    assert "cannot log in there" in (await troubles(replace(settings, host="0.0.0.0")))["1 demo accounts"]  # noqa: S104


def test_what_remains_is_listed_once() -> None:
    assert len(set(FOR_PEOPLE)) == len(FOR_PEOPLE)
    assert Finding("settings").trouble is None
