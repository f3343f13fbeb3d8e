"""Opening hours by week and by date. They share the version of the club's row: a change of either counts there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg
import msgspec

from server.domain.catalogue import Window
from server.domain.configuration import MAX_DATED_DAYS, DayException, check_exception, check_week
from server.domain.errors import Conflict, InvalidRequest, NotFound
from server.sql import hours as sql
from server.sql.catalogue import windows_by_day
from server.sql.clubs import fetch_club, update_club_version
from server.sql.connection import acquire
from server.usecases.catalogue import Catalogues
from server.usecases.configuration import Change, changing, check_version

Week = dict[int, tuple[Window, ...]]


async def read_week(catalogues: Catalogues, club_id: int) -> tuple[int, Week]:
    """The club's version and its week: weekday → windows. Raises `NotFound`."""
    async with acquire(catalogues.context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        club = await fetch_club(conn, club_id)
        if club is None:
            raise NotFound("There is no such club.")
        return club["version"], _week(await sql.list_opening_hours(conn, club_id))


async def change_week(
    catalogues: Catalogues, actor_id: int, club_id: int, version: int, week: Mapping[int, Sequence[Window]]
) -> tuple[int, Week]:
    """Replace the week of a club that is at `version`. What is booked stays booked.

    Raises `NotFound`, `PreconditionFailed` or `InvalidRequest`.
    """
    check_week(week, "hours")
    wanted = {day: tuple(sorted(windows)) for day, windows in sorted(week.items()) if windows}
    async with changing(catalogues, club_id, actor_id) as change:
        await _check_version(change, version)
        if _week(await sql.list_opening_hours(change.conn, club_id)) == wanted:
            return version, wanted
        await sql.delete_opening_hours(change.conn, club_id)
        await sql.insert_opening_hours(change.conn, club_id, wanted)
        change.record("catalogue.hours_changed", hours=msgspec.to_builtins(wanted, str_keys=True))
        return await update_club_version(change.conn, club_id), wanted


async def read_exception(catalogues: Catalogues, club_id: int, day: date) -> tuple[int, DayException]:
    """The club's version and the hours of one date. Raises `NotFound` if its weekday's hours hold."""
    async with acquire(catalogues.context.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        club = await fetch_club(conn, club_id)
        exceptions = _exceptions(await sql.fetch_opening_exception(conn, club_id, day))
        if club is None or day not in exceptions:
            raise NotFound("That date has the hours of its weekday.")
        return club["version"], exceptions[day]


async def list_exceptions(catalogues: Catalogues, club_id: int, after: date, limit: int) -> dict[date, DayException]:
    """The dates after `after` that have hours of their own, in order, at most `limit`."""
    async with acquire(catalogues.context.pool) as conn:
        return _exceptions(await sql.list_opening_exceptions(conn, club_id, after, limit))


async def create_exception(
    catalogues: Catalogues, actor_id: int, club_id: int, day: date, exception: DayException
) -> tuple[int, DayException]:
    """Give a date hours of its own. Raises `InvalidRequest`, or `Conflict` if it has."""
    check_exception(day, exception)
    async with changing(catalogues, club_id, actor_id) as change:
        if await sql.fetch_opening_exception(change.conn, club_id, day):
            raise Conflict("That date has hours of its own already. Change those.", field="day")
        if await sql.fetch_opening_exception_count(change.conn, club_id) >= MAX_DATED_DAYS:
            raise InvalidRequest(f"At most {MAX_DATED_DAYS} dates have hours of their own.", field="day")
        return await _write(change, "catalogue.exception_created", day, exception)


async def change_exception(
    catalogues: Catalogues, actor_id: int, club_id: int, version: int, day: date, *, exception: DayException
) -> tuple[int, DayException]:
    """Replace a date's own hours in a club that is at `version`.

    Raises `InvalidRequest`, `PreconditionFailed`, or `NotFound` if the date has none.
    """
    check_exception(day, exception)
    async with changing(catalogues, club_id, actor_id) as change:
        await _refuse_unless_dated(change, version, day)
        await sql.delete_opening_exception(change.conn, club_id, day)
        return await _write(change, "catalogue.exception_changed", day, exception)


async def remove_exception(catalogues: Catalogues, actor_id: int, club_id: int, version: int, day: date) -> None:
    """Let the weekday's hours hold on that date again, in a club that is at `version`.

    Raises `PreconditionFailed`, or `NotFound` if the date has no hours of its own.
    """
    async with changing(catalogues, club_id, actor_id) as change:
        await _refuse_unless_dated(change, version, day)
        await sql.delete_opening_exception(change.conn, club_id, day)
        await update_club_version(change.conn, club_id)
        change.record("catalogue.exception_removed", day=day.isoformat())


async def _write(change: Change, event_type: str, day: date, exception: DayException) -> tuple[int, DayException]:
    exception = msgspec.structs.replace(exception, windows=tuple(sorted(exception.windows)))
    await sql.insert_opening_exception(change.conn, change.club_id, day, exception.reason, exception.windows)
    change.record(event_type, day=day.isoformat(), windows=msgspec.to_builtins(exception.windows))
    return await update_club_version(change.conn, change.club_id), exception


async def _check_version(change: Change, version: int) -> None:
    club = await fetch_club(change.conn, change.club_id)
    check_version(club["version"] if club else 0, version)


async def _refuse_unless_dated(change: Change, version: int, day: date) -> None:
    if not await sql.fetch_opening_exception(change.conn, change.club_id, day):
        raise NotFound("That date has the hours of its weekday.")
    await _check_version(change, version)


def _week(rows: Sequence[asyncpg.Record]) -> Week:
    return windows_by_day([(row["weekday"], row["opens"], row["closes"]) for row in rows])


def _exceptions(rows: Sequence[asyncpg.Record]) -> dict[date, DayException]:
    windows = windows_by_day([(row["day"], row["opens"], row["closes"]) for row in rows])
    reasons = {row["day"]: row["reason"] for row in rows}
    return {day: DayException(windows=of_day, reason=reasons[day]) for day, of_day in windows.items()}
