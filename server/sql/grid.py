"""The committed state of club-days. Versions, cells and the epoch always come from one statement (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from server.domain.grid import DayState, Use
from server.domain.slots import Interval
from server.sql.connection import Connection


class DayMark(NamedTuple):
    """What tells whether a club-day has changed."""

    epoch: str
    config_version: int
    total: int
    """The sum of the versions."""
    versions: dict[int, int]
    """Resource id → version, where the sum is not the known one; else empty."""


# OFFSET 0 keeps the planner from turning the look-ups by key into a walk over everything that has this day: they
# cost the same however many clubs and years there are.
LIST_MARKS = """
SELECT t.club_id, t.day, (SELECT grid_epoch()) AS epoch, c.config_version, s.total, CASE WHEN s.total <> t.known THEN (
    SELECT array_agg(ARRAY[d.resource_id, d.version])
    FROM resources r JOIN resource_days d ON d.resource_id = r.id AND d.day = t.day
    WHERE r.club_id = t.club_id AND d.version > 0
) END AS versions
FROM unnest($1::bigint[], $2::date[], $3::bigint[]) AS t(club_id, day, known) JOIN clubs c ON c.id = t.club_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(v.version), 0)::bigint AS total
    FROM resources r CROSS JOIN LATERAL (
        SELECT d.version FROM resource_days d WHERE d.resource_id = r.id AND d.day = t.day OFFSET 0
    ) v
    WHERE r.club_id = t.club_id
) s
"""


async def list_marks(conn: Connection, known: Mapping[tuple[int, date], int]) -> dict[tuple[int, date], DayMark]:
    """The marks of these (club, day) pairs, all from one snapshot; unknown clubs are left out.

    The sum of the versions that are known of each goes along; -1 where nothing is known.
    """
    rows = await conn.fetch(LIST_MARKS, [key[0] for key in known], [key[1] for key in known], list(known.values()))
    return {(row[0], row[1]): DayMark(row[2], row[3], row[4], dict(row[5] or ())) for row in rows}


# A resource whose version is the known one gives no row at all. The LEFT JOIN makes a changed one without uses
# give one row with nulls.
LIST_CHANGED = """
WITH changed AS (
    SELECT r.id, r.exclusive, coalesce(d.version, 0) AS version
    FROM resources r
    LEFT JOIN resource_days d ON d.resource_id = r.id AND d.day = $2
    LEFT JOIN unnest($5::bigint[], $6::bigint[]) AS k(resource_id, version) ON k.resource_id = r.id
    WHERE r.club_id = $1 AND coalesce(d.version, 0) <> coalesce(k.version, 0)
)
SELECT (SELECT grid_epoch()) AS epoch, c.config_version, x.*
FROM clubs c LEFT JOIN (
    SELECT h.id, h.version, a.ref, a.kind, lower(a.during) AS start, upper(a.during) AS stop, a.quantity, a.note, a.until
    FROM changed h LEFT JOIN LATERAL (
        SELECT * FROM allocations e
        WHERE h.exclusive AND e.active AND e.exclusive
          AND int8range(e.resource_id, e.resource_id, '[]') && int8range(h.id, h.id, '[]')
          AND e.during && tstzrange($3, $4)
        UNION ALL
        SELECT * FROM allocations p
        WHERE NOT h.exclusive AND p.active AND NOT p.exclusive
          AND int8range(p.resource_id, p.resource_id, '[]') && int8range(h.id, h.id, '[]')
          AND p.during && tstzrange($3, $4)
    ) a ON true
) x ON true
WHERE c.id = $1
"""


async def fetch_day(
    conn: Connection, club_id: int, day: date, bounds: Interval, known: DayState | None
) -> DayState | None:
    """The state of a club-day; of what is at its `known` version the uses are taken from there.

    `bounds` is the day's first and last instant. `known` must be of the same epoch, or the versions mean
    something else: the caller asks again without it if the epoch that comes back differs.
    """
    versions: Mapping[int, int] = known.versions if known is not None else {}
    rows = await conn.fetch(
        LIST_CHANGED, club_id, day, bounds.start, bounds.end, list(versions.keys()), list(versions.values())
    )
    if not rows:
        return None
    new_versions = dict(versions)
    new_uses = dict(known.uses) if known is not None else {}
    changed: dict[int, list[Use]] = {}
    for row in rows:
        resource: int | None = row[2]
        if resource is None:
            continue
        uses = changed.setdefault(resource, [])
        new_versions[resource] = row[3]
        if row[4] is not None:
            uses.append(Use(row[4], row[5], row[6], row[7], row[8], row[9], row[10]))
    for resource, uses in changed.items():
        new_uses[resource] = tuple(uses)
    return DayState(
        club_id=club_id,
        day=day,
        epoch=rows[0][0],
        config_version=rows[0][1],
        versions=new_versions,
        uses=new_uses,
        total=sum(new_versions.values()),
    )
