"""The reference: pgbench, one transaction for each booking, prepared, on its own copy of the database."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import asyncpg

from tests.bench.clubs import BIG
from tests.bench.stack import Stack

SCRIPT = Path(__file__).with_name("reference.sql")
THREADS = 2
CLIENTS = 32
MOST_PER_SECOND = 50_000
"""No machine makes more: each run of pgbench takes so many slots a second out of the walk."""


class Rate(NamedTuple):
    """Transactions a second, and the mean milliseconds of one."""

    per_second: float
    mean_ms: float


@dataclass
class Reference:
    """The reference transaction on a database of its own; every run walks on where the last one ended."""

    stack: Stack
    url: str
    variables: dict[str, int]
    walked: int = 1

    @classmethod
    def on(cls, stack: Stack, database: str) -> Reference:
        """Make the database, and learn which club, courts and player there are."""
        url = stack.copy(database)
        return cls(stack, url, asyncio.run(_variables_of(url)))

    def run(self, seconds: float, *, in_one_trip: bool = False) -> Rate:
        """Run the transaction. `in_one_trip` pipelines its statements, as no driver does by itself.

        Raises RuntimeError if a transaction failed.
        """
        text = SCRIPT.read_text()
        if in_one_trip:
            text = text.replace("BEGIN;", "\\startpipeline\nBEGIN;").replace("COMMIT;", "COMMIT;\n\\endpipeline")
        variables = self.variables | {"first": self.walked, "turn": 0, "clients": CLIENTS}
        self.walked += int(seconds * MOST_PER_SECOND)
        parts = urlsplit(self.url)
        with tempfile.TemporaryDirectory(prefix="courtside-pgbench-") as folder:
            script = Path(folder) / "reference.sql"
            script.write_text(text)
            command = [str(self.stack.postgres.bin("pgbench")), "--no-vacuum", "--protocol=prepared"]
            command += [f"--client={CLIENTS}", f"--jobs={THREADS}", f"--time={max(1, round(seconds))}"]
            command += [f"--file={script}", *(f"--define={name}={value}" for name, value in variables.items())]
            command += [f"--host={parts.hostname}", f"--port={parts.port}", f"--username={parts.username}"]
            env = {"PATH": os.environ.get("PATH", os.defpath), "PGPASSWORD": unquote(parts.password or "")}
            done = subprocess.run(
                [*command, parts.path.lstrip("/")], env=env, capture_output=True, text=True, check=False
            )
        rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        mean = re.search(r"^latency average = ([\d.]+) ms", done.stdout, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: (\d+)", done.stdout, re.MULTILINE)
        if done.returncode != 0 or not rate or not mean or not failed or failed[1] != "0":
            raise RuntimeError(f"pgbench failed: {done.stdout}\n{done.stderr}")
        return Rate(float(rate[1]), float(mean[1]))


async def _variables_of(url: str) -> dict[str, int]:
    conn = await asyncpg.connect(url)
    try:
        row = await conn.fetchrow(
            """
            SELECT clubs.id AS club, min(courts.id) AS first_court, max(courts.id) - min(courts.id) + 1 AS courts,
                   (SELECT max(id) FROM users) AS player
            FROM clubs JOIN courts ON courts.club_id = clubs.id WHERE slug = $1 GROUP BY clubs.id
            """,
            BIG,
        )
    finally:
        await conn.close()
    assert row is not None
    return dict(row)
