"""Bookings, closures, and who has which resource when."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, UUID, ExcludeConstraint

from server.sql.tables.columns import club_id, created_at, identity, instant, metadata, version

NO_DOUBLE_BOOKING = "allocations_no_double_booking"
POOL_NOT_OVERSOLD = "allocations_pool_not_oversold"
"""Raised by the trigger `allocations_pool_backstop`; not a declared constraint, but reported under this name."""

series = Table(
    "series",
    metadata,
    Column("id", UUID, primary_key=True),
    club_id(),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("recurrence", JSONB, nullable=False),
    created_at(),
    comment="Recurring bookings.",
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", UUID, primary_key=True, comment="UUIDv7, made by the server before the first try."),
    club_id(),
    Column("court_id", BigInteger, ForeignKey("courts.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("coach_id", BigInteger, ForeignKey("coaches.id")),
    Column("series_id", UUID, ForeignKey("series.id")),
    Column("start_ts", instant(), nullable=False),
    Column("end_ts", instant(), nullable=False),
    Column("status", Text, nullable=False, server_default="confirmed"),
    Column("grid_ref", Text, nullable=False, comment="The booking's name on the public grid; changes when it moves."),
    Column("equipment", JSONB, nullable=False, server_default="[]", comment="[{equipment_id, quantity}]"),
    Column("price_currency", Text, nullable=False),
    Column("price_total", BigInteger, nullable=False, comment="Minor units."),
    Column("price_lines", JSONB, nullable=False, comment="[{label, amount}], adding up to the total."),
    Column("cancel_until", instant(), nullable=False, comment="Free cancellation until then; snapshot at booking."),
    Column("late_fee_percent", Integer, nullable=False, server_default="0"),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("revision", Integer, nullable=False, server_default="0", comment="Grows with each move or cancel."),
    created_at(),
    Column("cancelled_at", instant()),
    CheckConstraint("status IN ('confirmed', 'cancelled', 'held')", name="status_known"),
    CheckConstraint("start_ts < end_ts", name="times_in_order"),
    Index("idx_bookings_start_end", "start_ts", "end_ts", postgresql_where=text("status = 'confirmed'")),
    Index("idx_bookings_user_id", "user_id", "start_ts"),
)

participants = Table(
    "participants",
    metadata,
    Column("booking_id", UUID, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("state", Text, nullable=False, server_default="invited"),
    created_at(),
    PrimaryKeyConstraint("booking_id", "user_id"),
    CheckConstraint("state IN ('invited', 'accepted', 'declined')", name="state_known"),
    Index("idx_participants_user_id", "user_id"),
    comment="Co-players.",
)

closures = Table(
    "closures",
    metadata,
    Column("id", UUID, primary_key=True),
    club_id(),
    Column("start_ts", instant(), nullable=False),
    Column("end_ts", instant(), nullable=False),
    Column("court_ids", ARRAY(BigInteger), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    version(),
    created_at(),
    Column("lifted_at", instant()),
    CheckConstraint("start_ts < end_ts", name="times_in_order"),
    Index("idx_closures_club_id", "club_id", "start_ts"),
)

allocations = Table(
    "allocations",
    metadata,
    identity(),
    club_id(),
    Column("resource_id", BigInteger, nullable=False),
    Column("exclusive", Boolean, nullable=False),
    Column("booking_id", UUID, ForeignKey("bookings.id")),
    Column("closure_id", UUID, ForeignKey("closures.id")),
    Column("kind", Text, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("quantity", Integer, nullable=False, server_default="1"),
    Column("active", Boolean, nullable=False, server_default="true"),
    Column("ref", Text, nullable=False, comment="The cell's name on the grid."),
    Column("note", Text, comment="A closure's reason."),
    Column("until", instant(), comment="A hold's deadline."),
    Column("entry_id", UUID, comment="Whom it is held for. No foreign key: the entry ends, the allocation stays."),
    ForeignKeyConstraint(
        ["resource_id", "exclusive"], ["resources.id", "resources.exclusive"], name="allocations_resource_fkey"
    ),
    CheckConstraint("kind IN ('booked', 'coaching', 'held', 'closed')", name="kind_known"),
    CheckConstraint(
        "num_nonnulls(booking_id, closure_id, entry_id) = 1 AND (kind = 'closed') = (closure_id IS NOT NULL)"
        " AND (kind = 'held') = (entry_id IS NOT NULL)",
        name="owner",
    ),
    CheckConstraint("quantity > 0 AND (NOT exclusive OR quantity = 1)", name="quantity_fits"),
    # Without this the exclusion constraint has holes: an empty range overlaps nothing, an infinite one hides
    # a missing end, and '[]' would make back-to-back bookings clash.
    CheckConstraint(
        "NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)"
        " AND isfinite(lower(during)) AND isfinite(upper(during))"
        " AND NOT lower_inf(during) AND NOT upper_inf(during)",
        name="during_finite",
    ),
    # int8range instead of '=' because btree_gist is in no embedded build. The third element lets closures
    # overlap each other (their ranges are their own ids) and nothing else (the unbounded range meets all).
    ExcludeConstraint(
        (text("int8range(resource_id, resource_id, '[]')"), "&&"),
        (Column("during"), "&&"),
        (text("(CASE WHEN kind = 'closed' THEN int8range(id, id, '[]') ELSE int8range(NULL, NULL) END)"), "&&"),
        where=text("active AND exclusive"),
        using="gist",
        name=NO_DOUBLE_BOOKING,
    ),
    Index(
        "idx_allocations_pool",
        text("int8range(resource_id, resource_id, '[]')"),
        "during",
        postgresql_using="gist",
        postgresql_where=text("active AND NOT exclusive"),
    ),
    Index("idx_allocations_booking_id", "booking_id", postgresql_where=text("active AND booking_id IS NOT NULL")),
    Index("idx_allocations_closure_id", "closure_id", postgresql_where=text("active AND closure_id IS NOT NULL")),
    Index("idx_allocations_entry_id", "entry_id", postgresql_where=text("active AND entry_id IS NOT NULL")),
    comment="Who has which resource when. Never moved in place: a move deactivates and inserts.",
)

resource_days = Table(
    "resource_days",
    metadata,
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False),
    Column("day", Date, nullable=False, comment="Local day of the club."),
    Column("version", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("resource_id", "day"),
    comment="The lock and the version of one resource's day. No row means version 0; rows are never deleted.",
)
