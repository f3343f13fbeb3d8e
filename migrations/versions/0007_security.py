"""API keys, second factors, and what it takes to forget somebody.

Frozen: it says what the database was at this revision and imports nothing that moves on.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = pg.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "last_seen_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="Of a login or renewal.",
        ),
    )
    op.add_column(
        "users",
        sa.Column("erase_asked_at", INSTANT, comment="Its owner wants to be forgotten; from then on nobody logs in."),
    )
    op.add_column("users", sa.Column("erased_at", INSTANT, comment="When nothing but the id was left."))
    op.create_index(
        "idx_users_erase_asked_at", "users", ["erase_asked_at"], postgresql_where=sa.text("erase_asked_at IS NOT NULL")
    )
    op.create_table(
        "totp",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False, comment="Base32."),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", INSTANT, comment="NULL: begun, and not asked for yet."),
        sa.Column(
            "last_step",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Of the newest code that was taken.",
        ),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="totp_user_id_fkey"),
        sa.PrimaryKeyConstraint("user_id", name="totp_pkey"),
        comment="Second factors: codes by time (RFC 6238).",
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the code."),
        sa.Column("used_at", INSTANT),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="recovery_codes_user_id_fkey"),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name="recovery_codes_pkey"),
        comment="What lets somebody in whose second factor is lost, once each.",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False, comment="For whom it acts."),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False, comment="How its owner tells it from others."),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the key."),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False, comment="server.edge.scopes"),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, comment="To the minute."),
        sa.Column("revoked_at", INSTANT),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("api_keys_scopes_some_check")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="api_keys_user_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("key_hash", name="api_keys_key_hash_key"),
        comment="Keys of scripts and partners; each acts for its owner, within its scopes.",
    )
    op.create_index("idx_api_keys_user_id", "api_keys", ["user_id"])


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_table("recovery_codes")
    op.drop_table("totp")
    op.drop_index("idx_users_erase_asked_at", "users")
    op.drop_column("users", "erased_at")
    op.drop_column("users", "erase_asked_at")
    op.drop_column("users", "last_seen_at")
