"""The clubs of a run, their players, and slots that are walked without repetition."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from typing import NamedTuple
from uuid import uuid4

import asyncpg
import httpx
import msgspec

from server.usecases.seed import COACHES, COURTS, DEMO_PASSWORD, EQUIPMENT, RULES
from server.usecases.tokens import issue_access_token
from tests.bench.report import Report
from tests.bench.stack import Server, Stack

SMALL, BIG = "small", "big"
BIG_COURTS = 60
DAYS = 365
HORIZON = 731
OPENS, HOURS = 7, 16
STRIDE = 7919
"""A prime that divides no number of slots: the walk goes all over the courts and days, and meets each slot once."""
UNDER_WAY = 1000
"""At most so many requests lose their answer when loads end: 32 connections each, some dozen loads."""
PLAYERS = 200
"""Accounts whose tokens take turns."""
SPARE_PLAYERS = 6000
"""Accounts there are; the many are for rate limiting, which allows a user 30 bookings a minute."""

INSERT_PLAYERS = """
WITH made AS (
    INSERT INTO users (email, name, password_hash, verified_at)
    SELECT 'player' || n || '@bench.example', 'Player ' || n, '!', now() FROM generate_series(1, $1::int) AS n
    RETURNING id
)
INSERT INTO memberships (user_id, club_id) SELECT made.id, clubs.id FROM made CROSS JOIN clubs WHERE slug = ANY($2)
"""


class Slot(NamedTuple):
    """A court-hour, in the club's local time."""

    court: int
    day: date
    hour: int

    @property
    def start(self) -> str:
        return f"{self.day}T{self.hour:02d}:00:00"

    @property
    def end(self) -> str:
        return f"{self.day}T{self.hour + 1:02d}:00:00"


@dataclass
class Club:
    """A club and what is left of it; open from 07:00 to 23:00, every hour on every court from `first_day` on."""

    slug: str
    courts: list[int]
    first_day: date
    walked: int = 0
    days: int = DAYS
    stride: int = STRIDE

    @property
    def size(self) -> int:
        return len(self.courts) * HOURS * self.days

    def next_slots(self, count: int) -> list[Slot]:
        """The next slots of the walk. They count as used once `walked` is moved on."""
        if self.walked + count > self.size:
            raise RuntimeError(f"The club {self.slug} has {self.size} slots, too few for this machine's speed.")
        return [self._slot((number * self.stride) % self.size) for number in range(self.walked, self.walked + count)]

    def days_of(self, first: int, count: int) -> list[date]:
        """Some of the club's days, by their number from `first_day`."""
        return [self.first_day + timedelta(days=first + number) for number in range(count)]

    def _slot(self, place: int) -> Slot:
        rest, court = divmod(place, len(self.courts))
        day, hour = divmod(rest, HOURS)
        return Slot(self.courts[court], self.first_day + timedelta(days=day), OPENS + hour)


@dataclass
class Players:
    """Accounts with valid access tokens; `tokens` takes turns for ever."""

    all_tokens: list[str]
    tokens: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = cycle(self.all_tokens)


