"""Waiting requests share the next read: never older than their arrival, and one query for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """Answers keys by `read`, one read at a time; a key that comes while one runs waits for the next.

    `read` gets the distinct keys that wait and returns a value for each of them.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """The value of a read that began after this call. Raises what the read raises."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._serve())
        # One who leaves must not take the answer away from the others.
        return await asyncio.shield(future)

    async def _serve(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    values = await self._read(list(asked))
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits
                    for future in asked.values():
                        future.set_exception(error)
                        future.exception()  # whoever waited may have left
                else:
                    for key, future in asked.items():
                        future.set_result(values[key])
        finally:
            self._task = None
