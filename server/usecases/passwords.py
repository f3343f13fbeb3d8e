"""Password hashes: argon2id in two threads with a bounded queue, so that a rush of logins leaves bookings alone."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.context import Context
from server.domain.accounts import normal_password
from server.domain.errors import InvalidRequest, Unavailable

THREADS = 2
MAX_WAITING = 400
"""Jobs in the queue, a login being one: about ten seconds of work. Who comes later is sent away, not kept."""
NO_PASSWORD = "!"  # noqa: S105 - what stands in place of a hash where no password was set yet; it matches nothing

T = TypeVar("T")

# One for the process, because what it guards, the cores, is one too. Threads begin with the first job.
_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="argon2")
_waiting = 0


@cache
def _unmatchable(hasher: PasswordHasher) -> str:
    """A hash that costs as much to verify as one of the hasher's and that no password has."""
    salt, digest = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _read_common() -> frozenset[str]:
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


_COMMON = _read_common()


def chosen_password(password: str, *, field: str = "password") -> str:
    """A password that somebody sets, normalised. Those that are there stay, whatever they are: a login takes them.

    Raises `InvalidRequest` for what cannot be one, and for one that everybody tries first (NIST SP 800-63B, 5.1.1.2;
    OWASP ASVS 5.0, 6.2.4).
    """
    password = normal_password(password, field=field)
    if password.casefold() in _COMMON:
        raise InvalidRequest("This password is one of the most common ones, which are guessed first.", field=field)
    return password


async def hash_password(context: Context, password: str) -> str:
    """The argon2id hash of a normalised password. Raises `Unavailable` when too many wait already."""
    return await _in_thread(lambda: context.hasher.hash(password))


async def match_passwords(context: Context, password: str | None, hashes: Sequence[str | None]) -> list[bool]:
    """Which of the hashes are the password's.

    Always as many verifications as there are entries: one that is missing (None, `NO_PASSWORD`) or a password
    that nobody can have (None) costs the same as any other, so that time tells nothing.
    Raises `Unavailable` when too many wait already.
    """
    return await _in_thread(lambda: [_matches(context.hasher, password, one) for one in hashes])


def is_outdated(context: Context, password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return context.hasher.check_needs_rehash(password_hash)


def _matches(hasher: PasswordHasher, password: str | None, password_hash: str | None) -> bool:
    real = password is not None and password_hash is not None and password_hash != NO_PASSWORD
    try:
        hasher.verify(password_hash if real and password_hash else _unmatchable(hasher), password or "")
    except (VerificationError, InvalidHashError):
        return False
    return real


async def _in_thread(job: Callable[[], T]) -> T:
    global _waiting  # noqa: PLW0603 - one number for the process, as the threads are
    if _waiting >= MAX_WAITING:
        raise Unavailable(retry_after=5)
    _waiting += 1
    try:
        # A request that is cancelled takes its job out of the queue, unless a thread has begun it.
        return await asyncio.get_running_loop().run_in_executor(_threads, job)
    finally:
        _waiting -= 1
