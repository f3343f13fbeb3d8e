"""Programs that the tests run as processes of their own, to kill them: `python -m tests.embedded.programs NAME HOME`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg

from server.embedded.postgres import Postgres
from server.embedded.process import Child
from server.embedded.valkey import Valkey


async def _commit(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statement)
    await conn.close()


def both(home: Path) -> None:
    """Start both servers, commit a row, say the servers' process ids and wait to be killed."""
    postgres, valkey = Postgres(home), Valkey(home)
    postgres.start()
    valkey.start()
    asyncio.run(_commit(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer"))
    print("pids", postgres.child.pid, valkey.child.pid, flush=True)
    signal.pause()


def orphaning(home: Path) -> None:
    """As `both` with Postgres alone, which outlives us: where a kernel does not tell children of a parent's death."""

    def untold(command: list[str], **options: Any) -> Child:
        return Child(command, **{**options, "death_signal": 0})

    postgres = Postgres(home)
    with mock.patch("server.embedded.postgres.Child", untold):
        postgres.start()
    print("pids", postgres.child.pid, flush=True)
    signal.pause()


if __name__ == "__main__":
    {"both": both, "orphaning": orphaning}[sys.argv[1]](Path(sys.argv[2]))
