"""Who waits for what, and who has waited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from server.sql.tables.columns import club_id, created_at, instant, metadata

WAITS_ONCE = "waitlist_entries_user_id_slot_hash_key"


def _wish() -> list[Column[Any]]:
    """What somebody waits for; a waiting entry and an ended one have the same."""
    return [
        Column("id", UUID, primary_key=True),
        club_id(),
        Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
        Column("slot_hash", Text, nullable=False, comment="domain.waitlist.slot_hash"),
        Column("court_id", BigInteger, ForeignKey("courts.id"), comment="NULL: any court of the kind."),
        Column("kind", Text, comment="The sport, where any court of it will do."),
        Column("start_ts", instant(), nullable=False),
        Column("end_ts", instant(), nullable=False),
        Column("coach_id", BigInteger, ForeignKey("coaches.id")),
        Column("equipment", JSONB, nullable=False, server_default="[]", comment="[{equipment_id, quantity}]"),
        Column("auto_book", Boolean, nullable=False, comment="Book at once; otherwise offer."),
        Column("max_price", BigInteger, comment="Minor units; above it nothing is booked at once."),
        Column("not_after", instant(), comment="Not wanted any more from then on."),
        Column(
            "priority", Integer, nullable=False, comment="Of the tier, when they joined; the larger is served first."
        ),
        created_at(),
    ]


waitlist_entries = Table(
    "waitlist_entries",
    metadata,
    *_wish(),
    Column("held_court_id", BigInteger, ForeignKey("courts.id"), comment="The court that is held for them."),
    Column("held_ref", Text, comment="The hold's name on the grid."),
    Column("held_price", BigInteger, comment="What it costs, in minor units."),
    Column("held_until", instant(), comment="Until when it is offered; NULL: the worker has yet to book or offer it."),
    CheckConstraint("num_nonnulls(court_id, kind) = 1", name="place"),
    CheckConstraint("start_ts < end_ts", name="times_in_order"),
    CheckConstraint("max_price >= 0 AND (auto_book OR max_price IS NULL)", name="max_price_fits"),
    CheckConstraint(
        "num_nonnulls(held_court_id, held_ref, held_price) IN (0, 3) AND (held_until IS NULL OR held_ref IS NOT NULL)",
        name="hold_whole",
    ),
    UniqueConstraint("user_id", "slot_hash", name=WAITS_ONCE),
    Index("idx_waitlist_slot_hash", "slot_hash", "created_at"),
    Index("idx_waitlist_entries_club_id", "club_id", "start_ts"),
    comment="Who waits. Whoever waits no more is in waitlist_history.",
)

waitlist_history = Table(
    "waitlist_history",
    metadata,
    *_wish(),
    Column("outcome", Text, nullable=False),
    Column("ended_at", instant(), nullable=False),
    Column("booking_id", UUID, ForeignKey("bookings.id"), comment="What they got, or what closed the entry."),
    CheckConstraint("outcome IN ('promoted', 'left', 'expired', 'closed')", name="outcome_known"),
    Index("idx_waitlist_history_user_id", "user_id", "ended_at"),
    comment="Entries that have ended.",
)
