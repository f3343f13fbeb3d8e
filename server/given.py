"""The variables of the environment, read by kind: a number, an address, a key. What does not fit is one sentence."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MIN_SECRET_BYTES = 32
FEWEST_CHARACTERS = 8
"""Different ones in a secret: of 32 random hexadecimal digits fewer occur in less than one of ten million."""
MIN_TOKEN = 16

_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"]+@[^\s@<>(),;:\\\"/]+")
_SERVER = re.compile(r"\[?[0-9A-Za-z._:-]+\]?")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLACEHOLDER = re.compile(r"(?i)<.*>|.*(change.?me|place.?holder|your.*(secret|key)|example).*")


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one sentence that says which and what to do."""


class Given:
    """What was given, read by kind. Each raises `SettingsError` for what does not fit."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str = "") -> str:
        return self._env.get(name, "").strip() or default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        raw = self.text(name, str(default))
        if not _NUMBER.fullmatch(raw) or not low <= int(raw) <= high:
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

    def postgres(self, name: str, *, optional: bool = False) -> str:
        """An address of Postgres, with the options that concern TLS checked."""
        raw = self.url(name, ("postgresql", "postgres"), optional=optional)
        options = parse_qs(urlsplit(raw).query, keep_blank_values=True)
        for mode in options.get("sslmode", ()):
            if mode not in _SSL_MODES:
                raise SettingsError(f"{name} has sslmode={mode}; set it to one of {', '.join(_SSL_MODES)}.")
        _require_files(name, options, ("sslrootcert", "sslcert", "sslkey", "sslcrl"))
        return raw

    def redis(self, name: str) -> str:
        """An address of Redis, with the options that its client takes."""
        raw = self.url(name, ("redis", "rediss", "unix"))
        parts = urlsplit(raw)
        database = parts.path.strip("/")
        if parts.scheme != "unix" and database and not _NUMBER.fullmatch(database):  # the client would take the first
            raise SettingsError(f"{name} names the database {database!r}; those of Redis are numbers, such as 0.")
        _require_files(name, parse_qs(parts.query), ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"))
        # Imported here: other settings that are wrong, and `--version`, need not wait for it.
        from redis.asyncio import ConnectionPool  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        try:
            ConnectionPool.from_url(raw).make_connection()  # type: ignore[no-untyped-call] # it connects nothing yet
        except (TypeError, ValueError, RedisError) as error:
            raise SettingsError(f"{name} has an option that cannot be used ({error}).") from None
        return raw

    def site(self, name: str, default: str) -> str:
        """An address without anything behind its host, since paths are put there."""
        raw = self.url(name, ("http", "https"), default).rstrip("/")
        parts = urlsplit(raw)
        if not parts.hostname or "@" in parts.netloc or raw != f"{parts.scheme}://{parts.netloc}":
            raise SettingsError(f"{name} is {raw!r}; set it to a scheme and a host, such as https://club.example.com.")
        return raw

    def address(self, name: str, default: str) -> str:
        """An e-mail address."""
        raw = self.text(name, default)
        if not _ADDRESS.fullmatch(raw):
            raise SettingsError(f"{name} is {raw!r}; set it to an e-mail address such as bookings@club.example.com.")
        return raw

    def server(self, name: str) -> str:
        """A host's name or address, if one is set."""
        raw = self.text(name)
        if raw and not _SERVER.fullmatch(raw):
            raise SettingsError(f"{name} is {raw!r}; set it to a name such as smtp.example.com, without a port.")
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


def _require_files(name: str, options: Mapping[str, list[str]], wanted: tuple[str, ...]) -> None:
    for option in wanted:
        for path in options.get(option, ()):
            if not Path(path).is_file():
                raise SettingsError(f"{name} has {option}={path}, and there is no such file.")


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


def hosts(written: tuple[str, ...]) -> tuple[tuple[str, int | None], ...]:
    try:
        return tuple(split_host(part) for part in written)
    except ValueError as error:
        raise SettingsError(
            f"ALLOWED_HOSTS is wrong ({error}); list names such as club.example.com, with or without a port."
        ) from None


def certificate(cert: str, key: str) -> tuple[Path | None, Path | None]:
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
