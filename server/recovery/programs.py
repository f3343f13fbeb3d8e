"""Postgres' own programs: which pg_dump fits which server, and how one is run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each major version; what it has on PATH is the newest of them."""
TELLING_LINES = 3


class RecoveryError(Exception):
    """A backup cannot be taken, restored or trusted; the message is one sentence that says why."""


def find_program(name: str, major: int, more: Sequence[Path] = ()) -> Path:
    """The path of `pg_dump` or `pg_restore` for a server of that major version: of the same one, or of the next newer.

    Looks in the folders `more`, on PATH, and where Debian keeps several. Raises `RecoveryError` if there is none, or
    only older ones, which refuse the server.
    """
    found = {_major_of(path): path for path in reversed([*_candidates(name, more)])}
    found.pop(0, None)
    fitting = [version for version in found if version >= major]
    if fitting:
        return found[min(fitting)]
    wanted = f"install the client programs of Postgres {major} (Debian: postgresql-client-{major})"
    if not found:
        raise RecoveryError(f"{name} is not on PATH; {wanted}.")
    raise RecoveryError(f"{name} {max(found)} is older than the server, which is Postgres {major}; {wanted}.")


def _candidates(name: str, more: Sequence[Path]) -> Iterator[Path]:
    for folder in more:
        yield folder / name
    if on_path := shutil.which(name):
        yield Path(on_path)
    yield from DEBIAN.glob(f"*/bin/{name}")


@cache
def _major_of(program: Path) -> int:
    """The major version of a program; 0 if it says none."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - by path
    except OSError:
        return 0
    said = re.search(r"\) (\d+)", done.stdout)
    return int(said[1]) if said else 0


async def run_program(program: Path, database_url: str, *arguments: str) -> None:
    """Run a program on a database and wait for its end. Raises `RecoveryError` with its last words if it fails.

    The password goes into its environment: a command line can be read by everybody on the machine.
    """
    parts = urlsplit(database_url)
    login, at, place = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    address = parts._replace(netloc=f"{user}{at}{place}").geturl()
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={address}",
        "--no-password",
        *arguments,
        env={**os.environ, "LC_ALL": "C", **({"PGPASSWORD": unquote(password)} if password else {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        words = said.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        raise RecoveryError(f"{program.name} failed: {' '.join(line.strip() for line in words[:TELLING_LINES])}")
