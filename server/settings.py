"""The environment, read once and validated. A wrong or missing setting stops the start with one sentence.

`.env` in the working directory is read too; the environment wins. A secret may come from a file instead, whose path
stands in the variable of its name and `_FILE`, as container engines and secret stores hand them out. The embedded mode
(`courtside up` without DATABASE_URL / REDIS_URL) fills in its own servers and a generated secret before this is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from dotenv import dotenv_values

from server.given import Given, certificate, hosts
from server.given import SettingsError as SettingsError  # noqa: PLC0414 - who reads the settings asks for it here

HOME = ".courtside"
"""Where the data is, if COURTSIDE_HOME does not say."""
MAX_SECRET_FILE = 64 * 1024
JWT_ALGORITHMS = ("HS256", "HS384", "HS512")
MOST_DAYS = 36_500
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "json", "pretty")
ACCESS_LOGS = ("all", "changes", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an installation can set. Each field is the environment variable of the same name in upper case.

    What `repr` leaves out is secret, and may come from a file.
    """

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    jwt_secret_previous: str = field(default="", repr=False)
    """What was signed with it holds still; nothing new is."""
    db_pool_size: int = 10
    db_pool_recycle: int = 3600
    db_pooler: str = "none"
    db_lock_timeout_ms: int = 2000
    debug: bool = False
    log_level: str = "info"
    log_format: str = "auto"
    """`auto`: for people on a terminal, else JSON."""
    access_log: str = "all"
    """Requests that get a line: all of them, or only changes and what was refused, failed or took long."""
    metrics_token: str = field(default="", repr=False)
    """What opens /metrics to whoever is not on this machine."""
    worker_port: int = 9464
    """Where the worker answers for its health and metrics; 0: nowhere."""
    otel_exporter_otlp_endpoint: str = ""
    """Where traces go, by OTLP over HTTP; empty: none are made."""
    cors_origins: tuple[str, ...] = ()
    cookie_samesite: str = "lax"
    """`none` for a page on another site: browsers then want HTTPS."""
    jwt_algorithm: str = "HS256"
    jwt_expire_minutes: int = 1440
    require_staff_totp: bool = False
    """Whether staff without a second factor are players."""
    retention_outbox_days: int = 7
    """How long a mail or job that is done is remembered; its secrets go at once."""
    retention_parked_days: int = 90
    """How long one that was set aside waits for somebody."""
    retention_history_days: int = 365
    """How long it is known who waited, or played along, on a day that is past."""
    retention_account_days: int = 1095
    """When a player who neither logged in nor played for so long is forgotten; 0: never."""
    retention_mail_days: int = 30
    """How long mails that are written as files stay."""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    notification_from_email: str = "bookings@courtside.example"
    rate_limit_per_minute: int = 100
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed_hosts: tuple[tuple[str, int | None], ...] = ()
    """Names, and their ports where only one will do, that the server answers for; none: for all."""
    tls_cert: Path | None = None
    """The certificate and those above it, PEM; with `tls_key` the server speaks HTTPS itself."""
    tls_key: Path | None = None
    ws_max_connections: int = 10_000
    """Live sockets of one process."""
    ws_max_per_ip: int = 500
    """Live sockets of one address in one process."""
    public_url: str = "http://127.0.0.1:8000"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 0
    """HTTP processes; 0 lets the command choose."""
    drain_seconds: int = 0
    """How long a process that was told to stop still takes requests, while its readiness fails."""
    courtside_home: Path = Path(HOME)
    backup_dir: Path = Path(".courtside/backups")
    backup_keep_days: int = 30
    backup_s3_url: str = ""
    backup_database_url: str = field(default="", repr=False)
    """The server itself, where DATABASE_URL leads to a pooler."""

    @property
    def jwt_secrets(self) -> tuple[str, ...]:
        """The keys whose signatures hold, the one that signs first."""
        return (self.jwt_secret, self.jwt_secret_previous) if self.jwt_secret_previous else (self.jwt_secret,)

    @property
    def on_loopback(self) -> bool:
        """Whether the HTTP server is to be reachable from this machine only; demo accounts log in only then.

        Whoever starts uvicorn by hand may bind another address than HOST, so a login looks at its connection too.
        """
        return is_loopback(self.host)


SECRETS = tuple(entry.name.upper() for entry in fields(Settings) if not entry.repr)
"""The variables that may be given as files."""


