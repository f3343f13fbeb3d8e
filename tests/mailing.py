"""A real SMTP server in the test's own loop, the mail folder read back, and the rows that mails are about."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from server.context import Context
from server.sql.outbox import insert_outbox
from server.usecases import notifications, post

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ACCEPTED = "250 OK"


class Stage(StrEnum):
    """Where a mail server can hang: before its greeting, before it answers something, or while it reads the content."""

    GREETING = "greeting"
    EHLO = "EHLO"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    END = "end of the content"


PUSHED = {"220 ": Stage.GREETING, "250-": Stage.EHLO, "354 ": Stage.DATA}
"""How answers begin that aiosmtpd gives without asking its handler."""


class MailServer:
    """Keeps what it accepts; `answer` and `at_data` say what it does."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.answer = ACCEPTED
        """The answer to the recipient's address."""
        self.data_answer = ACCEPTED
        self.check_answer: str | None = ACCEPTED
        """To whoever asks whether it is still there; None: it says nothing."""
        self.drop_after_data = False
        self.data_seen = 0
        self.connections: list[asyncio.Transport] = []
        """All that were ever opened."""
        self.hangs_at: Stage | None = None
        """It answers nothing from there on, in connections that get so far."""
        self.hangs_for: str | None = None
        """Only mails to this address hang, at `Stage.RCPT`."""
        self.holding = asyncio.Event()
        self.hold: asyncio.Event | None = None
        """Set: the answer to a mail waits for it; `holding` tells that one waits."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hangs_at == Stage.RCPT and self.hangs_for in {None, address}:
            await self.hang()
        if self.answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.check_answer is None:
            await self.hang()
        return str(self.check_answer)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.data_seen += 1
        if self.hangs_at == Stage.END:
            await self.hang()
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        if self.drop_after_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return ACCEPTED
        if self.data_answer == ACCEPTED:
            assert isinstance(envelope.content, bytes)
            self.received.append(read_mail(envelope.content))
            self.envelopes.append(envelope)
            self.encrypted.append(session.ssl is not None)
        return self.data_answer

    async def hang(self) -> None:
        """For ever."""
        self.holding.set()
        await asyncio.Event().wait()


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> AsyncIterator[MailServer]:
    """A mail server on loopback; with `tls` it offers STARTTLS, with `login` it asks for it."""
    loop = asyncio.get_running_loop()
    handler = MailServer()
    open_transports: set[Any] = set()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=given == login)

    class Protocol(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            open_transports.add(transport)
            assert isinstance(transport, asyncio.Transport)
            if transport.get_extra_info("sslcontext") is None:  # else it is the same, from STARTTLS on
                handler.connections.append(transport)
            super().connection_made(transport)

        async def push(self, status: Any) -> None:
            said = status if isinstance(status, str) else status.decode()
            if PUSHED.get(said[:4]) == handler.hangs_at is not None:
                await handler.hang()
            await super().push(status)
            if said.startswith("354") and handler.hangs_at == Stage.CONTENT:
                assert isinstance(self.transport, asyncio.Transport)
                self.transport.pause_reading()
                handler.holding.set()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a password without TLS: loopback, and not a real one
            return Protocol(
                handler,
                loop=loop,
                hostname="mail.example",
                enable_SMTPUTF8=True,
                tls_context=tls,
                authenticator=authenticate if login else None,
                auth_required=login is not None,
                auth_require_tls=False,
            )

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        for transport in open_transports:
            transport.abort()
        await server.wait_closed()


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a mail server with a certificate of its own making has."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out crt"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context


def read_mail(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mails_in(home: Path) -> list[EmailMessage]:
    """The mails in the folder, oldest first."""
    return [read_mail(path.read_bytes()) for path in sorted((home / "mail").glob("*.eml"))]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


# -- rows ---------------------------------------------------------------------------------------------------


async def add_person(pool: Pool, address: str = "ann@example.org", *, name: str = "Ann", verified: bool = True) -> int:
    # Made shortly before the tests take place: who was not seen for years is forgotten.
    user_id: int = await pool.fetchval(
        "INSERT INTO users (email, name, password_hash, verified_at, created_at)"
        " VALUES ($1, $2, 'x', $3, '2031-05-01') RETURNING id",
        address,
        name,
        datetime.fromisoformat("2031-01-01T00:00Z") if verified else None,
    )
    return user_id


async def add_booking(
    pool: Pool,
    user_id: int,
    start: datetime,
    end: datetime,
    *,
    zone: str = "Europe/London",
    currency: str = "GBP",
    total: int = 2450,
    court: str = "Court 1",
    club: str = "Riverside",
    status: str = "confirmed",
    equipment: int = 0,
) -> UUID:
    """A booking in a club of its own; free to cancel until a day before."""
    booking_id = uuid4()
    async with pool.acquire() as conn:
        club_id = await conn.fetchval(
            "INSERT INTO clubs (slug, name, zone, currency) VALUES ($1, $2, $3, $4) RETURNING id",
            f"club-{booking_id.hex}",
            club,
            zone,
            currency,
        )
        resource = "INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, $2, $3, $4) RETURNING id"
        court_id = await conn.fetchval(
            "INSERT INTO courts (club_id, resource_id, name, kind, indoor, base_rate)"
            " VALUES ($1, $2, $3, 'tennis', true, 2000) RETURNING id",
            club_id,
            await conn.fetchval(resource, club_id, "court", True, 1),
            court,
        )
        items = []
        if equipment:
            item = await conn.fetchval(
                "INSERT INTO equipment (club_id, resource_id, name, price) VALUES ($1, $2, 'Racket', 300) RETURNING id",
                club_id,
                await conn.fetchval(resource, club_id, "equipment", False, 10),
            )
            items.append({"equipment_id": item, "quantity": equipment})
        await conn.execute(
            "INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, status, grid_ref, equipment,"
            " price_currency, price_total, price_lines, cancel_until, created_by)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, 'r', $8, $9, $10, '[]'::jsonb, $11, $4)",
            booking_id,
            club_id,
            court_id,
            user_id,
            start,
            end,
            status,
            items,
            currency,
            total,
            start - timedelta(days=1),
        )
    return booking_id


async def put_out(pool: Pool, kind: str, **payload: Any) -> UUID:
    """A row of the outbox, due now."""
    outbox_id = uuid4()
    async with pool.acquire() as conn:
        await insert_outbox(conn, id=outbox_id, kind=kind, payload=payload)  # type: ignore[arg-type] # the pool's proxy
    return outbox_id


async def row_of(pool: Pool, outbox_id: UUID) -> asyncpg.Record:
    row = await pool.fetchrow("SELECT * FROM outbox WHERE id = $1", outbox_id)
    assert row is not None
    return row


async def make_due(pool: Pool) -> None:
    """Let every wait of the outbox be over: back-offs and leases."""
    await pool.execute("UPDATE outbox SET run_at = '-infinity', leased_until = '-infinity' WHERE done_at IS NULL")


async def until(condition: Callable[[], Awaitable[object]], *, patience: float = 20.0) -> None:
    """Wait for something that another process or loop does; looks every few milliseconds."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.01)


async def deliver_due(context: Context, *, patience: post.Patience = post.PATIENCE, **more: Any) -> int:
    """One sweep, over connections of its own."""
    async with notifications.open_ways_out(context.settings, patience) as ways_out:
        return await notifications.deliver_due(context, ways_out, **more)
