"""Reads of the whole configuration of a club, and the version that says when it changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import date
from typing import NamedTuple, TypeVar

import msgspec

from server.domain.catalogue import Catalogue, Coach, Court, Equipment, Policy, PricingRule, Window
from server.sql.connection import Connection

Day = TypeVar("Day", bound=Hashable)


class ClubVersion(NamedTuple):
    """Which state of which database a club's configuration is in."""

    club_id: int
    slug: str
    config_version: int
    epoch: str
    """Names the database's history; a restored or failed-over one hands out old versions again."""


LIST_CLUB_VERSIONS = """
WITH history AS MATERIALIZED (SELECT grid_epoch() AS epoch)
SELECT c.id, c.slug, c.config_version, history.epoch
FROM clubs c CROSS JOIN history
WHERE c.retired_at IS NULL
ORDER BY c.id
"""


async def list_club_versions(conn: Connection) -> list[ClubVersion]:
    """Every club that is not retired, lowest id first."""
    return [ClubVersion(*row) for row in await conn.fetch(LIST_CLUB_VERSIONS)]


FETCH_CLUB_OF_COURT = "SELECT club_id FROM courts WHERE id = $1 AND retired_at IS NULL"


async def fetch_club_of_court(conn: Connection, court_id: int) -> int | None:
    """The club of a court that is not retired."""
    club_id: int | None = await conn.fetchval(FETCH_CLUB_OF_COURT, court_id)
    return club_id


# One statement, so that config_version and parts are of one snapshot. JSON is made in the database and decoded
# straight into the domain's structs.
FETCH_CATALOGUE = """
SELECT c.id, c.slug, c.name, c.zone, c.currency, c.grid_visibility, c.config_version, c.stacking,
       grid_epoch() AS epoch,
       c.policy::text AS policy,
       (SELECT coalesce(json_agg(json_build_object(
            'id', k.id, 'resource_id', k.resource_id, 'name', k.name, 'kind', k.kind, 'indoor', k.indoor,
            'surface', k.surface, 'base_rate', k.base_rate, 'min_duration', k.min_duration,
            'max_duration', k.max_duration, 'start_alignment', k.start_alignment, 'position', k.position,
            'units', (SELECT json_agg(u.unit_id ORDER BY u.unit_id) FROM court_units u WHERE u.court_id = k.id)
        ) ORDER BY k.position, k.id), '[]')::text
        FROM courts k WHERE k.club_id = c.id AND k.retired_at IS NULL) AS courts,
       (SELECT coalesce(json_agg(json_build_object(
            'id', h.id, 'resource_id', h.resource_id, 'name', h.name, 'rate', h.rate,
            'hours', (SELECT coalesce(json_agg(json_build_array(w.weekday, w.opens, w.closes)
                                               ORDER BY w.weekday, w.opens), '[]')
                      FROM coach_hours w WHERE w.coach_id = h.id),
            'exceptions', (SELECT coalesce(json_agg(json_build_array(x.day, x.opens, x.closes)
                                                    ORDER BY x.day, x.opens), '[]')
                           FROM coach_exceptions x WHERE x.coach_id = h.id)
        ) ORDER BY h.id), '[]')::text
        FROM coaches h WHERE h.club_id = c.id AND h.retired_at IS NULL) AS coaches,
       (SELECT coalesce(json_agg(json_build_object(
            'id', e.id, 'resource_id', e.resource_id, 'name', e.name, 'quantity', r.quantity,
            'price', e.price, 'per', e.per
        ) ORDER BY e.id), '[]')::text
        FROM equipment e JOIN resources r ON r.id = e.resource_id
        WHERE e.club_id = c.id AND e.retired_at IS NULL) AS equipment,
       (SELECT coalesce(json_agg(json_build_array(o.weekday, o.opens, o.closes) ORDER BY o.weekday, o.opens), '[]')::text
        FROM opening_hours o WHERE o.club_id = c.id) AS hours,
       (SELECT coalesce(json_agg(json_build_array(x.day, x.opens, x.closes) ORDER BY x.day, x.opens), '[]')::text
        FROM opening_exceptions x WHERE x.club_id = c.id) AS exceptions,
       (SELECT coalesce(json_agg(json_build_object(
            'id', p.id, 'name', p.name, 'priority', p.priority, 'indoor', p.indoor, 'court_ids', p.court_ids,
            'weekdays', p.weekdays, 'from_minute', p.from_minute, 'to_minute', p.to_minute,
            'from_date', p.from_date, 'to_date', p.to_date, 'tiers', p.tiers, 'min_lead', p.min_lead,
            'max_lead', p.max_lead, 'effect', p.effect, 'value', p.value
        ) ORDER BY p.priority, p.id), '[]')::text
        FROM pricing_rules p WHERE p.club_id = c.id AND p.retired_at IS NULL) AS rules
FROM clubs c
WHERE c.id = $1 AND (c.retired_at IS NULL OR $2)
"""


class _StoredCoach(msgspec.Struct, frozen=True):
    id: int
    resource_id: int
    name: str
    rate: int
    hours: list[tuple[int, int, int]]
    exceptions: list[tuple[date, int | None, int | None]]


_policy = msgspec.json.Decoder(Policy)
_courts = msgspec.json.Decoder(tuple[Court, ...])
_coaches = msgspec.json.Decoder(list[_StoredCoach])
_equipment = msgspec.json.Decoder(tuple[Equipment, ...])
_hours = msgspec.json.Decoder(list[tuple[int, int, int]])
_exceptions = msgspec.json.Decoder(list[tuple[date, int | None, int | None]])
_rules = msgspec.json.Decoder(tuple[PricingRule, ...])


async def fetch_catalogue(conn: Connection, club_id: int, *, even_retired: bool = False) -> Catalogue | None:
    """The club's configuration, of one snapshot.

    None if the club is unknown, or retired and not asked for all the same.
    """
    row = await conn.fetchrow(FETCH_CATALOGUE, club_id, even_retired)
    if row is None:
        return None
    return Catalogue(
        club_id=row["id"],
        slug=row["slug"],
        name=row["name"],
        zone=row["zone"],
        currency=row["currency"],
        grid_visibility=row["grid_visibility"],
        epoch=row["epoch"],
        config_version=row["config_version"],
        policy=_policy.decode(row["policy"]),
        stacking=row["stacking"],
        courts=_courts.decode(row["courts"]),
        coaches=tuple(
            Coach(
                id=coach.id,
                resource_id=coach.resource_id,
                name=coach.name,
                rate=coach.rate,
                hours=windows_by_day(coach.hours),
                exceptions=windows_by_day(coach.exceptions),
            )
            for coach in _coaches.decode(row["coaches"])
        ),
        equipment=_equipment.decode(row["equipment"]),
        hours=windows_by_day(_hours.decode(row["hours"])),
        exceptions=windows_by_day(_exceptions.decode(row["exceptions"])),
        rules=_rules.decode(row["rules"]),
    )


def windows_by_day(rows: Iterable[tuple[Day, int | None, int | None]]) -> dict[Day, tuple[Window, ...]]:
    """Windows by weekday or date; a row without times is a day without windows."""
    windows: dict[Day, tuple[Window, ...]] = {}
    for day, opens, closes in rows:
        so_far = windows.get(day, ())
        windows[day] = so_far if opens is None or closes is None else (*so_far, Window(opens, closes))
    return windows
