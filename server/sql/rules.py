"""Price rules."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from server.domain.configuration import RulePart
from server.sql.connection import Connection

FETCH_RULE = """
SELECT id, club_id, version, name, priority, indoor, court_ids, weekdays, from_minute, to_minute, from_date, to_date,
       tiers, min_lead, max_lead, effect, value
FROM pricing_rules WHERE id = $1 AND retired_at IS NULL
"""


async def fetch_rule(conn: Connection, rule_id: int) -> asyncpg.Record | None:
    """A rule that is not retired."""
    return await conn.fetchrow(FETCH_RULE, rule_id)


LIST_RULES = """
SELECT id, club_id, version, name, priority, indoor, court_ids, weekdays, from_minute, to_minute, from_date, to_date,
       tiers, min_lead, max_lead, effect, value
FROM pricing_rules WHERE club_id = $1 AND id > $2 AND retired_at IS NULL ORDER BY id LIMIT $3
"""


async def list_rules(conn: Connection, club_id: int, after: int, limit: int) -> list[asyncpg.Record]:
    """The club's rules that are not retired, in order of id, beginning after `after`."""
    return await conn.fetch(LIST_RULES, club_id, after, limit)


INSERT_RULE = """
INSERT INTO pricing_rules (club_id, name, priority, indoor, court_ids, weekdays, from_minute, to_minute, from_date,
                           to_date, tiers, min_lead, max_lead, effect, value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING id
"""


async def insert_rule(conn: Connection, club_id: int, rule: RulePart) -> int:
    """The new rule's id."""
    rule_id: int = await conn.fetchval(INSERT_RULE, club_id, *_columns(rule))
    return rule_id


UPDATE_RULE = """
UPDATE pricing_rules
SET name = $2, priority = $3, indoor = $4, court_ids = $5, weekdays = $6, from_minute = $7, to_minute = $8,
    from_date = $9, to_date = $10, tiers = $11, min_lead = $12, max_lead = $13, effect = $14, value = $15,
    version = version + 1
WHERE id = $1
"""


async def update_rule(conn: Connection, rule_id: int, rule: RulePart) -> None:
    """Write the whole of it."""
    await conn.execute(UPDATE_RULE, rule_id, *_columns(rule))


UPDATE_RULE_RETIRED = "UPDATE pricing_rules SET retired_at = $2, version = version + 1 WHERE id = $1"


async def update_rule_retired(conn: Connection, rule_id: int, now: datetime) -> None:
    """Take the rule out of force; what was booked by it keeps its price."""
    await conn.execute(UPDATE_RULE_RETIRED, rule_id, now)


def _columns(rule: RulePart) -> tuple[object, ...]:
    return (
        rule.name,
        rule.priority,
        rule.indoor,
        rule.court_ids,
        rule.weekdays,
        rule.from_minute,
        rule.to_minute,
        rule.from_date,
        rule.to_date,
        rule.tiers,
        rule.min_lead,
        rule.max_lead,
        rule.effect,
        rule.value,
    )
