"""A suspension of a member holds in one club.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = pg.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("memberships", sa.Column("suspended_at", INSTANT, comment="Books nothing in this club."))
    op.alter_column("users", "suspended_at", comment="Shut out of the installation.")


def downgrade() -> None:
    op.alter_column("users", "suspended_at", comment=None)
    op.drop_column("memberships", "suspended_at")
