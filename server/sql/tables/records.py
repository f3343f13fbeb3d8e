"""What changes leave behind: money, the trail, work to do, answers to repeat; and what became of backups."""

from __future__ import annotations

from sqlalchemy import (
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from server.sql.tables.columns import club_id, created_at, identity, instant, metadata

ledger = Table(
    "ledger",
    metadata,
    identity(),
    club_id(),
    Column("booking_id", UUID, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="Minor units; what is owed to the club is positive."),
    Column("currency", Text, nullable=False),
    created_at(),
    CheckConstraint("kind IN ('due', 'paid', 'refund', 'fee')", name="kind_known"),
    Index("idx_ledger_booking_id", "booking_id"),
    comment="Append-only amounts due, paid and refunded.",
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("club_id", BigInteger, comment="No foreign key: the trail outlives what it tells of."),
    Column("event_type", Text, nullable=False),
    Column("actor_id", BigInteger),
    Column("payload", JSONB, nullable=False, comment="Ids, resources and times; never an address."),
    created_at(),
    Index("idx_audit_events_type_created", "event_type", "created_at"),
    comment="Append-only: triggers refuse UPDATE, DELETE and TRUNCATE.",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("club_id", BigInteger),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    created_at(),
    Column("run_at", instant(), nullable=False, server_default=text("now()")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column(
        "unknown", Integer, nullable=False, server_default="0", comment="Attempts begun whose outcome nobody knows."
    ),
    Column("lease", UUID),
    Column("leased_until", instant()),
    Column("done_at", instant()),
    Column("parked_at", instant()),
    Column("last_error", Text),
    Index("idx_outbox_due", "run_at", postgresql_where=text("done_at IS NULL AND parked_at IS NULL")),
    Index("idx_outbox_parked", "created_at", "id", postgresql_where=text("done_at IS NULL AND parked_at IS NOT NULL")),
    comment="Work caused by a transaction, remembered in it.",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    created_at(),
    PrimaryKeyConstraint("user_id", "route", "key"),
    Index("idx_idempotency_keys_created_at", "created_at"),
)

backup_runs = Table(
    "backup_runs",
    metadata,
    identity(),
    Column("kind", Text, nullable=False, comment="Taken, or restored for trial and looked through."),
    Column("started_at", instant(), nullable=False),
    Column("finished_at", instant(), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("error", Text, comment="What is wrong, in a sentence."),
    Column("bytes", BigInteger, comment="Of the dump."),
    CheckConstraint("kind IN ('backup', 'verify')", name="kind_known"),
    CheckConstraint("ok = (error IS NULL)", name="error_fits"),
    Index("idx_backup_runs_kind", "kind", "finished_at"),
)
