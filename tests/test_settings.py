from __future__ import annotations

import dataclasses
import re
import secrets
from pathlib import Path

import pytest

from server.settings import SECRETS, Settings, SettingsError, environment, is_loopback, read_settings

ROOT = Path(__file__).resolve().parent.parent
REQUIRED = {
    "DATABASE_URL": "postgresql://user:password@db.example.com:5432/courtbooking",
    "REDIS_URL": "redis://cache.example.com:6379/0",
    "JWT_SECRET": "0123456789abcdef" * 2,
}
GUIDE = {
    **REQUIRED,
    "DB_POOL_SIZE": "10",
    "DB_POOL_RECYCLE": "3600",
    "DEBUG": "false",
    "LOG_LEVEL": "info",
    "CORS_ORIGINS": "https://app.example.com",
    "JWT_ALGORITHM": "HS256",
    "JWT_EXPIRE_MINUTES": "1440",
    "SMTP_HOST": "smtp.example.com",
    "SMTP_PORT": "587",
    "SMTP_USER": "noreply@example.com",
    "SMTP_PASSWORD": "secret",
    "NOTIFICATION_FROM_EMAIL": "bookings@example.com",
}
"""The operations guide's own .env."""


def test_the_example_file_names_every_setting_and_no_other() -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(field.name.upper() for field in dataclasses.fields(Settings))


def test_the_examples_defaults_are_the_settings_defaults() -> None:
    lines = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    shown = {name: value for name, value in lines if name not in (*REQUIRED, "CORS_ORIGINS")}
    assert read_settings({**REQUIRED, **shown}) == read_settings(REQUIRED)


def test_the_guides_environment_is_understood_word_for_word() -> None:
    settings = read_settings(GUIDE)
    assert settings.database_url == GUIDE["DATABASE_URL"]
    assert settings.redis_url == GUIDE["REDIS_URL"]
    assert settings.cors_origins == ("https://app.example.com",)
    assert (settings.db_pool_size, settings.db_pool_recycle, settings.jwt_expire_minutes) == (10, 3600, 1440)
    assert (settings.smtp_host, settings.smtp_port, settings.debug) == ("smtp.example.com", 587, False)


