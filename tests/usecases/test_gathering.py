"""Whoever waits for a shared read is answered, whatever the read does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from server.usecases.gathering import Gathering


class Reader:
    """Doubles what it is asked for; says nothing of odd keys, and stops before its answer while it is held."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.reading = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, keys: Sequence[int]) -> dict[int, int]:
        self.asked.append(sorted(keys))
        self.reading.set()
        await self.open.wait()
        return {key: 2 * key for key in keys if not key % 2}


async def test_who_waits_together_shares_the_next_read_and_nobody_an_older_one() -> None:
    reader = Reader()
    gathering = Gathering(reader.read)
    reader.open.clear()
    first = asyncio.ensure_future(gathering.get(2))
    await reader.reading.wait()
    later = [asyncio.ensure_future(gathering.get(key)) for key in (2, 4, 4)]
    await asyncio.sleep(0)
    reader.open.set()
    assert [await first, *[await each for each in later]] == [4, 4, 8, 8]
    assert reader.asked == [[2], [2, 4]]


async def test_a_key_that_the_read_leaves_out_is_an_error_to_who_asked_for_it_and_to_nobody_else() -> None:
    gathering = Gathering(Reader().read)
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*(gathering.get(key) for key in (1, 2, 1, 4)), return_exceptions=True)
        assert [repr(each) for each in outcomes] == ["KeyError(1)", "4", "KeyError(1)", "8"]
        assert await gathering.get(6) == 12


async def test_who_waits_when_the_read_is_cancelled_waits_no_more() -> None:
    reader = Reader()
    gathering = Gathering(reader.read)
    reader.open.clear()
    first = asyncio.ensure_future(gathering.get(2))
    await reader.reading.wait()
    second = asyncio.ensure_future(gathering.get(4))
    await asyncio.sleep(0)
    assert gathering._task is not None
    gathering._task.cancel()
    async with asyncio.timeout(5):
        for waiting in (first, second):
            with pytest.raises(asyncio.CancelledError):
                await waiting
        reader.open.set()
        assert await gathering.get(6) == 12
