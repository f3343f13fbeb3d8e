"""The installation, clubs, what they rent out, when and at which price."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from server.sql.tables.columns import club_id, created_at, identity, instant, metadata, version

instance = Table(
    "instance",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default="1"),
    Column("nonce", Text, nullable=False, comment="Renewed by a restore, so that the epoch changes."),
    CheckConstraint("id = 1", name="one_row"),
)

clubs = Table(
    "clubs",
    metadata,
    identity(),
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
    version(),
    Column("retired_at", instant()),
    created_at(),
    CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug_form"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_form"),
    CheckConstraint("grid_visibility IN ('public', 'members')", name="grid_visibility_known"),
    CheckConstraint("stacking IN ('additive', 'multiplicative', 'max')", name="stacking_known"),
)

resources = Table(
    "resources",
    metadata,
    identity(),
    club_id(),
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
    identity(),
    club_id(),
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
    version(),
    Column("retired_at", instant()),
    created_at(),
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
    identity(),
    club_id(),
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("rate", Integer, nullable=False, comment="Minor units an hour."),
    version(),
    Column("retired_at", instant()),
    created_at(),
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
    identity(),
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
    identity(),
    club_id(),
    Column("resource_id", BigInteger, ForeignKey("resources.id"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("price", Integer, nullable=False, comment="Minor units, per item and `per`."),
    Column("per", Text, nullable=False, server_default="booking"),
    version(),
    Column("retired_at", instant()),
    created_at(),
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
    identity(),
    club_id(),
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
    identity(),
    club_id(),
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
    version(),
    Column("retired_at", instant()),
    created_at(),
    CheckConstraint("effect IN ('percent', 'amount', 'override')", name="effect_known"),
    CheckConstraint("(from_minute IS NULL) = (to_minute IS NULL)", name="window_whole"),
    CheckConstraint("from_minute BETWEEN 0 AND 1440 AND to_minute BETWEEN 0 AND 1440", name="window_in_day"),
    CheckConstraint("from_date <= to_date", name="dates_in_order"),
    Index("idx_pricing_rules_club_id", "club_id"),
)
