"""Clubs: their identity, their policy and the version of their configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.domain.configuration import ClubPart
from server.sql.connection import Connection

SLUG_TAKEN = "clubs_slug_key"
"""The unique constraint on slugs; those of retired clubs stay taken."""

FETCH_CLUB = """
SELECT id, version, slug, name, zone, currency, grid_visibility, stacking, policy
FROM clubs WHERE id = $1 AND retired_at IS NULL
"""


async def fetch_club(conn: Connection, club_id: int) -> asyncpg.Record | None:
    """A club that is not retired; `policy` is plain data."""
    return await conn.fetchrow(FETCH_CLUB, club_id)


FETCH_CLUB_BY_SLUG = "SELECT id FROM clubs WHERE slug = $1"


async def fetch_club_by_slug(conn: Connection, slug: str) -> int | None:
    """The id of the club of that name, retired or not."""
    club_id: int | None = await conn.fetchval(FETCH_CLUB_BY_SLUG, slug)
    return club_id


LIST_CLUBS = """
SELECT id, version, slug, name, zone, currency, grid_visibility, stacking, policy
FROM clubs WHERE id = ANY($1::bigint[]) AND id > $2 AND retired_at IS NULL ORDER BY id LIMIT $3
"""


async def list_clubs(conn: Connection, club_ids: Sequence[int], after: int, limit: int) -> list[asyncpg.Record]:
    """Those of the clubs that are not retired, in order of id, beginning after `after`."""
    return await conn.fetch(LIST_CLUBS, club_ids, after, limit)


INSERT_CLUB = """
INSERT INTO clubs (slug, name, zone, currency, grid_visibility, stacking, policy)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id
"""


async def insert_club(conn: Connection, club: ClubPart) -> int:
    """The new club's id. Violates `SLUG_TAKEN` if there is one of that name."""
    club_id: int = await conn.fetchval(
        INSERT_CLUB, club.slug, club.name, club.zone, club.currency, club.grid_visibility, club.stacking, club.policy
    )
    return club_id


UPDATE_CLUB = """
UPDATE clubs SET slug = $2, name = $3, zone = $4, currency = $5, grid_visibility = $6, stacking = $7, policy = $8
WHERE id = $1
"""


async def update_club(conn: Connection, club_id: int, club: ClubPart) -> None:
    """Write the whole of it. Violates `SLUG_TAKEN` if another club has that name."""
    await conn.execute(
        UPDATE_CLUB,
        club_id,
        club.slug,
        club.name,
        club.zone,
        club.currency,
        club.grid_visibility,
        club.stacking,
        club.policy,
    )


UPDATE_CLUB_VERSION = "UPDATE clubs SET version = version + 1 WHERE id = $1 RETURNING version"


async def update_club_version(conn: Connection, club_id: int) -> int:
    """Count a change of the club itself or of its opening hours; the new version."""
    version: int = await conn.fetchval(UPDATE_CLUB_VERSION, club_id)
    return version


UPDATE_CONFIG_VERSION = "UPDATE clubs SET config_version = config_version + 1 WHERE id = $1"


async def update_config_version(conn: Connection, club_id: int) -> None:
    """Tell every process that its copy of the configuration is old, as of this commit."""
    await conn.execute(UPDATE_CONFIG_VERSION, club_id)


UPDATE_CLUB_RETIRED = "UPDATE clubs SET retired_at = $2, version = version + 1 WHERE id = $1"


async def update_club_retired(conn: Connection, club_id: int, now: datetime) -> None:
    """Take the club out of service; what happened in it stays."""
    await conn.execute(UPDATE_CLUB_RETIRED, club_id, now)


# Rows of resource_days are never deleted, and a version grows with the first booking or closure.
FETCH_CLUB_WAS_USED = """
SELECT EXISTS (
    SELECT FROM resources r JOIN resource_days d ON d.resource_id = r.id WHERE r.club_id = $1 AND d.version > 0
)
"""


async def fetch_club_was_used(conn: Connection, club_id: int) -> bool:
    """Whether anything was ever booked or closed in the club."""
    used: bool = await conn.fetchval(FETCH_CLUB_WAS_USED, club_id)
    return used


FETCH_ZONE_KNOWN = "SELECT now() AT TIME ZONE $1 IS NOT NULL"


async def fetch_zone_known(conn: Connection, zone: str) -> bool:
    """Whether the database knows the zone too: it computes local days. Not inside a transaction: a no is an error."""
    try:
        await conn.execute(FETCH_ZONE_KNOWN, zone)
    except asyncpg.InvalidParameterValueError:
        return False
    return True