@pytest.mark.parametrize("url", ["rediss://:password@cache.example.com:6380/1", "unix:///run/redis.sock"])
def test_other_redis_addresses_are_understood(url: str) -> None:
    assert read_settings({**REQUIRED, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://db.example.com/courtbooking"),
        ("DATABASE_URL", "postgresql://db.example.com:port/courtbooking"),
        ("DATABASE_URL", "postgresql://first.example.com:5432,second.example.com:port/courtbooking"),
        ("BACKUP_S3_URL", "https://bucket.example.com"),
        ("BACKUP_KEEP_DAYS", "0"),
        ("REDIS_URL", ""),
        ("REDIS_URL", "http://cache.example.com"),
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "<generate_strong_secret>"),
        ("JWT_SECRET", "short"),
        ("JWT_SECRET", "x" * 64),
        ("JWT_SECRET", "password" * 8),
        ("JWT_SECRET", "change-me-change-me-change-me-0123456789"),
        ("JWT_SECRET_PREVIOUS", "short"),
        ("METRICS_TOKEN", "short"),
        ("METRICS_TOKEN", "<generate_strong_secret>"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("LOG_FORMAT", "xml"),
        ("ACCESS_LOG", "some"),
        ("WORKER_PORT", "65536"),
        ("DRAIN_SECONDS", "-1"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_EXPIRE_MINUTES", "0"),
        ("DATABASE_URL", "postgresql://a:b@db.example.com/c?sslmode=on"),
        ("DATABASE_URL", "postgresql://a:b@db.example.com/c?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"),
        ("BACKUP_DATABASE_URL", "postgresql://a:b@db.example.com/c?sslmode="),
        ("REDIS_URL", "redis://cache.example.com:6379/first"),
        ("REDIS_URL", "redis://cache.example.com:6379/0?timeout=1"),
        ("REDIS_URL", "redis://cache.example.com:6379/0?socket_timeout=soon"),
        ("REDIS_URL", "rediss://cache.example.com:6379/0?ssl_cert_reqs=maybe"),
        ("REDIS_URL", "rediss://cache.example.com:6379/0?ssl_ca_certs=/nowhere/ca.pem"),
        ("DB_POOL_SIZE", "ten"),
        ("DB_POOL_SIZE", "0"),
        ("DB_POOL_SIZE", "--5"),
        ("DB_POOL_SIZE", "9" * 5000),
        ("DB_POOL_RECYCLE", "-1"),
        ("DB_POOLER", "session"),
        ("DB_LOCK_TIMEOUT_MS", "1"),
        ("DEBUG", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/path"),
        ("SMTP_PORT", "65536"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("PUBLIC_URL", "courtside.example"),
        ("PUBLIC_URL", "https://club.example/courts"),
        ("PUBLIC_URL", "https://club.example?x=1"),
        ("PUBLIC_URL", "https://"),
        ("NOTIFICATION_FROM_EMAIL", "bookings"),
        ("NOTIFICATION_FROM_EMAIL", "Bookings <bookings@club.example>"),
        ("SMTP_HOST", "smtp.example.com, relay.example.com"),
        ("SMTP_HOST", "smtp://smtp.example.com"),
        ("PORT", "0"),
        ("PORT", "１"),
        ("WORKERS", "-1"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence_that_names_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({**REQUIRED, name: value})
    sentence = str(refused.value)
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert REQUIRED["JWT_SECRET"] not in sentence


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("192.0.2.7", "http://127.0.0.1:8000"),
    ],
)
def test_the_public_address_follows_host_and_port(host: str, expected: str) -> None:
    assert read_settings({**REQUIRED, "HOST": host}).public_url == expected


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=8100\nLOG_LEVEL=warning\n")
    monkeypatch.setenv("PORT", "8200")
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    monkeypatch.chdir(tmp_path)
    settings = read_settings({**environment(), **REQUIRED})
    assert (settings.port, settings.log_level) == (8200, "warning")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("::", False),
        ("192.0.2.7", False),
        ("club.example", False),
    ],
)
def test_loopback_is_told_from_what_others_reach(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_secrets_are_in_no_representation_of_the_settings() -> None:
    canaries = {name: f"canary{number}{secrets.token_hex(20)}" for number, name in enumerate(SECRETS)}
    given = {
        **canaries,
        "DATABASE_URL": f"postgresql://user:{canaries['DATABASE_URL']}@db.example.com/courtbooking",
        "REDIS_URL": f"rediss://:{canaries['REDIS_URL']}@cache.example.com/0",
        "BACKUP_DATABASE_URL": f"postgresql://user:{canaries['BACKUP_DATABASE_URL']}@db.example.com/courtbooking",
    }
    settings = read_settings(given)
    assert {name for name in SECRETS if canaries[name] in str(getattr(settings, name.lower()))} == set(SECRETS)
    for shown in (repr(settings), str(settings), f"{[settings]}"):
        assert not [name for name, canary in canaries.items() if canary in shown]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_be_in_a_file(name: str, tmp_path: Path) -> None:
    value = {
        **REQUIRED,
        "SMTP_PASSWORD": "a word",
        "METRICS_TOKEN": secrets.token_hex(16),
        "BACKUP_DATABASE_URL": REQUIRED["DATABASE_URL"],
    }.get(name)
    value = value or secrets.token_hex(32)
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    others = {key: other for key, other in REQUIRED.items() if key != name}
    assert getattr(read_settings({**others, f"{name}_FILE": str(file)}), name.lower()) == value


@pytest.mark.parametrize(
    ("content", "beside"),
    [(None, ""), (b"", ""), (b"\xff\xfe", ""), (b"0123456789abcdef0123456789abcdef", "another" * 5)],
    ids=["missing", "empty", "no text", "not the same as the variable"],
)
def test_a_secret_file_that_cannot_be_used_is_one_sentence_without_the_secret(
    content: bytes | None, beside: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^[^\n]*JWT_SECRET_FILE[^\n]*\.$") as refused:
        read_settings({**REQUIRED, "JWT_SECRET": beside, "JWT_SECRET_FILE": str(file)})
    assert "0123456789abcdef" not in str(refused.value)


def test_what_started_us_may_have_both_a_variable_and_its_file(tmp_path: Path) -> None:
    """`courtside serve` reads the file and hands the variable on to itself."""
    file = tmp_path / "secret"
    file.write_text(REQUIRED["JWT_SECRET"])
    assert read_settings({**REQUIRED, "JWT_SECRET_FILE": str(file)}).jwt_secret == REQUIRED["JWT_SECRET"]


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)])  # noqa: S104
def test_debug_is_refused_where_others_can_reach_the_server(host: str, allowed: bool) -> None:
    if allowed:
        assert read_settings({**REQUIRED, "DEBUG": "true", "HOST": host}).debug
        return
    with pytest.raises(SettingsError, match="DEBUG is true while HOST"):
        read_settings({**REQUIRED, "DEBUG": "true", "HOST": host})
