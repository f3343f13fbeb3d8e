"""The tables, in SQLAlchemy Core: the one description of what is stored.

Alembic compares this with the database; asyncpg statements are written against it. Every constraint has a
name, because a violation is recognised by it. What Core cannot say (triggers, functions, the epoch) stands in
the first migration, and a test compares both.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, TSTZRANGE, UUID, ExcludeConstraint

NO_DOUBLE_BOOKING = "allocations_no_double_booking"
WAITS_ONCE = "waitlist_entries_user_id_slot_hash_key"
POOL_NOT_OVERSOLD = "allocations_pool_not_oversold"
"""Raised by the trigger `allocations_pool_backstop`; not a declared constraint, but reported under this name."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "idx_%(table_name)s_%(column_0_name)s",
    }
)


def _instant() -> TIMESTAMP:
    return TIMESTAMP(timezone=True)


def _created_at() -> Column[object]:
    return Column("created_at", _instant(), nullable=False, server_default=text("now()"))


def _identity() -> Column[int]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def _version() -> Column[int]:
    """The row's version, for If-Match."""
    return Column("version", Integer, nullable=False, server_default="1")


def _club_id() -> Column[int]:
    return Column("club_id", BigInteger, ForeignKey("clubs.id"), nullable=False)


# -- the installation ---------------------------------------------------------------------------------------

instance = Table(
    "instance",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default="1"),
    Column("nonce", Text, nullable=False, comment="Renewed by a restore, so that the epoch changes."),
    CheckConstraint("id = 1", name="one_row"),
)

# -- the club -----------------------------------------------------------------------------------------------

clubs = Table(
    "clubs",
    metadata,
    _identity(),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("zone", Text, nullable=False, comment="IANA time zone."),
    Column("currency", Text, nullable=False, comment="ISO 4217."),
    Column("grid_visibility", Text, nullable=False, server_default="public"),
    Column("stacking", Text, nullable=False, server_default="additive"),
    Column("policy", JSONB, nullable=False, server_default="{}", comment="domain.catalogue.Policy"),
    Column(
        "config_version",
        BigInteger,
        nullable=False,
        server_default="1",
        comment="Grows with every change of rules, hours, prices, courts, coaches or pools.",
    ),
    _version(),
    Column("retired_at", _instant()),
    _created_at(),
    CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug_form"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_form"),
    CheckConstraint("grid_visibility IN ('public', 'members')", name="grid_visibility_known"),
    CheckConstraint("stacking IN ('additive', 'multiplicative', 'max')", name="stacking_known"),
)

resources = Table(
    "resources",
    metadata,
    _identity(),
    _club_id(),
    Column("kind", Text, nullable=False),
    Column("exclusive", Boolean, nullable=False, comment="One user at a time; false for a counted pool."),
    Column("quantity", Integer, nullable=False, server_default="1"),
    UniqueConstraint("id", "exclusive", name="resources_id_exclusive_key"),
    CheckConstraint("kind IN ('court', 'coach', 'equipment')", name="kind_known"),
    CheckConstraint("quantity >= 0 AND (NOT exclusive OR quantity = 1)", name="quantity_fits"),
    Index("idx_resources_club_id", "club_id"),
    # The exclusion constraint covers exclusive resources only, so a court that is not one could be taken twice.
    CheckConstraint("exclusive OR kind = 'equipment'", name="exclusive_fits"),
    comment="Everything bookable.",
)

courts = Table(
    "courts",
    metadata,
    _identity(),
    _club_id(),
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="The sport: tennis, padel, badminton, squash, …"),
    Column("indoor", Boolean, nullable=False),
    Column("surface", Text, nullable=False, server_default=""),
    Column("base_rate", Integer, nullable=False, comment="Minor units an hour."),
    Column("min_duration", Integer),
    Column("max_duration", Integer),
    Column("start_alignment", Integer),
    Column("position", Integer, nullable=False, server_default="0"),
    _version(),
    Column("retired_at", _instant()),
    _created_at(),
    CheckConstraint("base_rate >= 0", name="base_rate_not_negative"),
    Index("idx_courts_club_id", "club_id"),
)

