"""What must hold in the data of every club at every moment, asked of a whole database: a restored one, say.

The constraints and triggers hold it too. These questions find what got past them: a constraint that was missing, rows
that came from elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from server.sql.connection import Connection

LIST_DOUBLE_BOOKINGS = """
WITH ordered AS (
    SELECT id, resource_id, during, kind,
           max(upper(during)) FILTER (WHERE kind <> 'closed') OVER before AS taken_until,
           max(upper(during)) FILTER (WHERE kind = 'closed') OVER before AS closed_until
    FROM allocations
    WHERE active AND exclusive
    WINDOW before AS (
        PARTITION BY resource_id ORDER BY lower(during), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
SELECT format('resource %s %s', resource_id, during) FROM ordered
WHERE lower(during) < taken_until OR (kind <> 'closed' AND lower(during) < closed_until)
ORDER BY resource_id, during
"""
"""One pass in order of time, so that a missing index costs nothing; closures may overlap each other."""

LIST_OVERSOLD = """
SELECT format('resource %s', id) FROM resources
WHERE NOT exclusive AND pool_peak(id, tstzrange($1, 'infinity')) > quantity ORDER BY id
"""
"""From a moment on: a pool that was made smaller has had more in use before."""

LIST_UNALLOCATED = """
SELECT format('booking %s', b.id) FROM bookings AS b
WHERE b.status = 'confirmed' AND NOT EXISTS (
    SELECT FROM allocations AS a
    WHERE a.active AND a.booking_id = b.id AND a.during = tstzrange(b.start_ts, b.end_ts)
)
UNION ALL
SELECT format('allocation %s', a.id) FROM allocations AS a JOIN bookings AS b ON b.id = a.booking_id
WHERE a.active AND b.status <> 'confirmed'
"""

LIST_UNVERSIONED = """
SELECT format('resource %s on %s', a.resource_id, days.day::date)
FROM allocations AS a
JOIN clubs AS c ON c.id = a.club_id
CROSS JOIN LATERAL generate_series(
    (lower(a.during) AT TIME ZONE c.zone)::date,
    ((upper(a.during) - interval '1 microsecond') AT TIME ZONE c.zone)::date,
    interval '1 day'
) AS days (day)
LEFT JOIN resource_days AS d ON d.resource_id = a.resource_id AND d.day = days.day::date
WHERE a.active AND upper(a.during) > $1 AND coalesce(d.version, 0) < 1
"""
"""From a moment on: what is past is on no grid any more."""

LIST_UNAUDITED = """
WITH told AS (
    SELECT (payload ->> 'booking_id')::uuid AS booking_id, event_type, (payload ->> 'start_ts')::timestamptz AS start_ts
    FROM audit_events WHERE event_type IN ('confirmed', 'promoted', 'cancelled')
)
SELECT format('booking %s was never told of', b.id) FROM bookings AS b
WHERE NOT EXISTS (SELECT FROM told WHERE told.booking_id = b.id AND told.event_type <> 'cancelled')
UNION ALL
SELECT format('booking %s was cancelled untold', b.id) FROM bookings AS b
WHERE b.status = 'cancelled'
  AND NOT EXISTS (SELECT FROM told WHERE told.booking_id = b.id AND told.event_type = 'cancelled')
UNION ALL
SELECT format('booking %s is told of and missing', told.booking_id) FROM told
WHERE told.event_type <> 'cancelled' AND told.start_ts > $1
  AND NOT EXISTS (SELECT FROM bookings AS b WHERE b.id = told.booking_id)
"""

COUNT_INSTANCES = "SELECT count(*) FROM instance"

SHOWN = 3


async def list_broken(conn: Connection, moment: datetime) -> list[str]:
    """What does not hold, a sentence each with some examples; what is past is judged as of `moment`.

    Overlaps, pools used by more than they have, bookings without their allocations, resource-days without a version,
    bookings that the audit trail does not know, audited bookings that are missing.
    """
    broken = []
    for name, statement, arguments in (
        ("booked twice", LIST_DOUBLE_BOOKINGS, ()),
        ("oversold", LIST_OVERSOLD, (moment,)),
        ("bookings and allocations disagree", LIST_UNALLOCATED, ()),
        ("without a version", LIST_UNVERSIONED, (moment,)),
        ("audit trail and bookings disagree", LIST_UNAUDITED, (moment,)),
    ):
        if found := [row[0] for row in await conn.fetch(statement, *arguments)]:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            broken.append(f"{name}: {', '.join(found[:SHOWN])}{more}")
    if await conn.fetchval(COUNT_INSTANCES) != 1:
        broken.append("the row that names the grid's history is missing")
    return broken
