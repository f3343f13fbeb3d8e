from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from server.usecases.ids import uuid7

NOW = datetime(2031, 5, 14, 9, 0, 0, 123_999, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware


@given(INSTANTS)
def test_an_id_is_a_version_7_uuid(now: datetime) -> None:
    made = uuid7(now)
    assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_the_milliseconds_of_its_instant() -> None:
    uuid7(NOW + timedelta(days=1))  # whatever was made before: a larger step back than is tolerated
    assert uuid7(NOW).int >> 80 == int(NOW.timestamp()) * 1000 + 123


def test_ids_of_one_instant_grow_and_differ() -> None:
    made = [uuid7(NOW) for _ in range(10_000)]
    assert made == sorted(set(made))


def test_ids_grow_while_the_clock_is_set_back_a_little() -> None:
    before = uuid7(NOW + timedelta(days=2))
    assert uuid7(NOW + timedelta(days=2, seconds=-5)) > before


def test_a_large_correction_of_the_clock_is_followed() -> None:
    uuid7(NOW + timedelta(days=3))
    assert uuid7(NOW + timedelta(days=2)) < uuid7(NOW + timedelta(days=3))


FORKS = """
import os
from datetime import UTC, datetime
from server.usecases.ids import uuid7
now = datetime(2031, 5, 14, tzinfo=UTC)
uuid7(now)
os.fork()
os.write(1, b"%s\\n" % str(uuid7(now)).encode())
"""


def test_a_forked_process_makes_other_ids() -> None:
    """In a process of its own: this one may have threads, beside which a fork is refused."""
    run = subprocess.run([sys.executable, "-c", FORKS], check=True, capture_output=True, text=True)
    first, second = run.stdout.split()
    assert first != second
