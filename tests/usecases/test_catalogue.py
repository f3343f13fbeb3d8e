"""The process's copy of the configuration: never older than asked for, with Redis or without."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.configuration import CourtPart
from server.domain.errors import NotFound
from server.embedded.valkey import Valkey
from server.sql import catalogue as sql
from server.sql.connection import acquire
from server.usecases import clubs, courts
from server.usecases.catalogue import CACHE_SECONDS, REDIS_TIMEOUT, Catalogues, cache_key
from tests.house import House, open_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    async with open_house(context) as made:
        yield made


class Spy:
    """Counts the calls of the real thing."""

    def __init__(self, real: Callable[..., Awaitable[Any]]) -> None:
        self.real = real
        self.calls = 0

    async def __call__(self, *args: Any, **more: Any) -> Any:
        self.calls += 1
        return await self.real(*args, **more)


async def set_rate(catalogues: Catalogues, court_id: int, rate: int) -> None:
    version = (await courts.read_court(catalogues, court_id)).version
    await courts.change_court(catalogues, 1, court_id, version, {"base_rate": rate})


def rate_of(catalogue: Catalogue, court_id: int) -> int:
    return catalogue.court_by_id[court_id].base_rate


async def stored_keys(redis: Redis) -> set[str]:
    return {key.decode() async for key in redis.scan_iter("courtside:catalogue:*")}


# -- finding a club ------------------------------------------------------------------------------------------


async def test_without_a_club_there_is_nothing_to_find(context: Context) -> None:
    catalogues = Catalogues(context)
    for look in (
        catalogues.by_slug(None),
        catalogues.by_slug("x"),
        catalogues.by_id(1),
        catalogues.current_by_slug(None),
    ):
        with pytest.raises(NotFound):
            await look
    assert await catalogues.clubs() == []
    assert catalogues.cached(1) is None


async def test_the_default_club_is_the_lowest_id_that_is_not_retired(house: House) -> None:
    async with open_house(house.context, slug="second") as second:
        assert (await house.catalogues.by_slug(None)).club_id == house.club_id
        await clubs.retire_club(house.catalogues, 1, house.club_id, 1)
        assert (await house.catalogues.current_by_slug(None)).club_id == second.club_id
        assert [club.club_id for club in await house.catalogues.clubs()] == [second.club_id]
        with pytest.raises(NotFound):
            await house.catalogues.current(house.club_id)
        assert house.catalogues.cached(house.club_id) is None


async def test_a_court_leads_to_its_club_unless_it_is_unknown_or_retired(house: House) -> None:
    assert (await house.catalogues.of_court(house.courts[0])).club_id == house.club_id
    for unknown in (0, -1, 10**6, 2**63 - 1, 2**63, 10**30):
        with pytest.raises(NotFound):
            await house.catalogues.of_court(unknown)
    await courts.retire_court(house.catalogues, 1, house.courts[1], 1)
    other_process = Catalogues(house.context)
    with pytest.raises(NotFound):
        await other_process.of_court(house.courts[1])


async def test_a_court_that_another_process_made_is_found_at_once(house: House) -> None:
    mine, other = house.catalogues, Catalogues(house.context)
    await mine.by_slug(None)
    part = CourtPart(name="New", kind="squash", indoor=True, base_rate=900)
    made = await courts.create_court(other, 1, house.club_id, part)
    assert (await mine.of_court(made.id)).court_by_id[made.id].name == "New"
    await other.close()


# -- fresh ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("redis_up", [True, False])
async def test_a_change_in_one_process_is_seen_by_another_at_once(house: House, redis_up: bool) -> None:
    context = house.context if redis_up else replace(house.context, redis=Redis.from_url("redis://127.0.0.1:1/0"))
    one, other = Catalogues(context), Catalogues(context)
    court = house.courts[0]
    for rate in (1100, 1200, 1300):
        await other.current(house.club_id)
        await set_rate(one, court, rate)
        assert rate_of(await other.current(house.club_id), court) == rate
        assert rate_of(await one.current(house.club_id), court) == rate
    await one.close()
    await other.close()


async def test_calls_that_wait_together_share_one_query(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(sql.list_club_versions)
    monkeypatch.setattr(sql, "list_club_versions", spy)
    await asyncio.gather(*(house.catalogues.current(house.club_id) for _ in range(100)))
    assert spy.calls == 1


async def test_a_call_never_gets_the_answer_of_a_query_that_began_before_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, may_arrive = asyncio.Event(), asyncio.Event()
    real = sql.list_club_versions

    async def slow_answer(conn: Any) -> Any:
        rows = await real(conn)
        answered.set()
        await may_arrive.wait()
        return rows

    court = house.courts[0]
    other = Catalogues(house.context)
    await other.current(house.club_id)
    before = rate_of(await house.catalogues.current(house.club_id), court)
    monkeypatch.setattr(sql, "list_club_versions", slow_answer)
    early = asyncio.create_task(house.catalogues.current(house.club_id))
    await answered.wait()
    await house.context.pool.execute("UPDATE courts SET base_rate = 7777 WHERE id = $1", court)
    await house.context.pool.execute("UPDATE clubs SET config_version = config_version + 1")
    late = asyncio.create_task(house.catalogues.current(house.club_id))
    await asyncio.sleep(0)
    may_arrive.set()
    assert rate_of(await early, court) == before
    assert rate_of(await late, court) == 7777


async def test_version_and_parts_always_belong_together(house: House) -> None:
    """Each change writes the version that it makes into a court's rate, while others read."""
    court, pool = house.courts[0], house.context.pool
    seen: set[int] = set()

    async def change() -> None:
        for _ in range(5000):
            if len(seen) >= 10:
                return
            async with pool.acquire() as conn, conn.transaction():
                version = await conn.fetchval(
                    "UPDATE clubs SET config_version = config_version + 1 RETURNING config_version"
                )
                await conn.execute("UPDATE courts SET base_rate = $1 WHERE id = $2", version, court)

    async def read(changes: asyncio.Task[None]) -> None:
        reader = Catalogues(house.context)
        while not changes.done():
            catalogue = await reader.current(house.club_id)
            if catalogue.config_version > 1:
                assert rate_of(catalogue, court) == catalogue.config_version
                seen.add(catalogue.config_version)
        await reader.close()

    changes = asyncio.create_task(change())
    await asyncio.gather(changes, read(changes), read(changes))
    assert len(seen) >= 10