def set_up(stack: Stack) -> None:
    """Make the clubs in the template through the admin API, and the players."""
    with stack.serving("courtside") as server, httpx.Client(base_url=server.address, timeout=30) as client:
        login = {"email": "admin@courtside.example", "password": DEMO_PASSWORD}
        token = _done(client.post("/api/auth/login", json=login))["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for slug, courts in ((SMALL, len(COURTS)), (BIG, BIG_COURTS)):
            _found_club(client, slug, courts)
        asyncio.run(_insert_players(server.database_url))


def _found_club(client: httpx.Client, slug: str, courts: int) -> None:
    """The demo club's rules, hours, coaches and pools, with so many courts and a horizon that a run does not fill."""
    club = {"slug": slug, "name": slug, "zone": "Europe/London", "currency": "GBP", "policy": {"horizon_days": HORIZON}}
    _done(client.post("/api/admin/clubs", json=club))
    of_club = {"club": slug}
    hours = client.get("/api/admin/hours", params=of_club)
    week = [{"weekday": day, "opens": f"{OPENS:02d}:00", "closes": f"{OPENS + HOURS:02d}:00"} for day in range(7)]
    _done(
        client.put(
            "/api/admin/hours", params=of_club, json={"hours": week}, headers={"If-Match": hours.headers["etag"]}
        )
    )
    for number in range(courts):
        like = COURTS[number % len(COURTS)]
        court = {"name": f"Court {number + 1}", "kind": like.kind, "indoor": like.indoor, "base_rate": like.base_rate}
        _done(client.post("/api/admin/courts", params=of_club, json=court))
    for coach in COACHES:
        duty = [
            {"weekday": day, "opens": _time(window.opens), "closes": _time(window.closes)}
            for day, windows in coach.hours.items()
            for window in windows
        ]
        body = {"name": coach.name, "rate": coach.rate, "hours": duty}
        _done(client.post("/api/admin/coaches", params=of_club, json=body))
    for pool in EQUIPMENT:
        body = {"name": pool.name, "quantity": pool.quantity, "price": pool.price}
        _done(client.post("/api/admin/equipment", params=of_club, json=body))
    for rule in RULES:
        body = {"name": rule.name, "effect": rule.effect, "value": rule.value // 100, "weekdays": rule.weekdays}
        if rule.from_minute is not None and rule.to_minute is not None:
            body |= {"from_time": _time(rule.from_minute), "to_time": _time(rule.to_minute)}
        if rule.indoor is not None:
            body["indoor"] = rule.indoor
        _done(client.post("/api/admin/pricing-rules", params=of_club, json=body))


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _done(answer: httpx.Response) -> dict[str, str]:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    document: dict[str, str] = answer.json()
    return document


async def _insert_players(url: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(INSERT_PLAYERS, SPARE_PLAYERS, [SMALL, BIG])
    finally:
        await conn.close()


def club_of(server: Server, slug: str) -> Club:
    """A club as it stands in a server's database."""
    token = players_of(server, 1).all_tokens[0]
    answer = httpx.get(
        f"{server.address}/api/courts", params={"club": slug}, headers={"Authorization": f"Bearer {token}"}
    )
    answer.raise_for_status()
    return Club(slug, [court["id"] for court in answer.json()["items"]], datetime.now(UTC).date() + timedelta(days=2))


def players_of(server: Server, count: int, skip: int = 0) -> Players:
    """Players with tokens that are issued here, since logging thousands in would measure argon2. The server verifies
    them as it does any."""
    return asyncio.run(_players_of(server, count, skip))


async def _players_of(server: Server, count: int, skip: int) -> Players:
    conn = await asyncpg.connect(server.database_url)
    try:
        rows = await conn.fetch(
            "SELECT id FROM users WHERE email LIKE '%@bench.example' ORDER BY id OFFSET $2 LIMIT $1", count, skip
        )
    finally:
        await conn.close()
    now = datetime.now(UTC)
    return Players(
        [
            issue_access_token(server.settings, user_id=row["id"], session_version=1, session=uuid4(), now=now)[0]
            for row in rows
        ]
    )


# -- requests -----------------------------------------------------------------------------------------------


def booking_request(server: Server, slot: Slot, token: str) -> bytes:
    """POST /api/bookings as bytes."""
    body = msgspec.json.encode({"court_id": slot.court, "start_ts": slot.start, "end_ts": slot.end})
    return (
        f"POST /api/bookings HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get_request(server: Server, path: str, token: str | None = None) -> bytes:
    """A GET as bytes."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n{authorization}\r\n".encode()


def booking_requests(server: Server, club: Club, players: Players, count: int) -> list[bytes]:
    """Bookings of the club's next slots."""
    return [booking_request(server, slot, next(players.tokens)) for slot in club.next_slots(count)]


# -- truths -------------------------------------------------------------------------------------------------

# A running maximum and not the constraint's own operator and index: they must not vouch for themselves.
TRUTHS = """
WITH used AS (
    SELECT lower(during) AS start, max(upper(during)) OVER (
        PARTITION BY resource_id ORDER BY lower(during), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS taken_until
    FROM allocations WHERE active AND exclusive AND club_id = $1
)
SELECT (SELECT count(*) FROM bookings WHERE status = 'confirmed' AND club_id = $1) AS bookings,
       (SELECT count(*) FROM allocations WHERE active AND kind = 'booked' AND club_id = $1) AS allocations,
       (SELECT count(*) FROM audit_events WHERE event_type = 'confirmed' AND club_id = $1) AS confirmed,
       (SELECT count(*) FROM used WHERE start < taken_until) AS overlaps
"""


class Truths(NamedTuple):
    """What a club's tables hold; `overlaps` counts allocations that begin before an earlier one has ended."""

    bookings: int
    allocations: int
    confirmed: int
    overlaps: int


def truths_of(server: Server, slug: str) -> Truths:
    """The truths of a club, read from the tables."""
    return asyncio.run(_truths_of(server.database_url, slug))


async def _truths_of(url: str, slug: str) -> Truths:
    conn = await asyncpg.connect(url)
    try:
        row = await conn.fetchrow(TRUTHS, await conn.fetchval("SELECT id FROM clubs WHERE slug = $1", slug))
        assert row is not None
        return Truths(**row)
    finally:
        await conn.close()


def require_truths(report: Report, part: str, server: Server, slug: str, booked: int | None = None) -> None:
    """Note that nothing overlaps and that every booking has its allocation and its audit event."""
    seen = truths_of(server, slug)
    report.require(
        seen.overlaps == 0 and seen.bookings == seen.allocations == seen.confirmed,
        f"{part}: {seen.bookings:,} bookings, {seen.allocations:,} allocations, {seen.confirmed:,} audit events "
        f"`confirmed`, {seen.overlaps} overlaps",
    )
    if booked is not None:
        # A load that ends leaves requests under way, whose answers nobody counted.
        report.require(
            booked <= seen.bookings <= booked + UNDER_WAY,
            f"{part}: {booked:,} answers 201 for {seen.bookings:,} bookings",
        )


def problem_of(body: bytes) -> str:
    """The code of a problem document; the text itself if it is none."""
    try:
        return str(msgspec.json.decode(body)["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