def is_loopback(host: str) -> bool:
    """Whether an address is loopback: `localhost`, 127.0.0.0/8 (also as an IPv6 socket shows it) or ::1."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def environment(directory: Path | None = None) -> dict[str, str]:
    """The variables of `.env` in `directory` (default: the working directory), overridden by the environment; secrets
    that are named by a file are read.

    Raises `SettingsError` for a file that cannot be read.
    """
    file = (directory or Path.cwd()) / ".env"
    values = {name: value for name, value in dotenv_values(file).items() if value is not None} if file.is_file() else {}
    return with_files({**values, **os.environ})


def with_files(env: Mapping[str, str]) -> dict[str, str]:
    """The variables with each `X_FILE` replaced by the X that is in the file, without the line's end.

    Raises `SettingsError` for a file that cannot be read, and where X says something else.
    """
    found = dict(env)
    for name in SECRETS:
        path = found.pop(f"{name}_FILE", "").strip()
        if not path:
            continue
        try:
            with Path(path).expanduser().open("rb") as file:
                value = file.read(MAX_SECRET_FILE).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"{name}_FILE is {path!r}, which cannot be read: {reason}.") from None
        if not value:
            raise SettingsError(f"{name}_FILE is {path!r}, which is empty; write the secret into it.")
        given = found.get(name, "").strip()
        if given and given != value:
            raise SettingsError(f"{name} and {name}_FILE are both set and differ; leave one of them out.")
        found[name] = value
    return found


def read_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the settings.

    Raises `SettingsError` with one sentence for the first setting that is wrong.
    """
    given = Given(environment() if env is None else with_files(env))
    host = given.text("HOST", "127.0.0.1")
    port = given.number("PORT", 8000, 1, 65535)
    tls_cert, tls_key = certificate(given.text("TLS_CERT"), given.text("TLS_KEY"))
    home = Path(given.text("COURTSIDE_HOME", HOME)).expanduser().absolute()
    debug = given.choice("DEBUG", "false", ("true", "false")) == "true"
    if debug and not is_loopback(host):
        raise SettingsError(f"DEBUG is true while HOST is {host!r}, which others can reach; set DEBUG to false.")
    return Settings(
        database_url=given.postgres("DATABASE_URL"),
        redis_url=given.redis("REDIS_URL"),
        jwt_secret=given.key("JWT_SECRET"),
        jwt_secret_previous=given.key("JWT_SECRET_PREVIOUS", optional=True),
        db_pool_size=given.number("DB_POOL_SIZE", 10, 1, 1000),
        db_pool_recycle=given.number("DB_POOL_RECYCLE", 3600, 1, 10**7),
        db_pooler=given.choice("DB_POOLER", "none", ("none", "transaction")),
        db_lock_timeout_ms=given.number("DB_LOCK_TIMEOUT_MS", 2000, 10, 60000),
        debug=debug,
        log_level=given.choice("LOG_LEVEL", "info", LOG_LEVELS),
        log_format=given.choice("LOG_FORMAT", "auto", LOG_FORMATS),
        access_log=given.choice("ACCESS_LOG", "all", ACCESS_LOGS),
        metrics_token=given.token("METRICS_TOKEN"),
        worker_port=given.number("WORKER_PORT", 9464, 0, 65535),
        otel_exporter_otlp_endpoint=given.url("OTEL_EXPORTER_OTLP_ENDPOINT", ("http", "https"), optional=True).rstrip(
            "/"
        ),
        cors_origins=given.origins("CORS_ORIGINS"),
        cookie_samesite=given.choice("COOKIE_SAMESITE", "lax", ("lax", "none")),
        jwt_algorithm=given.choice("JWT_ALGORITHM", "HS256", JWT_ALGORITHMS),
        jwt_expire_minutes=given.number("JWT_EXPIRE_MINUTES", 1440, 1, 60 * 24 * 366),
        require_staff_totp=given.choice("REQUIRE_STAFF_TOTP", "false", ("true", "false")) == "true",
        retention_outbox_days=given.number("RETENTION_OUTBOX_DAYS", 7, 1, MOST_DAYS),
        retention_parked_days=given.number("RETENTION_PARKED_DAYS", 90, 1, MOST_DAYS),
        retention_history_days=given.number("RETENTION_HISTORY_DAYS", 365, 1, MOST_DAYS),
        retention_account_days=given.number("RETENTION_ACCOUNT_DAYS", 1095, 0, MOST_DAYS),
        retention_mail_days=given.number("RETENTION_MAIL_DAYS", 30, 1, MOST_DAYS),
        smtp_host=given.server("SMTP_HOST"),
        smtp_port=given.number("SMTP_PORT", 587, 1, 65535),
        smtp_user=given.text("SMTP_USER"),
        smtp_password=given.text("SMTP_PASSWORD"),
        notification_from_email=given.address("NOTIFICATION_FROM_EMAIL", "bookings@courtside.example"),
        rate_limit_per_minute=given.number("RATE_LIMIT_PER_MINUTE", 100, 0, 10**6),
        trusted_proxies=given.networks("TRUSTED_PROXIES"),
        allowed_hosts=hosts(given.items("ALLOWED_HOSTS")),
        tls_cert=tls_cert,
        tls_key=tls_key,
        ws_max_connections=given.number("WS_MAX_CONNECTIONS", 10_000, 0, 10**6),
        ws_max_per_ip=given.number("WS_MAX_PER_IP", 500, 0, 10**6),
        public_url=given.site("PUBLIC_URL", f"{'https' if tls_cert else 'http'}://{_shown(host)}:{port}"),
        host=host,
        port=port,
        workers=given.number("WORKERS", 0, 0, 64),
        drain_seconds=given.number("DRAIN_SECONDS", 0, 0, 300),
        courtside_home=home,
        backup_dir=Path(given.text("BACKUP_DIR", str(home / "backups"))).expanduser().absolute(),
        backup_keep_days=given.number("BACKUP_KEEP_DAYS", 30, 1, 3650),
        backup_s3_url=given.url("BACKUP_S3_URL", ("s3",), optional=True),
        backup_database_url=given.postgres("BACKUP_DATABASE_URL", optional=True),
    )


def _shown(host: str) -> str:
    """How a loopback address stands in a URL; others may be no address at all (0.0.0.0), so this machine's stands in."""
    if not is_loopback(host):
        return "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host
