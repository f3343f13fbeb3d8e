-- The reference transaction: a booking, its allocation under the exclusion constraint, an audit event, an outbox row.
-- Every client walks slots of its own, so that nobody waits for anybody and nothing aborts.
\set turn :turn + 1
\set number :first + :turn * :clients + :client_id
\set place (:number * 7919) % (60 * 16 * 365)
\set lap :number / (60 * 16 * 365)
\set court :first_court + :place % 60
\set hour 7 + (:place / 60) % 16
\set day :lap * 365 + :place / 960
BEGIN;
INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, price_currency, price_total,
    price_lines, cancel_until, created_by)
VALUES (lpad(to_hex(:number::bigint), 32, '0')::uuid, :club, :court, :player,
    timestamptz '2031-01-01 00:00Z' + make_interval(days => :day::int, hours => :hour::int),
    timestamptz '2031-01-01 01:00Z' + make_interval(days => :day::int, hours => :hour::int),
    md5(:number::text), 'GBP', 2400, '[{"label": "Court 1", "amount": 2400}]', now(), :player);
INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)
VALUES (:club, (SELECT resource_id FROM courts WHERE id = :court), true,
    lpad(to_hex(:number::bigint), 32, '0')::uuid, 'booked',
    tstzrange(timestamptz '2031-01-01 00:00Z' + make_interval(days => :day::int, hours => :hour::int),
              timestamptz '2031-01-01 01:00Z' + make_interval(days => :day::int, hours => :hour::int)),
    md5(:number::text));
INSERT INTO audit_events (id, club_id, event_type, actor_id, payload)
VALUES (lpad(to_hex(:number::bigint), 32, '0')::uuid, :club, 'confirmed', :player,
    jsonb_build_object('booking_id', lpad(to_hex(:number::bigint), 32, '0'), 'court_id', :court::bigint,
                       'user_id', :player::bigint));
INSERT INTO outbox (id, club_id, kind, payload)
VALUES (lpad(to_hex(:number::bigint), 32, '0')::uuid, :club, 'booking.confirmed',
    jsonb_build_object('booking_id', lpad(to_hex(:number::bigint), 32, '0')));
COMMIT;
