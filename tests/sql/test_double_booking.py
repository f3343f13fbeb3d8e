"""The schema refuses a double booking by itself, whatever the code above it does."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from server.sql.connection import Connection
from server.sql.schema import NO_DOUBLE_BOOKING
from tests.sql.clubs import INSERT_ALLOCATION, INSERT_RESOURCE, Club

TEN = "[2031-05-14 10:00Z, 2031-05-14 11:00Z)"


def at(start: str, end: str) -> str:
    return f"[2031-05-14 {start}Z, 2031-05-14 {end}Z)"


@pytest.mark.parametrize(
    "during",
    [
        pytest.param(TEN, id="identical"),
        pytest.param(at("09:30", "10:30"), id="earlier"),
        pytest.param(at("10:30", "11:30"), id="later"),
        pytest.param(at("10:15", "10:45"), id="inside"),
        pytest.param(at("09:00", "12:00"), id="around"),
        pytest.param(at("10:59:59.999999", "12:00"), id="by one microsecond"),
        pytest.param("[2031-05-14 11:30+01:00, 2031-05-14 12:30+01:00)", id="in another offset"),
    ],
)
async def test_overlapping_bookings_of_a_court_are_refused(conn: Connection, club: Club, during: str) -> None:
    await club.book(conn, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError) as refusal:
        await club.book(conn, during)

    assert refusal.value.constraint_name == NO_DOUBLE_BOOKING


async def test_back_to_back_bookings_are_legal(conn: Connection, club: Club) -> None:
    await club.book(conn, TEN)
    await club.book(conn, at("09:00", "10:00"))
    await club.book(conn, at("11:00", "12:00"))


async def test_two_courts_are_free_of_each_other(conn: Connection, club: Club) -> None:
    await club.book(conn, TEN)
    await club.book(conn, TEN, resource=club.other_court)


async def test_what_is_cancelled_leaves_its_place_and_cannot_come_back_into_a_taken_one(
    conn: Connection, club: Club
) -> None:
    cancelled = await club.book(conn, TEN)
    await conn.execute("UPDATE allocations SET active = false WHERE id = $1", cancelled)
    await club.book(conn, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await conn.execute("UPDATE allocations SET active = true WHERE id = $1", cancelled)


async def test_closures_may_overlap_each_other(conn: Connection, club: Club) -> None:
    await club.close(conn, TEN)
    await club.close(conn, TEN)
    await club.close(conn, at("10:30", "12:00"))


async def test_a_booking_into_a_closure_is_refused(conn: Connection, club: Club) -> None:
    await club.close(conn, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await club.book(conn, at("10:30", "11:30"))


async def test_a_closure_over_a_booking_is_refused_until_the_booking_is_gone(conn: Connection, club: Club) -> None:
    booked = await club.book(conn, TEN)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await club.close(conn, at("10:30", "11:30"))

    await conn.execute("UPDATE allocations SET active = false WHERE id = $1", booked)
    await club.close(conn, at("10:30", "11:30"))


async def test_a_closure_cannot_turn_into_a_booking_beneath_another_closure(conn: Connection, club: Club) -> None:
    await club.close(conn, TEN)
    second = await club.close(conn, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await conn.execute(
            "UPDATE allocations SET kind = 'booked', closure_id = NULL, booking_id = $2 WHERE id = $1",
            second,
            club.booking,
        )


@pytest.mark.parametrize(
    "during",
    [
        "empty",
        "[2031-05-14 10:00Z, 2031-05-14 10:00Z)",
        "[2031-05-14 10:00Z,)",
        "(,2031-05-14 10:00Z)",
        "(,)",
        "[2031-05-14 10:00Z, infinity)",
        "[-infinity, 2031-05-14 10:00Z)",
        "[2031-05-14 10:00Z, 2031-05-14 11:00Z]",
        "(2031-05-14 10:00Z, 2031-05-14 11:00Z)",
        "(2031-05-14 10:00Z, 2031-05-14 11:00Z]",
    ],
)
async def test_an_allocation_is_finite_not_empty_and_half_open(conn: Connection, club: Club, during: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await club.book(conn, during)

    assert refusal.value.constraint_name == "allocations_during_finite_check"


async def test_an_allocation_cannot_be_without_a_time(conn: Connection, club: Club) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await conn.execute(INSERT_ALLOCATION, club.id, club.court, True, club.booking, None, "booked", None, 1, True)


async def test_an_allocation_is_active_or_not_and_nothing_between(conn: Connection, club: Club) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await club.book(conn, TEN, active=None)


@pytest.mark.parametrize(
    ("exclusive", "error"), [(False, asyncpg.ForeignKeyViolationError), (None, asyncpg.NotNullViolationError)]
)
async def test_an_allocation_cannot_pretend_that_a_court_is_a_pool(
    conn: Connection, club: Club, exclusive: bool | None, error: type[asyncpg.PostgresError]
) -> None:
    with pytest.raises(error):
        await conn.execute(
            INSERT_ALLOCATION, club.id, club.court, exclusive, club.booking, None, "booked", TEN, 1, True
        )


async def test_a_coach_in_use_cannot_be_turned_into_a_pool(conn: Connection, club: Club) -> None:
    resource = await conn.fetchval(INSERT_RESOURCE, club.id, "equipment", True, 1)
    await club.book(conn, TEN, resource=resource)

    with pytest.raises(asyncpg.ForeignKeyViolationError) as refusal:
        await conn.execute("UPDATE resources SET exclusive = false WHERE id = $1", resource)

    assert refusal.value.constraint_name == "allocations_resource_fkey"


@pytest.mark.parametrize("kind", ["court", "coach"])
async def test_a_court_or_coach_is_always_exclusive(conn: Connection, club: Club, kind: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await conn.fetchval(INSERT_RESOURCE, club.id, kind, False, 3)

    assert refusal.value.constraint_name == "resources_exclusive_fits_check"


@pytest.mark.parametrize(
    ("booked", "closed", "kind"),
    [(True, True, "booked"), (False, False, "booked"), (True, False, "closed"), (False, True, "booked")],
)
async def test_an_allocation_belongs_to_a_booking_or_to_a_closure(
    conn: Connection, club: Club, booked: bool, closed: bool, kind: str
) -> None:
    owners: tuple[UUID | None, UUID | None] = (club.booking if booked else None, club.closure if closed else None)

    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await conn.execute(INSERT_ALLOCATION, club.id, club.court, True, *owners, kind, TEN, 1, True)

    assert refusal.value.constraint_name == "allocations_owner_check"


@pytest.mark.parametrize(("pooled", "quantity"), [(True, 0), (True, -1), (False, 2), (False, 0)])
async def test_a_quantity_is_positive_and_one_of_what_is_exclusive(
    conn: Connection, club: Club, pooled: bool, quantity: int
) -> None:
    resource = club.pool if pooled else club.court

    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await conn.execute(
            INSERT_ALLOCATION, club.id, resource, not pooled, club.booking, None, "booked", TEN, quantity, True
        )

    assert refusal.value.constraint_name == "allocations_quantity_fits_check"


async def test_the_indexes_of_the_operations_guide_are_there(conn: Connection) -> None:
    definition = await conn.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_bookings_start_end'")

    assert definition.endswith("ON public.bookings USING btree (start_ts, end_ts) WHERE (status = 'confirmed'::text)")
    assert (
        await conn.fetch(
            "SELECT * FROM audit_events WHERE event_type = 'confirmed' AND created_at > now() - interval '24 hours'"
        )
        == []
    )
