"""Where mails go: to the SMTP server of the settings, or, without one, into a folder as .eml files.

Each way out answers a failure with what is known: `Refused` (never try again), `Deferred` (not sent, try again)
or `Uncertain` (it may have been sent).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Protocol

import aiosmtplib

from server.settings import Settings, is_loopback
from server.usecases.mail import Message

TLS_FROM_THE_START_PORT = 465
OKAY, GO_ON = 2, 3
"""First digits of what a server answers."""

FILE_TIME = "%Y%m%dT%H%M%SZ"

_ADDRESS = re.compile(r"\S*@\S*")
_SECRET = re.compile(r"[A-Za-z0-9_\-+/=]{20,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many seconds a mail server may take."""

    command: float = 15.0
    """For each of its answers."""
    mail: float = 40.0
    """For one mail, connecting included."""
    check: float = 2.0
    """For saying that it is still there."""
    farewell: float = 2.0


PATIENCE = Patience()
KEPT = 15.0
"""Seconds for which a connection with nothing to do is kept. Bookings come together; servers want their places back."""
UNCHECKED = 1.0
"""Seconds after its last answer within which a server is taken to be there."""
MAILS_A_CONNECTION = 100
"""After so many a connection is given back between two sweeps; some servers take no more."""


class Undelivered(Exception):
    """A mail was not delivered. The message has neither addresses nor secrets in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(mask(reason))


class Refused(Undelivered):
    """It never will be."""


class Deferred(Undelivered):
    """It was not sent; a later attempt may succeed."""


class Unreachable(Deferred):
    """The way out is shut: no other mail would get through now either."""


class Uncertain(Undelivered):
    """It may have been sent."""


class Dropped(asyncio.CancelledError):
    """The sender was cancelled before anything of the mail was handed over: it was not sent."""


class Post(Protocol):
    """A way out for mails."""

    async def send(self, message: Message) -> None:
        """Hand one mail over. Raises `Undelivered`; when cancelled, `Dropped` if it was certainly not sent."""

    async def rest(self) -> None:
        """Nothing is to be sent at the moment: let go of what was not needed for long."""

    async def close(self) -> None:
        """Let go of what was opened."""


def mask(words: str) -> str:
    """What a server said, without addresses and without anything that could be a secret; at most 200 characters."""
    return _SECRET.sub("…", _ADDRESS.sub("…@…", " ".join(words.split())))[:200]


def open_post(settings: Settings, patience: Patience = PATIENCE) -> Post:
    """The way out that the settings ask for. Nothing is connected yet."""
    return SmtpPost(settings, patience) if settings.smtp_host else FolderPost(settings.courtside_home / "mail")


async def forget_address(settings: Settings, email: str) -> None:
    """Delete the mails to an address that lie in this machine's folder."""
    await asyncio.to_thread(_delete_mails, settings.courtside_home / "mail", lambda file: _is_to(file, email))


async def forget_before(settings: Settings, moment: datetime) -> None:
    """Delete the mails in this machine's folder that were written before then."""
    first_kept = f"{moment.astimezone(UTC):{FILE_TIME}}"
    await asyncio.to_thread(_delete_mails, settings.courtside_home / "mail", lambda file: file.name < first_kept)


def _delete_mails(folder: Path, is_meant: Callable[[Path], bool]) -> None:
    for file in folder.glob("*.eml"):
        if is_meant(file):
            file.unlink(missing_ok=True)


def _is_to(file: Path, email: str) -> bool:
    try:
        message = BytesParser(policy=policy.default).parsebytes(file.read_bytes(), headersonly=True)
    except FileNotFoundError:
        return False
    return any(address.addr_spec.lower() == email.lower() for address in message["To"].addresses)


