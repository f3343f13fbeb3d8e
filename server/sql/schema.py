"""What is stored: the tables of `server.sql.tables` together, and the constraints whose violation is recognised.

Alembic compares this with the database; asyncpg statements are written against it. Every constraint has a
name, because a violation is recognised by it. What Core cannot say (triggers, functions, the epoch) stands in
`server.sql.guards`, and a test compares both with what the migrations make.
"""

from __future__ import annotations

from server.sql.tables import club, people, records, waitlist
from server.sql.tables.bookings import NO_DOUBLE_BOOKING, POOL_NOT_OVERSOLD
from server.sql.tables.columns import metadata

__all__ = ["NO_DOUBLE_BOOKING", "POOL_NOT_OVERSOLD", "club", "metadata", "people", "records", "waitlist"]
