"""The epoch names one history of the grid's versions."""

from __future__ import annotations

import re

import asyncpg

from server.sql.connection import Connection

EPOCH = "SELECT grid_epoch()"


async def test_the_epoch_is_the_same_for_everybody_and_lasts(conn: Connection, database_url: str) -> None:
    epoch = await conn.fetchval(EPOCH)
    await conn.execute("CREATE TABLE something_else (id int)")
    other = await asyncpg.connect(database_url)
    try:
        assert await other.fetchval(EPOCH) == epoch
    finally:
        await other.close()

    assert re.fullmatch(r"[0-9a-f]{16}", epoch)


async def test_another_nonce_is_another_epoch(conn: Connection) -> None:
    before = await conn.fetchval(EPOCH)

    await conn.execute("UPDATE instance SET nonce = 'renewed'")

    assert await conn.fetchval(EPOCH) != before


async def test_a_copy_of_the_database_is_another_epoch(
    conn: Connection, database_server: str, template_database: str, empty_database_url: str
) -> None:
    nonce = await conn.fetchval("SELECT nonce FROM instance")
    copy = await asyncpg.connect(empty_database_url)
    try:
        await copy.execute("CREATE TABLE instance (nonce text)")
        await copy.execute("INSERT INTO instance VALUES ($1)", nonce)
        await copy.execute(await conn.fetchval("SELECT pg_get_functiondef('grid_epoch'::regproc)"))

        assert await copy.fetchval(EPOCH) != await conn.fetchval(EPOCH)
    finally:
        await copy.close()


async def test_the_epoch_belongs_to_the_snapshot_of_the_statement_that_reads_it(
    conn: Connection, database_url: str
) -> None:
    other = await asyncpg.connect(database_url)
    try:
        async with conn.transaction(isolation="repeatable_read"):
            before = await conn.fetchval(EPOCH)
            await other.execute("UPDATE instance SET nonce = 'renewed'")
            assert await conn.fetchval(EPOCH) == before
            assert await other.fetchval(EPOCH) != before
    finally:
        await other.close()


async def test_two_installations_begin_with_different_nonces(conn: Connection) -> None:
    nonce = await conn.fetchval("SELECT nonce FROM instance")

    assert re.fullmatch(r"[0-9a-f]{32}", nonce)
