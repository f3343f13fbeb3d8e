"""Mails a second: the worker's delivery, with outbox, leases, letters and calendar entries, ÷ bare aiosmtplib.

Bare are two loops over as many connections that do nothing else, one mail after another on each. One hands aiosmtplib a
message (`send_message` of an `EmailMessage` with the parts of ours, made beforehand), as the library is used: it folds and
encodes the message for each sending, as a mail to somebody else would need. The other hands it bytes that are ready
(`sendmail`), always the same: what SMTP itself costs. Mails that come one by one are sent over a connection that is kept,
and, beside it, each over a new one; the sink knows neither TLS nor passwords, which cost a new one the most.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from pathlib import Path

import aiosmtplib
import uvloop
from redis.asyncio import Redis

from server.context import Context
from server.logs import configure_logging
from server.settings import Settings
from server.sql.connection import create_pool
from server.usecases.notifications import MOST_CONNECTIONS, deliver_due, open_ways_out
from tests.bench.parts import Pace
from tests.bench.report import Report
from tests.bench.stack import Stack, execute

ROOT = Path(__file__).parents[2]
SENDER, RECIPIENT = "bookings@courtside.example", "player@bench.example"

BOOK = """
INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, price_currency, price_total,
    price_lines, cancel_until, created_by)
SELECT gen_random_uuid(), courts.club_id, courts.id, users.id, now() + interval '3 days', now() + interval '73 hours', 'r',
    'GBP', 2450, '[]', now() + interval '2 days', users.id
FROM generate_series(1, $1::int), (SELECT * FROM courts ORDER BY id LIMIT 1) courts,
    (SELECT * FROM users WHERE verified_at IS NOT NULL ORDER BY id LIMIT 1) users
"""
PUT_OUT = """
INSERT INTO outbox (id, club_id, kind, payload)
SELECT gen_random_uuid(), club_id, 'booking.confirmed', jsonb_build_object('booking_id', id, 'user_id', user_id)
FROM bookings WHERE grid_ref = 'r'
"""


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """Every round all send as many mails of the same parts over as many connections, to the same sink."""
    messages = report.compare("mails", "from the outbox", "aiosmtplib send_message, made before", "/s", at_least=0.7)
    ready = report.compare("mails", "from the outbox", "aiosmtplib sendmail, ready bytes", "/s")
    kept = report.compare("mails one by one", "over a kept connection", "each over a new one", "/s")
    single = min(pace.mails, 200)
    url = stack.copy("mails")
    asyncio.run(execute(url, BOOK.replace("$1", str(pace.mails))))
    with sink() as port:

        async def measure() -> None:
            settings = Settings(
                database_url=url, redis_url=stack.valkey.url, jwt_secret=stack.secret,
                smtp_host="127.0.0.1", smtp_port=port, log_level="warning",
            )  # fmt: skip
            configure_logging(settings)
            async with await create_pool(settings) as pool:
                context = Context(settings, pool, Redis.from_url(settings.redis_url))
                content = await _sample(context, stack.home / "mails")
                message = _as_message(content)
                for number in range(pace.rounds + bool(pace.warm_up)):
                    await pool.execute(PUT_OUT)
                    ours = await _rate(pace.mails, lambda: _ours(context, pace.mails))
                    by_message = await _rate(pace.mails, lambda: _bare(port, message, pace.mails))
                    by_bytes = await _rate(pace.mails, lambda: _bare(port, content, pace.mails))
                    each_way = []
                    for is_kept in (True, False):
                        await pool.execute(f"{PUT_OUT} LIMIT {single}")
                        each_way.append(await _rate(single, partial(_one_by_one, context, single, kept=is_kept)))
                    if number or not pace.warm_up:
                        kept.add(*each_way)
                        messages.add(ours, by_message)
                        ready.add(ours, by_bytes)
                left = await pool.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL")
                report.require(left == 0, f"mails: all were sent over {MOST_CONNECTIONS} connections, and marked")

        uvloop.run(measure())


async def _rate(mails: int, send: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await send()
    return mails / (time.perf_counter() - begun)


async def _ours(context: Context, mails: int) -> None:
    async with open_ways_out(context.settings) as ways_out:
        if await deliver_due(context, ways_out, limit=mails) != mails:
            raise RuntimeError("The worker did not find all mails.")


async def _one_by_one(context: Context, mails: int, *, kept: bool) -> None:
    """Each mail by itself in a sweep of its own; `kept`: over the connection of the one before."""
    async with AsyncExitStack() as stack:
        ways_out = await stack.enter_async_context(open_ways_out(context.settings))
        for _ in range(mails):
            if not kept:
                await stack.aclose()
                ways_out = await stack.enter_async_context(open_ways_out(context.settings))
            if await deliver_due(context, ways_out, limit=1) != 1:
                raise RuntimeError("The worker did not find a mail.")


async def _bare(port: int, mail: EmailMessage | bytes, mails: int) -> None:
    """One mail so many times over as many connections, one after another on each."""
    left = iter(range(mails))

    async def send_all() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for _ in left:
                if isinstance(mail, bytes):
                    await client.sendmail(SENDER, RECIPIENT, mail)
                else:
                    await client.send_message(mail)

    await asyncio.gather(*(send_all() for _ in range(MOST_CONNECTIONS)))


def _as_message(content: bytes) -> EmailMessage:
    """A mail of ours as one makes it by Python's `email`."""
    read = message_from_bytes(content, policy=default)
    text, html, entry = (part for part in read.walk() if not part.is_multipart())
    made = EmailMessage()
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        made[name] = read[name]
    made.set_content(text.get_content())
    made.add_alternative(html.get_content(), subtype="html")
    made.add_attachment(
        entry.get_payload(decode=True), maintype="text", subtype="calendar", filename="booking.ics",
        params={"method": "REQUEST", "charset": "utf-8"},
    )  # fmt: skip
    return made


async def _sample(context: Context, folder: Path) -> bytes:
    """A mail as the worker sends it."""
    await context.pool.execute(PUT_OUT + " LIMIT 1")
    in_files = replace(context, settings=replace(context.settings, smtp_host="", courtside_home=folder))
    async with open_ways_out(in_files.settings) as ways_out:
        await deliver_due(in_files, ways_out, limit=1)
    (written,) = (folder / "mail").iterdir()
    return written.read_bytes()


@contextmanager
def sink() -> Iterator[int]:
    """The port of a sink."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
