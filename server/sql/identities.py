"""What is known of the users behind the tokens, for the identity cache of each process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.connection import Connection

# Only what changed travels: a process that knows thousands of users asks every few seconds, and nearly always
# the answer is empty. The stamp is a hash of the content and not a version, so that no writer can forget it.
LIST_STANDINGS = """
SELECT
    known.id,
    standing.stamp,
    u.id IS NOT NULL AND u.suspended_at IS NULL AS active,
    u.email,
    u.name,
    u.verified_at IS NOT NULL AS verified,
    u.session_version,
    u.operator,
    u.demo,
    factor.second_factor,
    member.memberships,
    coalesce(ended.sessions, '{}') AS ended_sessions
FROM unnest($1::bigint[], $2::bigint[]) AS known (id, stamp)
LEFT JOIN users AS u ON u.id = known.id
LEFT JOIN LATERAL (
    SELECT coalesce(
        jsonb_object_agg(
            m.club_id,
            jsonb_build_object('role', m.role, 'tier', m.tier, 'suspended', m.suspended_at IS NOT NULL)
        ), '{}'
    )::text AS memberships
    FROM memberships AS m
    WHERE m.user_id = known.id
) AS member ON true
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT r.family_id ORDER BY r.family_id) AS sessions
    FROM refresh_tokens AS r
    WHERE r.user_id = known.id AND r.revoked_at > $3
) AS ended ON true
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM totp AS t WHERE t.user_id = known.id AND t.confirmed_at IS NOT NULL
    ) AS second_factor
) AS factor
CROSS JOIN LATERAL (
    SELECT hashtextextended(
        jsonb_build_array(
            u.id, u.suspended_at, u.email, u.name, u.verified_at, u.session_version, u.operator, u.demo,
            factor.second_factor, member.memberships, ended.sessions
        )::text, 0
    ) AS stamp
) AS standing
WHERE known.stamp IS DISTINCT FROM standing.stamp
"""


async def list_standings(
    conn: Connection,
    user_ids: Sequence[int],
    stamps: Sequence[int | None],
    ended_since: datetime,
) -> list[asyncpg.Record]:
    """The users among `user_ids` whose standing differs from what the stamp beside them stands for.

    A stamp of None differs from everything. A user that does not exist comes back with `active` false.
    `ended_sessions` are the families revoked after `ended_since`; `memberships` is JSON text by club id.
    """
    rows: list[asyncpg.Record] = await conn.fetch(LIST_STANDINGS, user_ids, stamps, ended_since)
    return rows
