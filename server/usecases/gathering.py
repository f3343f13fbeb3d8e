"""Waiting requests share the next read: never older than their arrival, and one query for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """Answers keys by `read`, one read at a time; a key that comes while one runs waits for the next.

    `read` gets the distinct keys that wait and returns a value for each of them. Whatever it does, everyone who waits
    is answered: a key that it leaves out is a `KeyError` to those who asked for it, and to nobody else.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        # A future for each who waits: one who leaves takes the answer away from nobody.
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """The value of a read that began after this call. Raises what the read raises."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [future]
            if self._task is None:
                self._task = asyncio.create_task(self._serve())
        else:
            waiting.append(future)
        return await future

    async def _serve(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    values = await self._read(list(asked))
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits
                    for futures in asked.values():
                        _fail(futures, error)
                except BaseException:
                    for futures in (*asked.values(), *self._waiting.values()):
                        for future in futures:
                            future.cancel()  # the process is ending
                    self._waiting = {}
                    raise
                else:
                    for key, futures in asked.items():
                        if key not in values:
                            _fail(futures, KeyError(key))
                            continue
                        value = values[key]
                        for future in futures:
                            if not future.done():
                                future.set_result(value)
        finally:
            self._task = None


def _fail(futures: Iterable[asyncio.Future[V]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            future.exception()  # whoever waited may be leaving