court_units = Table(
    "court_units",
    metadata,
    Column("court_id", BigInteger, ForeignKey("courts.id"), nullable=False),
    Column("unit_id", BigInteger, ForeignKey("resources.id"), nullable=False),
    PrimaryKeyConstraint("court_id", "unit_id"),
    comment="What a booking of the court occupies; courts that share a unit exclude each other.",
)

coaches = Table(
    "coaches",
    metadata,
    _identity(),
    _club_id(),
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("rate", Integer, nullable=False, comment="Minor units an hour."),
    _version(),
    Column("retired_at", _instant()),
    _created_at(),
    CheckConstraint("rate >= 0", name="rate_not_negative"),
    Index("idx_coaches_club_id", "club_id"),
)

coach_hours = Table(
    "coach_hours",
    metadata,
    Column("coach_id", BigInteger, ForeignKey("coaches.id"), nullable=False),
    Column("weekday", SmallInteger, nullable=False),
    Column("opens", Integer, nullable=False),
    Column("closes", Integer, nullable=False),
    PrimaryKeyConstraint("coach_id", "weekday", "opens"),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_known"),
    CheckConstraint("opens >= 0 AND opens < 1440 AND closes > opens AND closes <= opens + 1440", name="window"),
)

coach_exceptions = Table(
    "coach_exceptions",
    metadata,
    _identity(),
    Column("coach_id", BigInteger, ForeignKey("coaches.id"), nullable=False),
    Column("day", Date, nullable=False),
    Column("opens", Integer, comment="NULL with closes: off that day."),
    Column("closes", Integer),
    UniqueConstraint("coach_id", "day", "opens", name="coach_exceptions_day_key", postgresql_nulls_not_distinct=True),
    CheckConstraint(
        "(opens IS NULL AND closes IS NULL)"
        " OR (opens >= 0 AND opens < 1440 AND closes > opens AND closes <= opens + 1440)",
        name="window",
    ),
)

equipment = Table(
    "equipment",
    metadata,
    _identity(),
    _club_id(),
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("price", Integer, nullable=False, comment="Minor units, per item and `per`."),
    Column("per", Text, nullable=False, server_default="booking"),
    _version(),
    Column("retired_at", _instant()),
    _created_at(),
    CheckConstraint("price >= 0", name="price_not_negative"),
    CheckConstraint("per IN ('booking', 'hour')", name="per_known"),
    Index("idx_equipment_club_id", "club_id"),
    comment="Counted pools; the quantity is in resources.",
)

opening_hours = Table(
    "opening_hours",
    metadata,
    Column("club_id", BigInteger, ForeignKey("clubs.id"), nullable=False),
    Column("weekday", SmallInteger, nullable=False),
    Column("opens", Integer, nullable=False, comment="Minutes from local midnight."),
    Column("closes", Integer, nullable=False, comment="Above 1440: past midnight."),
    PrimaryKeyConstraint("club_id", "weekday", "opens"),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_known"),
    CheckConstraint("opens >= 0 AND opens < 1440 AND closes > opens AND closes <= opens + 1440", name="window"),
)

opening_exceptions = Table(
    "opening_exceptions",
    metadata,
    _identity(),
    _club_id(),
    Column("day", Date, nullable=False),
    Column("opens", Integer, comment="NULL with closes: closed that day."),
    Column("closes", Integer),
    Column("reason", Text, nullable=False, server_default=""),
    UniqueConstraint("club_id", "day", "opens", name="opening_exceptions_day_key", postgresql_nulls_not_distinct=True),
    CheckConstraint(
        "(opens IS NULL AND closes IS NULL)"
        " OR (opens >= 0 AND opens < 1440 AND closes > opens AND closes <= opens + 1440)",
        name="window",
    ),
)

