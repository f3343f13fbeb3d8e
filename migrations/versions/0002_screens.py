"""Wall screens and their pairing.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = pg.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "screens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("club_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("court_ids", sa.ARRAY(sa.BigInteger()), nullable=True, comment="What it shows; NULL: all courts."),
        sa.Column(
            "token_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of its token; NULL until it has collected one.",
        ),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("approved_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=True, comment="To the minute."),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "court_ids IS NULL OR cardinality(court_ids) > 0", name=op.f("screens_court_ids_some_check")
        ),
        sa.ForeignKeyConstraint(["club_id"], ["clubs.id"], name=op.f("screens_club_id_fkey")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("screens_created_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("screens_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("screens_token_hash_key")),
    )
    op.create_index("idx_screens_club_id", "screens", ["club_id"])
    op.create_table(
        "screen_pairings",
        sa.Column("code", sa.Text(), nullable=False, comment="What the screen shows and staff types in."),
        sa.Column(
            "secret_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of what the screen asks for its token with.",
        ),
        sa.Column("screen_id", sa.BigInteger(), nullable=True, comment="NULL until it is approved."),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["screen_id"], ["screens.id"], name=op.f("screen_pairings_screen_id_fkey")),
        sa.PrimaryKeyConstraint("code", name=op.f("screen_pairings_pkey")),
        sa.UniqueConstraint("screen_id", name=op.f("screen_pairings_screen_id_key")),
        comment="Screens that wait for their token; each row ends with the token or with its time.",
    )
    op.create_index("idx_screen_pairings_expires_at", "screen_pairings", ["expires_at"])


def downgrade() -> None:
    op.drop_table("screen_pairings")
    op.drop_table("screens")
