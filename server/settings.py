"""The environment, read once and validated. A wrong or missing setting stops the start with one sentence.

`.env` in the working directory is read too; the environment wins. A secret may come from a file instead, whose path
stands in the variable of its name and `_FILE`, as container engines and secret stores hand them out. The embedded mode
(`courtside up` without DATABASE_URL / REDIS_URL) fills in its own servers and a generated secret before this is read.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

MIN_SECRET_BYTES = 32
FEWEST_CHARACTERS = 8
"""Different ones in a secret: of 32 random hexadecimal digits fewer occur in less than one of ten million."""
MIN_TOKEN = 16
MAX_SECRET_FILE = 64 * 1024
JWT_ALGORITHMS = ("HS256", "HS384", "HS512")
MOST_DAYS = 36_500
POSTGRES = ("postgresql", "postgres")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "json", "pretty")
ACCESS_LOGS = ("all", "changes", "off")

_PLACEHOLDER = re.compile(r"(?i)<.*>|.*(change.?me|place.?holder|your.*(secret|key)|example).*")


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one sentence that says which and what to do."""


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
    courtside_home: Path = Path(".courtside")
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


class _Given:
    """What was given, read by kind. Each raises `SettingsError` for what does not fit."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str = "") -> str:
        return self._env.get(name, "").strip() or default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        raw = self.text(name, str(default))
        if not raw.isascii() or not raw.lstrip("-").isdigit() or not low <= int(raw) <= high:
            raise SettingsError(f"{name} is {raw!r}; set it to a whole number from {low} to {high}.")
        return int(raw)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        raw = self.text(name, default)
        for candidate in allowed:
            if raw.lower() == candidate.lower():
                return candidate
        raise SettingsError(f"{name} is {raw!r}; set it to one of {', '.join(allowed)}.")

    def url(self, name: str, schemes: tuple[str, ...], default: str = "", *, optional: bool = False) -> str:
        raw = self.text(name, default)
        if not raw and optional:
            return ""
        if not raw:
            raise SettingsError(f"{name} is not set; set it to an address that begins with {schemes[0]}://.")
        try:
            parts = urlsplit(raw)
            # Postgres' addresses may name several servers, of which the one that takes writes is meant.
            ports = [urlsplit(f"//{host}").port for host in parts.netloc.rpartition("@")[2].split(",")]
            valid = parts.scheme in schemes and all(port is None or port > 0 for port in ports)
        except ValueError:
            valid = False
        if not valid:
            raise SettingsError(f"{name} is not an address that begins with {schemes[0]}://; check its spelling.")
        return raw

    def items(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def origins(self, name: str) -> tuple[str, ...]:
        origins = self.items(name)
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.netloc
                or parts.path not in ("", "/")
                or "*" in origin
            ):
                raise SettingsError(f"{name} has {origin!r}; list exact origins such as https://app.example.com.")
        return tuple(origin.rstrip("/") for origin in origins)

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        try:
            return tuple(ip_network(part, strict=False) for part in self.items(name))
        except ValueError as error:
            raise SettingsError(f"{name} is wrong ({error}); list addresses or networks.") from None

    def key(self, name: str, *, optional: bool = False) -> str:
        """A key to sign with, which nobody could guess."""
        raw = self.text(name)
        advice = "make one with `openssl rand -hex 32`."
        if not raw and optional:
            return ""
        if not raw:
            raise SettingsError(f"{name} is not set; {advice}")
        if _PLACEHOLDER.fullmatch(raw):
            kind = "the placeholder of the guide" if raw.startswith("<") else "a placeholder"
            raise SettingsError(f"{name} is still {kind}; {advice}")
        if len(raw.encode()) < MIN_SECRET_BYTES:
            raise SettingsError(f"{name} is shorter than {MIN_SECRET_BYTES} bytes; {advice}")
        if len(set(raw)) < FEWEST_CHARACTERS:
            raise SettingsError(f"{name} has fewer than {FEWEST_CHARACTERS} different characters; {advice}")
        return raw

    def token(self, name: str) -> str:
        """A token that opens something, if one is set."""
        raw = self.text(name)
        if raw and (len(raw) < MIN_TOKEN or not raw.isascii() or _PLACEHOLDER.fullmatch(raw)):
            raise SettingsError(f"{name} is too easy to guess; make one with `openssl rand -hex 16`.")
        return raw


def read_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the settings.

    Raises `SettingsError` with one sentence for the first setting that is wrong.
    """
    given = _Given(environment() if env is None else with_files(env))
    host = given.text("HOST", "127.0.0.1")
    port = given.number("PORT", 8000, 1, 65535)
    tls_cert, tls_key = _tls(given.text("TLS_CERT"), given.text("TLS_KEY"))
    home = Path(given.text("COURTSIDE_HOME", ".courtside")).expanduser().absolute()
    debug = given.choice("DEBUG", "false", ("true", "false")) == "true"
    if debug and not is_loopback(host):
        raise SettingsError(f"DEBUG is true while HOST is {host!r}, which others can reach; set DEBUG to false.")
    return Settings(
        database_url=given.url("DATABASE_URL", POSTGRES),
        redis_url=given.url("REDIS_URL", ("redis", "rediss", "unix")),
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
        smtp_host=given.text("SMTP_HOST"),
        smtp_port=given.number("SMTP_PORT", 587, 1, 65535),
        smtp_user=given.text("SMTP_USER"),
        smtp_password=given.text("SMTP_PASSWORD"),
        notification_from_email=given.text("NOTIFICATION_FROM_EMAIL", "bookings@courtside.example"),
        rate_limit_per_minute=given.number("RATE_LIMIT_PER_MINUTE", 100, 0, 10**6),
        trusted_proxies=given.networks("TRUSTED_PROXIES"),
        allowed_hosts=_hosts(given.items("ALLOWED_HOSTS")),
        tls_cert=tls_cert,
        tls_key=tls_key,
        ws_max_connections=given.number("WS_MAX_CONNECTIONS", 10_000, 0, 10**6),
        ws_max_per_ip=given.number("WS_MAX_PER_IP", 500, 0, 10**6),
        public_url=given.url(
            "PUBLIC_URL", ("http", "https"), f"{'https' if tls_cert else 'http'}://{_shown(host)}:{port}"
        ).rstrip("/"),
        host=host,
        port=port,
        workers=given.number("WORKERS", 0, 0, 64),
        drain_seconds=given.number("DRAIN_SECONDS", 0, 0, 300),
        courtside_home=home,
        backup_dir=Path(given.text("BACKUP_DIR", str(home / "backups"))).expanduser().absolute(),
        backup_keep_days=given.number("BACKUP_KEEP_DAYS", 30, 1, 3650),
        backup_s3_url=given.url("BACKUP_S3_URL", ("s3",), optional=True),
        backup_database_url=given.url("BACKUP_DATABASE_URL", POSTGRES, optional=True),
    )


