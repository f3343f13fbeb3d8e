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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
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
    Column("last_seen_at", instant(), nullable=False, server_default=text("now()"), comment="Of a login or renewal."),
    Column("erase_asked_at", instant(), comment="Its owner wants to be forgotten; from then on nobody logs in."),
    Column("erased_at", instant(), comment="When nothing but the id was left."),
    Column(
        "reminders",
        ARRAY(SmallInteger),
        nullable=False,
        server_default="{24,2}",
        comment="How many hours before a booking its owner is reminded of it.",
    ),
    CheckConstraint("reminders <@ '{24,2}'::smallint[]", name="reminders_known"),
    Index("idx_users_email", text("lower(email)")),
    Index("idx_users_erase_asked_at", "erase_asked_at", postgresql_where=text("erase_asked_at IS NOT NULL")),
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

calendar_feeds = Table(
    "calendar_feeds",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the secret in the feed's address."),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False, comment="Whose it is."),
    Column("court_id", BigInteger, ForeignKey("courts.id"), comment="What staff look at; NULL: one's own bookings."),
    created_at(),
    UniqueConstraint("user_id", "court_id", name="calendar_feeds_user_id_key", postgresql_nulls_not_distinct=True),
    comment="Private addresses of calendars; a new one takes the place of the old one.",
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

totp = Table(
    "totp",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), primary_key=True),
    Column("secret", Text, nullable=False, comment="Base32, sealed."),
    Column("sealed_by", Text, comment="Name of the key; NULL: not sealed."),
    created_at(),
    Column("confirmed_at", instant(), comment="NULL: begun, and not asked for yet."),
    Column("last_step", BigInteger, nullable=False, server_default="0", comment="Of the newest code that was taken."),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", instant()),
    comment="Second factors: codes by time (RFC 6238).",
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("code_hash", LargeBinary, nullable=False, comment="SHA-256 of the code."),
    Column("used_at", instant()),
    PrimaryKeyConstraint("user_id", "code_hash"),
    comment="What lets somebody in whose second factor is lost, once each.",
)

api_keys = Table(
    "api_keys",
    metadata,
    identity(),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False, comment="For whom it acts."),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, comment="How its owner tells it from others."),
    Column("key_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key."),
    Column("scopes", ARRAY(Text), nullable=False, comment="server.edge.scopes"),
    created_at(),
    Column("expires_at", instant(), nullable=False),
    Column("last_used_at", instant(), comment="To the minute."),
    Column("revoked_at", instant()),
    CheckConstraint("cardinality(scopes) > 0", name="scopes_some"),
    Index("idx_api_keys_user_id", "user_id"),
    comment="Keys of scripts and partners; each acts for its owner, within its scopes.",
)
