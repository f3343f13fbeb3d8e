"""Which key sealed the secret of a second factor. Those that are there stay readable until the worker has sealed them.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "totp", sa.Column("sealed_by", sa.Text(), nullable=True, comment="Name of the key; NULL: not sealed.")
    )
    op.alter_column("totp", "secret", existing_comment="Base32.", comment="Base32, sealed.")


def downgrade() -> None:
    op.alter_column("totp", "secret", existing_comment="Base32, sealed.", comment="Base32.")
    op.drop_column("totp", "sealed_by")
