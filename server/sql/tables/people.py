"""Accounts, memberships, sessions, and the screens on the wall."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from server.sql.tables.columns import club_id, created_at, identity, instant, metadata, version

users = Table(
    "users",
    metadata,
    identity(),
    Column("email", Text, nullable=False, comment="As written by its owner; compared by lower(email)."),
    Column("name", Text, nullable=False, server_default=""),
    Column("password_hash", Text, nullable=False),
    Column("verified_at", instant(), comment="NULL: the address is not confirmed."),
    Column("suspended_at", instant(), comment="Shut out of the installation."),
    Column("demo", Boolean, nullable=False, server_default="false", comment="May log in on loopback only."),
    Column("operator", Boolean, nullable=False, server_default="false", comment="May found clubs, also the first."),
    Column("session_version", Integer, nullable=False, server_default="1", comment="Older tokens are refused."),
    version(),
    created_at(),
    Index("idx_users_email", text("lower(email)")),
    Index(
        "users_verified_email_key", text("lower(email)"), unique=True, postgresql_where=text("verified_at IS NOT NULL")
    ),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("club_id", BigInteger, ForeignKey("clubs.id"), nullable=False),
    Column("role", Text, nullable=False, server_default="player"),
    Column("tier", Text),
    Column("suspended_at", instant(), comment="Books nothing in this club."),
    PrimaryKeyConstraint("user_id", "club_id"),
    CheckConstraint("role IN ('player', 'staff', 'admin')", name="role_known"),
    Index("idx_memberships_club_id", "club_id"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the token."),
    Column("family_id", UUID, nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("session_version", Integer, nullable=False),
    created_at(),
    Column("expires_at", instant(), nullable=False),
    Column("rotated_at", instant(), comment="When it was exchanged for its successor."),
    Column("revoked_at", instant()),
    Index("idx_refresh_tokens_family_id", "family_id"),
    Index("idx_refresh_tokens_user_id", "user_id"),
    # Read every few seconds for every user seen lately: the sessions that have ended.
    Index("idx_refresh_tokens_revoked", "user_id", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
)

account_links = Table(
    "account_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the secret in the mailed link."),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("purpose", Text, nullable=False),
    created_at(),
    Column("expires_at", instant(), nullable=False),
    Column("used_at", instant()),
    CheckConstraint("purpose IN ('verify', 'reset')", name="purpose_known"),
    Index("idx_account_links_user_id", "user_id"),
)

screens = Table(
    "screens",
    metadata,
    identity(),
    club_id(),
    Column("name", Text, nullable=False),
    Column("court_ids", ARRAY(BigInteger), comment="What it shows; NULL: all courts."),
    Column("token_hash", LargeBinary, unique=True, comment="SHA-256 of its token; NULL until it has collected one."),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("approved_at", instant(), nullable=False),
    Column("last_seen_at", instant(), comment="To the minute."),
    Column("revoked_at", instant()),
    version(),
    CheckConstraint("court_ids IS NULL OR cardinality(court_ids) > 0", name="court_ids_some"),
    Index("idx_screens_club_id", "club_id"),
)

screen_pairings = Table(
    "screen_pairings",
    metadata,
    Column("code", Text, primary_key=True, comment="What the screen shows and staff types in."),
    Column("secret_hash", LargeBinary, nullable=False, comment="SHA-256 of what the screen asks for its token with."),
    Column("screen_id", BigInteger, ForeignKey("screens.id"), unique=True, comment="NULL until it is approved."),
    Column("expires_at", instant(), nullable=False),
    Index("idx_screen_pairings_expires_at", "expires_at"),
    comment="Screens that wait for their token; each row ends with the token or with its time.",
)
