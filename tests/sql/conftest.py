from __future__ import annotations

import pytest

from server.sql.connection import Connection
from tests.sql.clubs import Club, make_club


@pytest.fixture
async def club(conn: Connection) -> Club:
    return await make_club(conn)