pricing_rules = Table(
    "pricing_rules",
    metadata,
    _identity(),
    _club_id(),
    Column("name", Text, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("indoor", Boolean),
    Column("court_ids", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("weekdays", ARRAY(SmallInteger), nullable=False, server_default="{}"),
    Column("from_minute", Integer),
    Column("to_minute", Integer),
    Column("from_date", Date),
    Column("to_date", Date),
    Column("tiers", ARRAY(Text), nullable=False, server_default="{}"),
    Column("min_lead", Integer),
    Column("max_lead", Integer),
    Column("effect", Text, nullable=False),
    Column("value", Integer, nullable=False),
    _version(),
    Column("retired_at", _instant()),
    _created_at(),
    CheckConstraint("effect IN ('percent', 'amount', 'override')", name="effect_known"),
    CheckConstraint("(from_minute IS NULL) = (to_minute IS NULL)", name="window_whole"),
    CheckConstraint("from_minute BETWEEN 0 AND 1440 AND to_minute BETWEEN 0 AND 1440", name="window_in_day"),
    CheckConstraint("from_date <= to_date", name="dates_in_order"),
    Index("idx_pricing_rules_club_id", "club_id"),
)

# -- people -------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _identity(),
    Column("email", Text, nullable=False, comment="As written by its owner; compared by lower(email)."),
    Column("name", Text, nullable=False, server_default=""),
    Column("password_hash", Text, nullable=False),
    Column("verified_at", _instant(), comment="NULL: the address is not confirmed."),
    Column("suspended_at", _instant(), comment="Shut out of the installation."),
    Column("demo", Boolean, nullable=False, server_default="false", comment="May log in on loopback only."),
    Column("operator", Boolean, nullable=False, server_default="false", comment="May found clubs, also the first."),
    Column("session_version", Integer, nullable=False, server_default="1", comment="Older tokens are refused."),
    _version(),
    _created_at(),
    Column("last_seen_at", _instant(), nullable=False, server_default=text("now()"), comment="Of a login or renewal."),
    Column("erase_asked_at", _instant(), comment="Its owner wants to be forgotten; from then on nobody logs in."),
    Column("erased_at", _instant(), comment="When nothing but the id was left."),
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
    Column("suspended_at", _instant(), comment="Books nothing in this club."),
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
    _created_at(),
    Column("expires_at", _instant(), nullable=False),
    Column("rotated_at", _instant(), comment="When it was exchanged for its successor."),
    Column("revoked_at", _instant()),
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
    _created_at(),
    Column("expires_at", _instant(), nullable=False),
    Column("used_at", _instant()),
    CheckConstraint("purpose IN ('verify', 'reset')", name="purpose_known"),
    Index("idx_account_links_user_id", "user_id"),
)

totp = Table(
    "totp",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), primary_key=True),
    Column("secret", Text, nullable=False, comment="Base32."),
    _created_at(),
    Column("confirmed_at", _instant(), comment="NULL: begun, and not asked for yet."),
    Column("last_step", BigInteger, nullable=False, server_default="0", comment="Of the newest code that was taken."),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", _instant()),
    comment="Second factors: codes by time (RFC 6238).",
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("code_hash", LargeBinary, nullable=False, comment="SHA-256 of the code."),
    Column("used_at", _instant()),
    PrimaryKeyConstraint("user_id", "code_hash"),
    comment="What lets somebody in whose second factor is lost, once each.",
)

api_keys = Table(
    "api_keys",
    metadata,
    _identity(),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False, comment="For whom it acts."),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, comment="How its owner tells it from others."),
    Column("key_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key."),
    Column("scopes", ARRAY(Text), nullable=False, comment="server.edge.scopes"),
    _created_at(),
    Column("expires_at", _instant(), nullable=False),
    Column("last_used_at", _instant(), comment="To the minute."),
    Column("revoked_at", _instant()),
    CheckConstraint("cardinality(scopes) > 0", name="scopes_some"),
    Index("idx_api_keys_user_id", "user_id"),
    comment="Keys of scripts and partners; each acts for its owner, within its scopes.",
)

