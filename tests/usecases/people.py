"""People for the tests, made as they would make themselves."""

from __future__ import annotations

import asyncpg

from server.context import Context
from server.domain.people import Identity, Membership
from server.usecases import accounts
from server.usecases.sessions import Session, login

PASSWORD = "correct horse"

INSERT_CLUB = "INSERT INTO clubs (slug, name, zone, currency) VALUES ($1, $1, 'Europe/London', 'GBP') RETURNING id"


async def make_club(context: Context, slug: str = "riverside") -> int:
    club_id: int = await context.pool.fetchval(INSERT_CLUB, slug)
    return club_id


async def register(context: Context, email: str, password: str = PASSWORD, name: str = "Ann") -> None:
    await accounts.register(context, email=email, password=password, name=name)


async def mails(context: Context) -> list[tuple[str, dict[str, object]]]:
    """Kind and payload of what is in the outbox, oldest first."""
    return [(row["kind"], row["payload"]) for row in await context.pool.fetch("SELECT * FROM outbox ORDER BY id")]


async def last_token(context: Context) -> str:
    """The secret of the newest mailed link."""
    return [str(payload["token"]) for _, payload in await mails(context) if "token" in payload][-1]


async def make_player(context: Context, email: str, password: str = PASSWORD) -> Session:
    """Register, confirm and log in."""
    await register(context, email, password)
    await accounts.verify(context, token=await last_token(context))
    return await login(context, email=email, password=password)


async def give_role(context: Context, user_id: int, club_id: int, role: str) -> None:
    await context.pool.execute(
        "INSERT INTO memberships (user_id, club_id, role) VALUES ($1, $2, $3)"
        " ON CONFLICT (user_id, club_id) DO UPDATE SET role = excluded.role",
        user_id,
        club_id,
        role,
    )


def acting(user_id: int, **roles: int) -> Identity:
    """An identity with `role=club_id` for each keyword."""
    return Identity(
        user_id=user_id,
        email="",
        name="",
        verified=True,
        session_version=1,
        memberships={club_id: Membership(role) for role, club_id in roles.items()},  # type: ignore[arg-type]
    )


async def user_row(context: Context, user_id: int) -> asyncpg.Record:
    row = await context.pool.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
    assert row is not None
    return row
