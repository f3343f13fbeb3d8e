"""Guessing passwords: what is counted besides each address's tries at one account (`limits.limit_guesses`).

Wrong passwords are counted with the account, wherever they come from, and with the address, whomever they are meant for.
An account that is guessed at from everywhere takes no logins for the rest of the hour, but from addresses where its owner
logged in of late: whoever guesses locks nobody out. Only what failed is counted, so a club's wifi may log in as it likes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from limits import RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from litestar import Request

from server.domain.errors import RateLimited
from server.edge.limits import RateLimiter, Window, client_address, subject

PER_ACCOUNT = RateLimitItemPerHour(100, namespace="wrong")
"""OWASP ASVS 4.0, 2.2.1: no more than a hundred failed attempts an hour at one account."""
PER_ADDRESS = RateLimitItemPerMinute(40, namespace="wrongip")
"""Wrong passwords from one address, and its registrations and forgotten passwords: each may write to a stranger."""
KNOWN = RateLimitItemPerDay(1, 30, namespace="known")
"""How long an address is known to an account after a login."""
WAIT = {"Retry-After": "60"}

AnyRequest = Request[Any, Any, Any]


class Guess:
    """One login that is tried, or a registration or forgotten password. Does nothing while limiting is switched off."""

    def __init__(self, request: AnyRequest, account: str) -> None:
        settings = request.app.state.context.settings
        self._limiter: RateLimiter | None = request.app.state.rate_limiter
        self._address = subject(client_address(request.scope, settings.trusted_proxies))
        self._account = _hashed(account)

    async def check(self) -> None:
        """Raise `RateLimited` if too many went wrong at this account or from this address."""
        if self._limiter is None:
            return
        if await self._limiter.peek(Window(PER_ADDRESS, self._address)) >= PER_ADDRESS.amount:
            raise RateLimited("Too many tries from your address. Wait a minute.", headers=WAIT)
        if await self._limiter.peek(Window(PER_ACCOUNT, self._account)) < PER_ACCOUNT.amount:
            return
        if not await self._limiter.peek(self._known()):
            raise RateLimited(
                "Somebody guesses at this account. Log in from where you did before, or wait an hour.", headers=WAIT
            )

    async def went_wrong(self) -> None:
        """Count a wrong password."""
        if self._limiter is not None:
            await self._limiter.count([Window(PER_ACCOUNT, self._account), Window(PER_ADDRESS, self._address)])

    async def went_well(self) -> None:
        """Remember that the account's owner was at this address."""
        if self._limiter is not None:
            await self._limiter.count([self._known()])

    async def count_mail(self) -> None:
        """Count what may write to somebody who did not ask for it. Raises `RateLimited`."""
        if self._limiter is None:
            return
        (count,) = await self._limiter.count([Window(PER_ADDRESS, self._address)])
        if count.is_over:
            raise RateLimited("Too many tries from your address. Wait a minute.", headers=WAIT)

    def _known(self) -> Window:
        return Window(KNOWN, _hashed(f"{self._account}:{self._address}"))


def _hashed(text: str) -> str:
    """What Redis is told: it holds no personal data."""
    return hashlib.sha256(text.strip().lower().encode()).hexdigest()[:32]