# -- wall screens -------------------------------------------------------------------------------------------

screens = Table(
    "screens",
    metadata,
    _identity(),
    _club_id(),
    Column("name", Text, nullable=False),
    Column("court_ids", ARRAY(BigInteger), comment="What it shows; NULL: all courts."),
    Column("token_hash", LargeBinary, unique=True, comment="SHA-256 of its token; NULL until it has collected one."),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("approved_at", _instant(), nullable=False),
    Column("last_seen_at", _instant(), comment="To the minute."),
    Column("revoked_at", _instant()),
    _version(),
    CheckConstraint("court_ids IS NULL OR cardinality(court_ids) > 0", name="court_ids_some"),
    Index("idx_screens_club_id", "club_id"),
)

screen_pairings = Table(
    "screen_pairings",
    metadata,
    Column("code", Text, primary_key=True, comment="What the screen shows and staff types in."),
    Column("secret_hash", LargeBinary, nullable=False, comment="SHA-256 of what the screen asks for its token with."),
    Column("screen_id", BigInteger, ForeignKey("screens.id"), unique=True, comment="NULL until it is approved."),
    Column("expires_at", _instant(), nullable=False),
    Index("idx_screen_pairings_expires_at", "expires_at"),
    comment="Screens that wait for their token; each row ends with the token or with its time.",
)

# -- bookings -----------------------------------------------------------------------------------------------

