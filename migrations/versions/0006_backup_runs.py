"""What became of each backup and each trial of one.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = pg.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "backup_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="Taken, or restored for trial and looked through."),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True, comment="What is wrong, in a sentence."),
        sa.Column("bytes", sa.BigInteger(), nullable=True, comment="Of the dump."),
        sa.CheckConstraint("kind IN ('backup', 'verify')", name=op.f("backup_runs_kind_known_check")),
        sa.CheckConstraint("ok = (error IS NULL)", name=op.f("backup_runs_error_fits_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("backup_runs_pkey")),
    )
    op.create_index("idx_backup_runs_kind", "backup_runs", ["kind", "finished_at"])


def downgrade() -> None:
    op.drop_table("backup_runs")