async def test_a_restored_database_with_the_same_version_is_noticed_by_its_epoch(house: House) -> None:
    court, pool = house.courts[0], house.context.pool
    await house.catalogues.current(house.club_id)
    await house.catalogues.close()
    await pool.execute("UPDATE courts SET base_rate = 4321 WHERE id = $1", court)
    await pool.execute("UPDATE instance SET nonce = 'restored'")
    assert rate_of(await house.catalogues.current(house.club_id), court) == 4321


async def test_who_holds_the_lock_reloads_in_its_own_transaction(house: House) -> None:
    await house.catalogues.by_slug(None)
    await set_rate(Catalogues(house.context), house.courts[0], 5000)
    async with acquire(house.context.pool) as conn, conn.transaction():
        loaded = await house.catalogues.load(house.club_id, conn=conn)
    assert rate_of(loaded, house.courts[0]) == 5000
    assert house.catalogues.cached(house.club_id) is loaded


async def test_the_database_out_of_reach_is_told_to_all_who_wait_and_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(conn: Any) -> Any:
        raise OSError("away")

    with monkeypatch.context() as patch:
        patch.setattr(sql, "list_club_versions", away)
        outcomes = await asyncio.gather(
            *(house.catalogues.current(house.club_id) for _ in range(3)), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    assert (await house.catalogues.current(house.club_id)).slug == "riverside"


# -- Redis ---------------------------------------------------------------------------------------------------


async def test_redis_keeps_a_version_for_an_hour_and_spares_the_next_process_the_reading(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.context.redis.flushdb()
    first = await house.catalogues.current(house.club_id)
    await house.catalogues.close()
    (key,) = await stored_keys(house.context.redis)
    assert 0 < await house.context.redis.ttl(key) <= CACHE_SECONDS
    spy = Spy(sql.fetch_catalogue)
    monkeypatch.setattr(sql, "fetch_catalogue", spy)
    next_process = Catalogues(house.context)
    assert await next_process.current(house.club_id) == first
    assert spy.calls == 0


async def test_a_change_takes_the_old_version_out_of_redis(house: House) -> None:
    await house.context.redis.flushdb()
    await house.catalogues.current(house.club_id)
    await house.catalogues.close()
    before = await stored_keys(house.context.redis)
    await set_rate(house.catalogues, house.courts[0], 1234)
    await house.catalogues.close()
    after = await stored_keys(house.context.redis)
    assert len(before) == len(after) == 1
    assert before.isdisjoint(after)


@pytest.mark.parametrize("spoiled", [b"", b"{", b"\xff\xfe", b'{"club_id": "x"}'])
async def test_what_redis_has_wrong_is_read_from_the_database(house: House, spoiled: bytes) -> None:
    (version,) = await sql.list_club_versions(house.context.pool)  # type: ignore[arg-type] # a pool can fetch too
    await house.context.redis.set(cache_key(version), spoiled, ex=60)
    assert (await house.catalogues.current(house.club_id)).club_id == house.club_id


async def test_a_foreign_catalogue_under_our_key_is_not_believed(house: House) -> None:
    real = await house.catalogues.current(house.club_id)
    (version,) = await sql.list_club_versions(house.context.pool)  # type: ignore[arg-type] # a pool can fetch too
    foreign = msgspec.structs.replace(real, config_version=real.config_version + 1, name="Foreign")
    await house.context.redis.set(cache_key(version), msgspec.json.encode(foreign), ex=60)
    assert (await Catalogues(house.context).current(house.club_id)).name == "riverside"


async def test_a_frozen_redis_costs_one_timeout_and_then_nothing(house: House, tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    redis = Redis.from_url(valkey.url)
    catalogues = Catalogues(replace(house.context, redis=redis))
    try:
        await catalogues.current(house.club_id)
        await catalogues.close()
        valkey.child.send(signal.SIGSTOP)
        took = []
        for rate in (100, 200, 300, 400):
            await set_rate(Catalogues(house.context), house.courts[0], rate)
            began = time.monotonic()
            assert rate_of(await catalogues.current(house.club_id), house.courts[0]) == rate
            took.append(time.monotonic() - began)
        assert sum(took) < 2 * REDIS_TIMEOUT + 1.0
        assert min(took) < REDIS_TIMEOUT
    finally:
        valkey.child.send(signal.SIGCONT)
        await catalogues.close()
        await redis.aclose()
        valkey.stop()
