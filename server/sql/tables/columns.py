"""What all tables share: how constraints are named, and the columns that most of them have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, MetaData, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "idx_%(table_name)s_%(column_0_name)s",
    }
)


def instant() -> TIMESTAMP:
    return TIMESTAMP(timezone=True)


def created_at() -> Column[object]:
    return Column("created_at", instant(), nullable=False, server_default=text("now()"))


def identity() -> Column[int]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def version() -> Column[int]:
    """The row's version, for If-Match."""
    return Column("version", Integer, nullable=False, server_default="1")


def club_id() -> Column[int]:
    return Column("club_id", BigInteger, ForeignKey("clubs.id"), nullable=False)