class FolderPost:
    """Writes each mail as `<UTC time>-<outbox id>.eml` (sorted by name: by time) into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Message) -> None:
        name = f"{message.written.astimezone(UTC):{FILE_TIME}}-{message.outbox_id}.eml"
        try:
            await asyncio.to_thread(self._write, name, message.content)
        except OSError as error:
            raise Unreachable(f"The mail folder cannot be written: {error.strerror}.") from None

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f".{name}.part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(self._folder / name)

    async def rest(self) -> None:
        """Nothing is open between mails."""

    async def close(self) -> None:
        """Nothing is open between mails."""


class SmtpPost:
    """Sends over one SMTP connection: opened at the first mail and again after a failure, kept while mails come."""

    def __init__(self, settings: Settings, patience: Patience = PATIENCE) -> None:
        self._settings = settings
        self._patience = patience
        self._client: aiosmtplib.SMTP | None = None
        self._sent = 0
        """Mails that this connection has taken."""
        self._heard = 0.0
        """When its server last answered, by the loop's clock."""

    async def send(self, message: Message) -> None:
        handed_over = False
        try:
            async with asyncio.timeout(self._patience.mail):
                client = await self._connected()
                beyond_ascii = not (message.sender + message.recipient).isascii()
                if beyond_ascii and not client.supports_extension("smtputf8"):
                    raise Refused("The mail server takes no addresses beyond ASCII.")
                # Not by client.mail() and the like: those parse the addresses anew (60 µs), and of data() one does not
                # know on which side of the 354 a line dropped or hung.
                options = [b"SMTPUTF8"] if beyond_ascii else []
                _expect(OKAY, await client.execute_command(b"MAIL", b"FROM:<%s>" % message.sender.encode(), *options))
                _expect(OKAY, await client.execute_command(b"RCPT", b"TO:<%s>" % message.recipient.encode()))
                _expect(GO_ON, await client.execute_command(b"DATA"))
                handed_over = True
                _expect(OKAY, await self._hand_over(client, message.content))
                self._sent += 1
                self._heard = asyncio.get_running_loop().time()
        except Undelivered:
            raise
        except aiosmtplib.SMTPResponseException as error:
            await self.close()
            raise _judged(error, handed_over=handed_over) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            self._drop()
            reason = f"{type(error).__name__}: {error}"
            raise (Uncertain(reason) if handed_over else Unreachable(reason)) from None
        except asyncio.CancelledError:
            self._drop()
            if handed_over:
                raise
            raise Dropped from None

    async def _hand_over(self, client: aiosmtplib.SMTP, content: bytes) -> aiosmtplib.SMTPResponse:
        """The answer to the content, whose lines end in CRLF, after a server's 354."""
        if client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        # A line's dot at the beginning is doubled (RFC 5321, 4.5.2); no message begins with one.
        client.protocol.write(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return await client.protocol.read_response(timeout=self._patience.command)

    async def greet(self) -> None:
        """Connect and log in as for a mail, and leave again. Raises `Unreachable`."""
        try:
            async with asyncio.timeout(self._patience.mail):
                await self._connected()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            self._drop()
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        await self.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None:
            if await self._is_there(self._client):
                return self._client
            self._drop()
        settings = self._settings
        at_home = is_loopback(settings.smtp_host)
        wrapped = settings.smtp_port == TLS_FROM_THE_START_PORT
        self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password or None,
            timeout=self._patience.command,
            use_tls=wrapped,
            start_tls=False if wrapped else start_tls(settings),
            tls_context=_unverified() if at_home else _verified(),
        )
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            # A refusal of us, not of this mail: a wrong password must not park a day's mails.
            self._drop()
            raise Unreachable(f"{type(error).__name__}: {error.code} {error.message}") from None
        self._sent, self._heard = 0, asyncio.get_running_loop().time()
        return self._client

    async def _is_there(self, client: aiosmtplib.SMTP) -> bool:
        """Whether the server at the other end of a kept connection is. Asked before a mail is begun: then nothing of it
        can have been sent, and it goes over a new connection at once.
        """
        if not client.is_connected:
            return False
        if asyncio.get_running_loop().time() - self._heard < UNCHECKED:
            return True
        try:
            answer = await client.execute_command(b"RSET", timeout=self._patience.check)
        except (aiosmtplib.SMTPException, OSError):
            return False
        return answer.code // 100 == OKAY

    async def rest(self) -> None:
        """Close a connection that had nothing to do for `KEPT` seconds, or has taken its share of mails."""
        if self._client is not None and (
            self._sent >= MAILS_A_CONNECTION or asyncio.get_running_loop().time() - self._heard >= KEPT
        ):
            await self.close()

    async def close(self) -> None:
        if self._client is None:
            return
        try:
            if self._client.is_connected:
                await self._client.quit(timeout=self._patience.farewell)
        except (aiosmtplib.SMTPException, OSError):
            pass  # the mail was accepted or refused before; how the other side says good-bye changes nothing
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def start_tls(settings: Settings) -> bool | None:
    """Whether STARTTLS is required (True) or used where it is offered (None).

    A password never crosses a network in the clear, also when somebody on the way hides the offer.
    """
    return True if settings.smtp_user and not is_loopback(settings.smtp_host) else None


@cache
def _verified() -> ssl.SSLContext:
    """Made once: reading the machine's certificates took 120 ms of each connection."""
    return ssl.create_default_context()


@cache
def _unverified() -> ssl.SSLContext:
    """For a mail server on this machine: nobody is in between, and its certificate is rarely more than a stub."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _expect(digit: int, answer: aiosmtplib.SMTPResponse) -> None:
    if answer.code // 100 != digit:
        raise aiosmtplib.SMTPResponseException(answer.code, answer.message)


def _judged(error: aiosmtplib.SMTPResponseException, *, handed_over: bool) -> Undelivered:
    """5xx is for ever, save for those that speak of us rather than of this mail (530, 535, 538: log in first).

    What is neither 4xx nor 5xx there is no answer at all (-1: it could not be read).
    """
    reason = f"{error.code} {error.message}"
    if not 400 <= error.code < 600:
        return Uncertain(reason) if handed_over else Unreachable(reason)
    if error.code in (421, 530, 535, 538):
        return Unreachable(reason)
    return Refused(reason) if error.code >= 500 else Deferred(reason)
