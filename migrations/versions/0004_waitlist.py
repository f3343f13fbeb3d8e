"""The waitlist: who waits, who has waited, and what is held for them.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = pg.TIMESTAMP(timezone=True)
OWNER = (
    "num_nonnulls(booking_id, closure_id, entry_id) = 1 AND (kind = 'closed') = (closure_id IS NOT NULL)"
    " AND (kind = 'held') = (entry_id IS NOT NULL)"
)
OLD_OWNER = "num_nonnulls(booking_id, closure_id) = 1 AND (kind = 'closed') = (closure_id IS NOT NULL)"


def wish() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("club_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("slot_hash", sa.Text(), nullable=False, comment="domain.waitlist.slot_hash"),
        sa.Column("court_id", sa.BigInteger(), nullable=True, comment="NULL: any court of the kind."),
        sa.Column("kind", sa.Text(), nullable=True, comment="The sport, where any court of it will do."),
        sa.Column("start_ts", INSTANT, nullable=False),
        sa.Column("end_ts", INSTANT, nullable=False),
        sa.Column("coach_id", sa.BigInteger(), nullable=True),
        sa.Column("equipment", pg.JSONB(), server_default="[]", nullable=False, comment="[{equipment_id, quantity}]"),
        sa.Column("auto_book", sa.Boolean(), nullable=False, comment="Book at once; otherwise offer."),
        sa.Column(
            "max_price", sa.BigInteger(), nullable=True, comment="Minor units; above it nothing is booked at once."
        ),
        sa.Column("not_after", INSTANT, nullable=True, comment="Not wanted any more from then on."),
        sa.Column(
            "priority",
            sa.Integer(),
            nullable=False,
            comment="Of the tier, when they joined; the larger is served first.",
        ),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "waitlist_entries",
        *wish(),
        sa.Column("held_court_id", sa.BigInteger(), nullable=True, comment="The court that is held for them."),
        sa.Column("held_ref", sa.Text(), nullable=True, comment="The hold's name on the grid."),
        sa.Column("held_price", sa.BigInteger(), nullable=True, comment="What it costs, in minor units."),
        sa.Column(
            "held_until",
            INSTANT,
            nullable=True,
            comment="Until when it is offered; NULL: the worker has yet to book or offer it.",
        ),
        sa.CheckConstraint("num_nonnulls(court_id, kind) = 1", name=op.f("waitlist_entries_place_check")),
        sa.CheckConstraint("start_ts < end_ts", name=op.f("waitlist_entries_times_in_order_check")),
        sa.CheckConstraint(
            "max_price >= 0 AND (auto_book OR max_price IS NULL)", name=op.f("waitlist_entries_max_price_fits_check")
        ),
        sa.CheckConstraint(
            "num_nonnulls(held_court_id, held_ref, held_price) IN (0, 3)"
            " AND (held_until IS NULL OR held_ref IS NOT NULL)",
            name=op.f("waitlist_entries_hold_whole_check"),
        ),
        sa.ForeignKeyConstraint(["club_id"], ["clubs.id"], name=op.f("waitlist_entries_club_id_fkey")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("waitlist_entries_user_id_fkey")),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("waitlist_entries_court_id_fkey")),
        sa.ForeignKeyConstraint(["coach_id"], ["coaches.id"], name=op.f("waitlist_entries_coach_id_fkey")),
        sa.ForeignKeyConstraint(["held_court_id"], ["courts.id"], name=op.f("waitlist_entries_held_court_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("waitlist_entries_pkey")),
        sa.UniqueConstraint("user_id", "slot_hash", name="waitlist_entries_user_id_slot_hash_key"),
        comment="Who waits. Whoever waits no more is in waitlist_history.",
    )
    op.create_index("idx_waitlist_slot_hash", "waitlist_entries", ["slot_hash", "created_at"])
    op.create_index("idx_waitlist_entries_club_id", "waitlist_entries", ["club_id", "start_ts"])
    op.create_table(
        "waitlist_history",
        *wish(),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=True, comment="What they got, or what closed the entry."),
        sa.CheckConstraint(
            "outcome IN ('promoted', 'left', 'expired', 'closed')", name=op.f("waitlist_history_outcome_known_check")
        ),
        sa.ForeignKeyConstraint(["club_id"], ["clubs.id"], name=op.f("waitlist_history_club_id_fkey")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("waitlist_history_user_id_fkey")),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("waitlist_history_court_id_fkey")),
        sa.ForeignKeyConstraint(["coach_id"], ["coaches.id"], name=op.f("waitlist_history_coach_id_fkey")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("waitlist_history_booking_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("waitlist_history_pkey")),
        comment="Entries that have ended.",
    )
    op.create_index("idx_waitlist_history_user_id", "waitlist_history", ["user_id", "ended_at"])
    op.add_column(
        "allocations",
        sa.Column(
            "entry_id",
            sa.UUID(),
            nullable=True,
            comment="Whom it is held for. No foreign key: the entry ends, the allocation stays.",
        ),
    )
    # Every row fits, since the new column is empty; the check reads the table once.
    op.drop_constraint("allocations_owner_check", "allocations")
    op.create_check_constraint(op.f("allocations_owner_check"), "allocations", OWNER)
    op.create_index(
        "idx_allocations_entry_id",
        "allocations",
        ["entry_id"],
        postgresql_where=sa.text("active AND entry_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM allocations WHERE entry_id IS NOT NULL")
    op.drop_index("idx_allocations_entry_id", "allocations")
    op.drop_constraint("allocations_owner_check", "allocations")
    op.create_check_constraint(op.f("allocations_owner_check"), "allocations", OLD_OWNER)
    op.drop_column("allocations", "entry_id")
    op.drop_table("waitlist_history")
    op.drop_table("waitlist_entries")
