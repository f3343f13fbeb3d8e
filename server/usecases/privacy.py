"""What is kept about oneself: told (GDPR, article 15 and 20) and forgotten (article 17).

An erasure is asked for in one transaction and finished in others, since bookings are given up through the desk: the
waitlist is served as for any cancellation. Whoever asked finishes it; if that process dies, the worker does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from server.context import Context
from server.domain.errors import Conflict, NotCancellable, NotFound
from server.domain.people import Identity
from server.domain.slots import ALWAYS, Interval
from server.sql import accounts, users
from server.sql import privacy as sql
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.sql.locks import lock_person
from server.usecases import post
from server.usecases.bookings import Bookings
from server.usecases.ids import uuid7
from server.usecases.tokens import bad_token
from server.usecases.waitlist import Waitlist

ROUNDS = 3
"""A process that has not heard yet that the account is shut may still book for it, for two seconds."""
PAGE = 100

log = structlog.get_logger(__name__)


async def export(context: Context, user_id: int) -> dict[str, Any]:
    """All that is kept about a user, in one snapshot, without what opens a door. Raises `Unauthenticated` if gone."""
    async with acquire(context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        account = await sql.fetch_account_whole(conn, user_id)
        if account is None:
            raise bad_token()
        about = await sql.fetch_about(conn, user_id)
    return {"account": account, **{name: rows or [] for name, rows in about.items()}}


class Erasure:
    """The verbs on being forgotten. Made once per process."""

    def __init__(self, context: Context, bookings: Bookings, waitlist: Waitlist) -> None:
        self._context = context
        self._bookings = bookings
        self._waitlist = waitlist

    async def erase(self, user_id: int) -> None:
        """Forget a user who asks for it. Raises `Conflict` for a club's last administrator, `Unavailable`.

        From its first commit on the account is shut; what fails after that is finished by the worker.
        """
        await self._ask(user_id, actor_id=user_id)
        if not await self._finish(user_id):
            log.warning("erasure_left_to_the_worker", user_id=user_id)

    async def erase_inactive(self, unseen_since: datetime, limit: int) -> int:
        """Shut up to `limit` accounts of players who were not there since then; `finish_asked` forgets them."""
        async with acquire(self._context.pool) as conn:
            user_ids = await sql.list_inactive(conn, unseen_since, limit)
        for user_id in user_ids:
            await self._ask(user_id, actor_id=None)
        return len(user_ids)

    async def finish_asked(self, limit: int) -> int:
        """Forget up to `limit` of those who wait for it; how many were tried."""
        async with acquire(self._context.pool) as conn:
            user_ids = await sql.list_to_erase(conn, self._context.clock(), limit)
        for user_id in user_ids:
            await self._finish(user_id)
        return len(user_ids)

    # -- inside ------------------------------------------------------------------------------------------

    async def _ask(self, user_id: int, *, actor_id: int | None) -> None:
        now = self._context.clock()
        async with acquire(self._context.pool) as conn, conn.transaction():
            await users.lock_admins(conn, user_id)
            account = await accounts.lock_account(conn, user_id)
            if account is None:
                raise bad_token()
            if await users.list_clubs_left_alone(conn, user_id):
                raise Conflict("You are the last administrator of a club. Make somebody else one first.")
            await sql.update_erase_asked(conn, user_id, now)
            await _audit(conn, now, "account.erase_asked", actor_id, user_id)

    async def _finish(self, user_id: int) -> bool:
        """Give up what is ahead, then forget. False if more is ahead after each round."""
        for _ in range(ROUNDS):
            await self._give_up(user_id)
            if await self._forget(user_id):
                return True
        return False

    async def _give_up(self, user_id: int) -> None:
        """Cancel what is to come and wait no more, as the user would."""
        now = self._context.clock()
        owner = Identity(user_id=user_id, email="", name="", verified=False, session_version=0)
        ahead = [
            booking.id
            for booking in await self._bookings.list_own(
                owner, club_id=None, status="confirmed", during=Interval(now, ALWAYS.end), after=None, limit=PAGE
            )
            if booking.interval.start > now
        ]
        for waiting in await self._waitlist.list_own(owner):
            await _unless_gone(self._waitlist.leave(owner, waiting.entry.id))
        for booking_id in ahead:
            await _unless_gone(self._bookings.cancel(owner, booking_id))

    async def _forget(self, user_id: int) -> bool:
        now = self._context.clock()
        async with acquire(self._context.pool) as conn, conn.transaction():
            # The lock under which a desk would book for this user.
            await lock_person(conn, user_id)
            account = await accounts.lock_account(conn, user_id)
            if account is None:
                return True
            if await sql.fetch_ahead(conn, user_id, now):
                return False
            email = account["email"]
            namesakes = await sql.list_pending_namesakes(conn, email, user_id)
            await accounts.delete_unused(conn, namesakes, now + timedelta(microseconds=1))  # those of this moment too
            await sql.erase_user(conn, user_id=user_id, email=email, now=now)
            await _audit(conn, now, "account.erased", None, user_id)
        await post.forget_address(self._context.settings, email)
        return True


async def _unless_gone(work: Any) -> None:
    """Do it; what has ended or begun meanwhile needs nothing."""
    try:
        await work
    except (NotFound, NotCancellable):
        return


async def _audit(conn: Connection, now: datetime, event_type: str, actor_id: int | None, user_id: int) -> None:
    await insert_audit(
        conn, id=uuid7(now), club_id=None, event_type=event_type, actor_id=actor_id, payload={"user_id": user_id}
    )
