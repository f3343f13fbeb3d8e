"""What the database does by itself: the functions and triggers that SQLAlchemy Core cannot say.

`metadata.create_all` runs these too. The migrations hold frozen copies, and a test compares both results.
"""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, event

from server.sql.schema import POOL_NOT_OVERSOLD, metadata

POOL_PEAK_FUNCTION = """
CREATE FUNCTION pool_peak(pool bigint, span tstzrange) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Peak concurrent use of a pool within a span: a running sum over starts and ends, an end before a start at
    -- the same instant since intervals are half-open. The sum of all overlapping bookings would refuse legal ones.
    -- plpgsql keeps its plan (measured on Postgres 15: the trigger takes 0.13 ms a row; with LANGUAGE sql 0.31).
    RETURN (
        SELECT coalesce(max(used), 0)
        FROM (
            SELECT sum(delta) OVER (ORDER BY at, delta) AS used
            FROM allocations AS a
            CROSS JOIN LATERAL (
                VALUES (lower(a.during * span), a.quantity), (upper(a.during * span), -a.quantity)
            ) AS edge (at, delta)
            WHERE int8range(a.resource_id, a.resource_id, '[]') && int8range(pool, pool, '[]')
              AND a.during && span AND a.active AND NOT a.exclusive
        ) AS edges
    );
END
$$
"""

POOL_BACKSTOP_FUNCTION = f"""
CREATE FUNCTION pool_backstop() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    pool bigint;
    span tstzrange;
    available integer;
BEGIN
    -- The count below must see what was committed while this waited for a lock; an older snapshot oversells.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'pools can be booked at isolation level READ COMMITTED only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF TG_TABLE_NAME = 'allocations' THEN
        pool := NEW.resource_id;
        span := NEW.during;
        -- Lock in a statement of its own: a snapshot taken in the locking statement is older than the lock.
        INSERT INTO resource_days (resource_id, day)
        SELECT pool, first + step
        FROM (
            SELECT (lower(span) AT TIME ZONE c.zone)::date AS first,
                   ((upper(span) - interval '1 microsecond') AT TIME ZONE c.zone)::date AS last
            FROM resources AS r JOIN clubs AS c ON c.id = r.club_id
            WHERE r.id = pool
        ) AS days
        CROSS JOIN LATERAL generate_series(0, last - first) AS step
        ORDER BY step
        ON CONFLICT (resource_id, day) DO UPDATE SET version = resource_days.version WHERE false;
    ELSE
        pool := NEW.id;
        -- What has ended needs nothing any more.
        span := tstzrange(now(), 'infinity', '[)');
    END IF;
    -- A change of the quantity in another transaction: it waits for this lock, or this waits for it.
    SELECT quantity INTO available FROM resources WHERE id = pool FOR SHARE;
    IF pool_peak(pool, span) > available THEN
        RAISE EXCEPTION 'resource % would be used by more than its quantity', pool
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = '{POOL_NOT_OVERSOLD}',
                  TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    RETURN NULL;
END
$$
"""

POOL_BACKSTOP_TRIGGER = """
CREATE TRIGGER allocations_pool_backstop
AFTER INSERT OR UPDATE OF resource_id, exclusive, during, quantity, active ON allocations
FOR EACH ROW WHEN (NEW.active AND NOT NEW.exclusive) EXECUTE FUNCTION pool_backstop()
"""

POOL_QUANTITY_TRIGGER = """
CREATE TRIGGER resources_pool_backstop
AFTER UPDATE OF quantity ON resources
FOR EACH ROW WHEN (NEW.quantity < OLD.quantity AND NOT NEW.exclusive) EXECUTE FUNCTION pool_backstop()
"""

APPEND_ONLY_FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA, CONSTRAINT = TG_NAME;
END
$$
"""

AUDIT_APPEND_ONLY_TRIGGER = """
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

LEDGER_APPEND_ONLY_TRIGGER = """
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

GRID_EPOCH_FUNCTION = """
CREATE FUNCTION grid_epoch() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Names one history of the grid's versions. A restored or failed-over database hands out old version numbers
    -- again; only a new epoch tells. STABLE, so that it belongs to the snapshot of the statement that reads rows.
    RETURN (
        SELECT left(md5(concat_ws('/',
            (SELECT system_identifier FROM pg_control_system()),
            CASE WHEN pg_is_in_recovery()
                 THEN (SELECT lpad(upper(to_hex(timeline_id)), 8, '0') FROM pg_control_checkpoint())
                 ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END,
            (SELECT oid FROM pg_database WHERE datname = current_database()),
            nonce)), 16)
        FROM instance
    );
END
$$
"""

DESK_LOCK_FUNCTION = """
CREATE FUNCTION desk_lock(club bigint, people bigint[], resources bigint[], days date[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
BEGIN
    -- All locks of one desk batch in one statement with one deadline, always in this order: the club, people by
    -- id, resource-days by (resource, day). Nothing is written but missing rows: a request may yet be refused.
    PERFORM pg_advisory_xact_lock_shared(1, club::integer);
    FOREACH person IN ARRAY people LOOP
        PERFORM pg_advisory_xact_lock(person);
    END LOOP;
    INSERT INTO resource_days (resource_id, day)
    SELECT asked.resource_id, asked.day FROM unnest(resources, days) AS asked (resource_id, day)
    ORDER BY asked.resource_id, asked.day
    ON CONFLICT (resource_id, day) DO UPDATE SET version = resource_days.version WHERE false;
END
$$
"""

INSTANCE_ROW = "INSERT INTO instance (nonce) VALUES (replace(gen_random_uuid()::text, '-', ''))"

IN_ORDER = (
    POOL_PEAK_FUNCTION,
    POOL_BACKSTOP_FUNCTION,
    POOL_BACKSTOP_TRIGGER,
    POOL_QUANTITY_TRIGGER,
    APPEND_ONLY_FUNCTION,
    AUDIT_APPEND_ONLY_TRIGGER,
    LEDGER_APPEND_ONLY_TRIGGER,
    GRID_EPOCH_FUNCTION,
    DESK_LOCK_FUNCTION,
    INSTANCE_ROW,
)


@event.listens_for(metadata, "after_create")
def _create_guards(_target: MetaData, connection: Connection, **_: object) -> None:
    for statement in IN_ORDER:
        connection.exec_driver_sql(statement)