series = Table(
    "series",
    metadata,
    Column("id", UUID, primary_key=True),
    _club_id(),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("recurrence", JSONB, nullable=False),
    _created_at(),
    comment="Recurring bookings.",
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", UUID, primary_key=True, comment="UUIDv7, made by the server before the first try."),
    _club_id(),
    Column("court_id", BigInteger, ForeignKey("courts.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("coach_id", BigInteger, ForeignKey("coaches.id")),
    Column("series_id", UUID, ForeignKey("series.id")),
    Column("start_ts", _instant(), nullable=False),
    Column("end_ts", _instant(), nullable=False),
    Column("status", Text, nullable=False, server_default="confirmed"),
    Column("grid_ref", Text, nullable=False, comment="The booking's name on the public grid; changes when it moves."),
    Column("equipment", JSONB, nullable=False, server_default="[]", comment="[{equipment_id, quantity}]"),
    Column("price_currency", Text, nullable=False),
    Column("price_total", BigInteger, nullable=False, comment="Minor units."),
    Column("price_lines", JSONB, nullable=False, comment="[{label, amount}], adding up to the total."),
    Column("cancel_until", _instant(), nullable=False, comment="Free cancellation until then; snapshot at booking."),
    Column("late_fee_percent", Integer, nullable=False, server_default="0"),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("revision", Integer, nullable=False, server_default="0", comment="Grows with each move or cancel."),
    _created_at(),
    Column("cancelled_at", _instant()),
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
    _created_at(),
    PrimaryKeyConstraint("booking_id", "user_id"),
    CheckConstraint("state IN ('invited', 'accepted', 'declined')", name="state_known"),
    Index("idx_participants_user_id", "user_id"),
    comment="Co-players.",
)

closures = Table(
    "closures",
    metadata,
    Column("id", UUID, primary_key=True),
    _club_id(),
    Column("start_ts", _instant(), nullable=False),
    Column("end_ts", _instant(), nullable=False),
    Column("court_ids", ARRAY(BigInteger), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_by", BigInteger, ForeignKey("users.id"), nullable=False),
    _version(),
    _created_at(),
    Column("lifted_at", _instant()),
    CheckConstraint("start_ts < end_ts", name="times_in_order"),
    Index("idx_closures_club_id", "club_id", "start_ts"),
)

allocations = Table(
    "allocations",
    metadata,
    _identity(),
    _club_id(),
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
    Column("until", _instant(), comment="A hold's deadline."),
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


def _wish() -> list[Column[Any]]:
    """What somebody waits for; a waiting entry and an ended one have the same."""
    return [
        Column("id", UUID, primary_key=True),
        _club_id(),
        Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
        Column("slot_hash", Text, nullable=False, comment="domain.waitlist.slot_hash"),
        Column("court_id", BigInteger, ForeignKey("courts.id"), comment="NULL: any court of the kind."),
        Column("kind", Text, comment="The sport, where any court of it will do."),
        Column("start_ts", _instant(), nullable=False),
        Column("end_ts", _instant(), nullable=False),
        Column("coach_id", BigInteger, ForeignKey("coaches.id")),
        Column("equipment", JSONB, nullable=False, server_default="[]", comment="[{equipment_id, quantity}]"),
        Column("auto_book", Boolean, nullable=False, comment="Book at once; otherwise offer."),
        Column("max_price", BigInteger, comment="Minor units; above it nothing is booked at once."),
        Column("not_after", _instant(), comment="Not wanted any more from then on."),
        Column(
            "priority", Integer, nullable=False, comment="Of the tier, when they joined; the larger is served first."
        ),
        _created_at(),
    ]


waitlist_entries = Table(
    "waitlist_entries",
    metadata,
    *_wish(),
    Column("held_court_id", BigInteger, ForeignKey("courts.id"), comment="The court that is held for them."),
    Column("held_ref", Text, comment="The hold's name on the grid."),
    Column("held_price", BigInteger, comment="What it costs, in minor units."),
    Column("held_until", _instant(), comment="Until when it is offered; NULL: the worker has yet to book or offer it."),
    CheckConstraint("num_nonnulls(court_id, kind) = 1", name="place"),
    CheckConstraint("start_ts < end_ts", name="times_in_order"),
    CheckConstraint("max_price >= 0 AND (auto_book OR max_price IS NULL)", name="max_price_fits"),
    CheckConstraint(
        "num_nonnulls(held_court_id, held_ref, held_price) IN (0, 3) AND (held_until IS NULL OR held_ref IS NOT NULL)",
        name="hold_whole",
    ),
    UniqueConstraint("user_id", "slot_hash", name=WAITS_ONCE),
    Index("idx_waitlist_slot_hash", "slot_hash", "created_at"),
    Index("idx_waitlist_entries_club_id", "club_id", "start_ts"),
    comment="Who waits. Whoever waits no more is in waitlist_history.",
)

waitlist_history = Table(
    "waitlist_history",
    metadata,
    *_wish(),
    Column("outcome", Text, nullable=False),
    Column("ended_at", _instant(), nullable=False),
    Column("booking_id", UUID, ForeignKey("bookings.id"), comment="What they got, or what closed the entry."),
    CheckConstraint("outcome IN ('promoted', 'left', 'expired', 'closed')", name="outcome_known"),
    Index("idx_waitlist_history_user_id", "user_id", "ended_at"),
    comment="Entries that have ended.",
)

ledger = Table(
    "ledger",
    metadata,
    _identity(),
    _club_id(),
    Column("booking_id", UUID, ForeignKey("bookings.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="Minor units; what is owed to the club is positive."),
    Column("currency", Text, nullable=False),
    _created_at(),
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
    _created_at(),
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
    _created_at(),
    Column("run_at", _instant(), nullable=False, server_default=text("now()")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column(
        "unknown", Integer, nullable=False, server_default="0", comment="Attempts begun whose outcome nobody knows."
    ),
    Column("lease", UUID),
    Column("leased_until", _instant()),
    Column("done_at", _instant()),
    Column("parked_at", _instant()),
    Column("last_error", Text),
    Index("idx_outbox_due", "run_at", postgresql_where=text("done_at IS NULL AND parked_at IS NULL")),
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
    _created_at(),
    PrimaryKeyConstraint("user_id", "route", "key"),
    Index("idx_idempotency_keys_created_at", "created_at"),
)