def split_host(written: str) -> tuple[str, int | None]:
    """A Host header, or an item of ALLOWED_HOSTS: its name in lower case without brackets or a closing dot, its port.

    Raises `ValueError` for what is neither a name nor an address, with or without a port.
    """
    match = _HOST.fullmatch(written.strip().lower())
    if match is None or not 0 < int(match["port"] or 1) < 65536:
        raise ValueError(f"{written!r} is no host")
    name = match["six"] or match["name"]
    if match["six"]:
        name = str(ip_address(name))
    return name.removesuffix("."), int(match["port"]) if match["port"] else None


_HOST = re.compile(
    r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?\.?))(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


def _hosts(written: tuple[str, ...]) -> tuple[tuple[str, int | None], ...]:
    try:
        return tuple(split_host(part) for part in written)
    except ValueError as error:
        raise SettingsError(
            f"ALLOWED_HOSTS is wrong ({error}); list names such as club.example.com, with or without a port."
        ) from None


def _tls(cert: str, key: str) -> tuple[Path | None, Path | None]:
    if not cert and not key:
        return None, None
    if not (cert and key):
        raise SettingsError("TLS_CERT and TLS_KEY belong together; set both, or neither.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"TLS_CERT and TLS_KEY cannot be used ({error}); name a certificate and its key, both PEM, not encrypted."
        ) from None
    return Path(cert).absolute(), Path(key).absolute()


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    return ""


def _shown(host: str) -> str:
    """How a loopback address stands in a URL; others may be no address at all (0.0.0.0), so this machine's stands in."""
    if not is_loopback(host):
        return "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host
