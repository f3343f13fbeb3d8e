"""What is answered when a request with an Idempotency-Key is refused before it comes to the desk."""

from __future__ import annotations

from server.context import Context
from server.domain.bookings import IdempotencyKey, Replay
from server.domain.daybook import is_settled
from server.domain.effects import Answer, StoredAnswer
from server.domain.errors import IdempotencyKeyReused, InvalidRequest, Refusal
from server.sql import desk as sql
from server.sql.connection import acquire
from server.sql.locks import lock_person
from server.usecases.batch import ANSWERS_KEPT


async def first_answer(context: Context, idempotency: IdempotencyKey | None, refusal: Refusal) -> Replay:
    """What was answered under the key when it was asked first. If nothing was: store and raise the refusal.

    A slot begins, and rules change: what was granted then may be refused now, to whoever lost the answer.
    What is not well formed asked for nothing, so its key stays free, as for a body that cannot be decoded.
    """
    if idempotency is None or not is_settled(refusal.status):
        raise refusal
    key, now = idempotency.identity, context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        # The lock under which the desk looks for this user's keys: the first answer is the only one.
        await lock_person(conn, idempotency.user_id)
        known = (await sql.list_answers(conn, [key], now - ANSWERS_KEPT)).get(key)
        if known is None and not isinstance(refusal, InvalidRequest):
            answer = Answer(idempotency.request_hash, *idempotency.render(refusal))
            await sql.insert_answers(conn, [StoredAnswer(*key, answer)], now)
    if known is None:
        raise refusal
    if known.request_hash != idempotency.request_hash:
        raise IdempotencyKeyReused
    return Replay(known.status, known.body)
