"""When players are reminded, and the addresses of calendar feeds.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "reminders",
            pg.ARRAY(sa.SmallInteger()),
            server_default="{24,2}",
            nullable=False,
            comment="How many hours before a booking its owner is reminded of it.",
        ),
    )
    op.create_check_constraint(op.f("users_reminders_known_check"), "users", "reminders <@ '{24,2}'::smallint[]")
    op.create_table(
        "calendar_feeds",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret in the feed's address."
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=False, comment="Whose it is."),
        sa.Column("court_id", sa.BigInteger(), nullable=True, comment="What staff look at; NULL: one's own bookings."),
        sa.Column("created_at", pg.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("calendar_feeds_user_id_fkey")),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("calendar_feeds_court_id_fkey")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("calendar_feeds_pkey")),
        sa.UniqueConstraint(
            "user_id", "court_id", name="calendar_feeds_user_id_key", postgresql_nulls_not_distinct=True
        ),
        comment="Private addresses of calendars; a new one takes the place of the old one.",
    )


def downgrade() -> None:
    op.drop_table("calendar_feeds")
    op.drop_constraint("users_reminders_known_check", "users")
    op.drop_column("users", "reminders")
