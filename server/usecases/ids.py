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


class _Sequence:
    """The last id made; a counter within the millisecond."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.lock = Lock()
        self.random = Random()  # noqa: S311 - an id is a name, not a secret (0.1 µs; SystemRandom: 1.2)
        self.ms = 0
        self.value = 0

    def follow(self, ms: int) -> int:
        with self.lock:
            if 0 <= self.ms - ms <= _TOLERATED_STEP_BACK_MS:
                self.value += 1 + self.random.getrandbits(32)
            else:
                self.ms = ms
                # rand_b starts with a 0: room for half a billion increments before it runs over into the variant.
                random = self.random
                self.value = (ms << 80) | (random.getrandbits(12) << 64) | random.getrandbits(61) | _VERSION_AND_VARIANT
            return self.value


_sequence = _Sequence()
# Without this, parent and child would make the same ids.
os.register_at_fork(after_in_child=_sequence.renew)


def uuid7(now: datetime) -> UUID:
    """A UUIDv7 of the instant `now` (aware).

    Ids made in one process grow, also within a millisecond and over small steps back of the clock (RFC 9562,
    section 6.2, method 2: the random part is a counter that is increased by a random amount).
    """
    return UUID(int=_sequence.follow((now - _EPOCH) // _MILLISECOND))
