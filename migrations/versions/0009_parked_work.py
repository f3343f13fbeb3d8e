"""An index of what was set aside in the outbox: it is counted every few seconds, among many times as much that is done.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "idx_outbox_parked",
        "outbox",
        ["created_at", "id"],
        postgresql_where=sa.text("done_at IS NULL AND parked_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("idx_outbox_parked", "outbox")
