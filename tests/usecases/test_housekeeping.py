from __future__ import annotations

from datetime import timedelta

from server.context import Context
from server.usecases.housekeeping import clear_away
from tests.mailing import (
    add_person,
    put_out,
)


async def test_housekeeping_forgets_what_is_old_and_nothing_else(context: Context) -> None:
    user = await add_person(context.pool)
    now = context.clock()
    kept, old, parked, due = [await put_out(context.pool, "mail.reset", user_id=user, token="t") for _ in range(4)]
    pool = context.pool
    await pool.execute("UPDATE outbox SET done_at = $2 WHERE id = $1", kept, now - timedelta(days=6))
    await pool.execute("UPDATE outbox SET done_at = $2 WHERE id = $1", old, now - timedelta(days=8))
    await pool.execute("UPDATE outbox SET parked_at = $2 WHERE id = $1", parked, now - timedelta(days=8))
    for key, age in (("young", 23), ("old", 25)):
        await pool.execute(
            "INSERT INTO idempotency_keys (user_id, route, key, request_hash, status, body, created_at)"
            " VALUES ($1, 'POST /api/bookings', $2, '', 201, '', $3)",
            user,
            key,
            now - timedelta(hours=age),
        )
    for token, hours in ((b"good", 1), (b"ended", -30)):
        await pool.execute(
            "INSERT INTO account_links (token_hash, user_id, purpose, expires_at) VALUES ($1, $2, 'reset', $3)",
            token,
            user,
            now + timedelta(hours=hours),
        )

    await clear_away(context)

    assert {row["id"] for row in await pool.fetch("SELECT id FROM outbox")} == {kept, parked, due}
    assert [row["key"] for row in await pool.fetch("SELECT key FROM idempotency_keys")] == ["young"]
    assert [row["token_hash"] for row in await pool.fetch("SELECT token_hash FROM account_links")] == [b"good"]
