"""Whoever is signed in on a socket of this process, told that something of their own has changed.

A word carries nothing personal: it says what to read again over HTTP, where it is asked anew who may. It is a wake-up
and may be lost, so whoever depends on it reads again after each welcome, and now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from server.live.watcher import Watcher

Concerns = Mapping[int, Collection[str]]
"""User id → what of theirs has changed: `bookings`, `waitlist`."""


class People:
    """The sockets of each user in one process and event loop."""

    def __init__(self) -> None:
        self._sockets: dict[int, dict[Watcher, None]] = {}
        self._untold: dict[int, set[str]] = {}
        self._wanted = asyncio.Event()

    def enter(self, watcher: Watcher) -> None:
        """Count a socket in, if it is somebody's."""
        if watcher.user_id is not None:
            self._sockets.setdefault(watcher.user_id, {})[watcher] = None

    def leave(self, watcher: Watcher) -> None:
        """A socket is gone."""
        own = self._sockets.get(watcher.user_id) if watcher.user_id is not None else None
        if own is not None:
            own.pop(watcher, None)
            if not own and watcher.user_id is not None:
                del self._sockets[watcher.user_id]

    def concern(self, concerns: Concerns) -> None:
        """Have these people told, where they are here. Costs a look-up each, and never waits."""
        for user_id, what in concerns.items():
            if user_id in self._sockets:
                self._untold.setdefault(user_id, set()).update(what)
                self._wanted.set()

    async def keep_telling(self) -> None:
        """Tell them, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            untold, self._untold = self._untold, {}
            for user_id, what in untold.items():
                for watcher in list(self._sockets.get(user_id, ())):
                    # Not by the pace at which sessions are looked at: who was shut out is told nothing more.
                    holds = watcher.check is None or await watcher.check()
                    if holds and not watcher.lost:
                        watcher.tell_you(what)
