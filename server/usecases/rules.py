"""Price rules: create, read, change, retire. What is booked keeps the price that it was booked at."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from server.domain.configuration import RulePart, changed_fields, check_rule
from server.domain.errors import NotFound
from server.sql import rules as sql
from server.sql.connection import acquire
from server.sql.courts import list_courts
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Change, Stored, changing, check_version

MAX_COURTS = 100_000


async def read_rule(catalogues: Catalogues, rule_id: int) -> Stored:
    """A rule of whatever club. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn:
        return _stored(await sql.fetch_rule(conn, rule_id))


async def list_rules(catalogues: Catalogues, club_id: int, after: int, limit: int) -> list[Stored]:
    """The club's rules in order of id, beginning after `after`."""
    async with acquire(catalogues.context.pool) as conn:
        return [_stored(row) for row in await sql.list_rules(conn, club_id, after, limit)]


async def create_rule(catalogues: Catalogues, actor_id: int, club_id: int, rule: RulePart) -> Stored:
    """Add a rule. Raises `InvalidRequest` with the field, `NotFound` for the club."""
    async with changing(catalogues, club_id, actor_id) as change:
        check_rule(rule, await _court_ids(change))
        rule_id = await sql.insert_rule(change.conn, club_id, rule)
        change.record("catalogue.rule_created", rule_id=rule_id, values=msgspec.to_builtins(rule))
        return _stored(await sql.fetch_rule(change.conn, rule_id))


async def change_rule(
    catalogues: Catalogues, actor_id: int, rule_id: int, version: int, fields: dict[str, Any]
) -> Stored:
    """Change some fields of a rule that is at `version`. Raises `NotFound`, `PreconditionFailed`, `InvalidRequest`."""
    before = await read_rule(catalogues, rule_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        before = _stored(await sql.fetch_rule(change.conn, rule_id))
        check_version(before.version, version)
        rule: RulePart = msgspec.structs.replace(before.part, **fields)
        changed = changed_fields(before.part, rule)
        if not changed:
            return before
        # A court of the rule may have been retired since; only courts that are named anew must exist.
        check_rule(rule, [*await _court_ids(change), *before.part.court_ids])
        await sql.update_rule(change.conn, rule_id, rule)
        change.record("catalogue.rule_changed", rule_id=rule_id, changed=changed)
        return _stored(await sql.fetch_rule(change.conn, rule_id))


async def retire_rule(catalogues: Catalogues, actor_id: int, rule_id: int, version: int) -> None:
    """Take a rule that is at `version` out of force. Raises `NotFound` or `PreconditionFailed`."""
    before = await read_rule(catalogues, rule_id)
    async with changing(catalogues, before.club_id, actor_id) as change:
        check_version(_stored(await sql.fetch_rule(change.conn, rule_id)).version, version)
        await sql.update_rule_retired(change.conn, rule_id, change.now)
        change.record("catalogue.rule_retired", rule_id=rule_id)


async def _court_ids(change: Change) -> list[int]:
    return [row["id"] for row in await list_courts(change.conn, change.club_id, 0, MAX_COURTS)]


def _stored(row: asyncpg.Record | None) -> Stored:
    if row is None:
        raise NotFound("There is no such pricing rule.")
    part = RulePart(
        name=row["name"],
        priority=row["priority"],
        indoor=row["indoor"],
        court_ids=tuple(row["court_ids"]),
        weekdays=tuple(row["weekdays"]),
        from_minute=row["from_minute"],
        to_minute=row["to_minute"],
        from_date=row["from_date"],
        to_date=row["to_date"],
        tiers=tuple(row["tiers"]),
        min_lead=row["min_lead"],
        max_lead=row["max_lead"],
        effect=row["effect"],
        value=row["value"],
    )
    return Stored(id=row["id"], club_id=row["club_id"], version=row["version"], part=part)
