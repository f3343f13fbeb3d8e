"""Ids that are made before the row: UUIDv7 (RFC 9562, section 5.7), in order of time within a process."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Lock
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_TOLERATED_STEP_BACK_MS = 10_000
"""A clock set back by less than this keeps the order of ids; a larger step is a correction and is followed."""

_random = Random()  # noqa: S311 - seeded by the system; an id is a name, not a secret (0.1 µs; SystemRandom: 1.2)
_lock = Lock()
_last_ms = 0
_last = 0


def uuid7(now: datetime) -> UUID:
    """A UUIDv7 of the instant `now` (aware).

    Ids made in one process grow, also within a millisecond and over small steps back of the clock (RFC 9562,
    section 6.2, method 2: the random part is a counter that is increased by a random amount).
    """
    global _last_ms, _last
    ms = (now - _EPOCH) // _MILLISECOND
    with _lock:
        if 0 <= _last_ms - ms <= _TOLERATED_STEP_BACK_MS:
            _last += 1 + _random.getrandbits(32)
        else:
            _last_ms = ms
            # rand_b starts with a 0, so that half a billion increments fit before it runs over into the variant.
            _last = (ms << 80) | (_random.getrandbits(12) << 64) | _random.getrandbits(61) | _VERSION_AND_VARIANT
        return UUID(int=_last)


def _renew_after_fork() -> None:
    global _lock, _last_ms
    _lock = Lock()
    _last_ms = 0
    _random.seed()


# Without this, parent and child would make the same ids.
os.register_at_fork(after_in_child=_renew_after_fork)
