"""The desk: all that is asked of one club at a time is settled together, in one transaction.

Requests that wait while a batch is in flight form the next batch; one alone is a batch of one and never waits for
company. A batch locks, reads, decides (`domain.daybook.settle`), writes and commits; see DESIGN 3.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import asyncpg
import structlog

from server import metrics, tracing
from server.context import Context
from server.domain import errors
from server.domain.bookings import Accepted, Outcome, Replay, Request
from server.domain.effects import Settlement
from server.domain.errors import Refusal, Unavailable
from server.domain.footprint import footprint_of
from server.sql import desk as sql
from server.sql.connection import OUT_OF_REACH, acquire
from server.sql.schema import NO_DOUBLE_BOOKING, POOL_NOT_OVERSOLD
from server.usecases.batch import Attempt, LocksBlocked
from server.usecases.catalogue import Catalogues
from server.usecases.lone import Known

log = structlog.get_logger(__name__)

MAX_BATCH = 64
MAX_WAITING = 2000
"""Requests that wait at one club's desk; above this the house is full and says so at once."""
TRIES = 4
LOCK_PATIENCE = 0.25
"""Seconds that a batch waits for its locks before those behind a blocked key step aside."""
BATCH_PATIENCE = 10.0
"""Seconds, besides those for locks, after which a batch gives a silent database up. A frozen server or a dead
network says nothing, and the waiters of the next batch wait for this one."""
TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
MAY_PASS: tuple[type[Exception], ...] = (LocksBlocked, *TRANSIENT, *OUT_OF_REACH)
BACKSTOPS: dict[str, type[Refusal]] = {
    NO_DOUBLE_BOOKING: errors.SlotTaken,
    POOL_NOT_OVERSOLD: errors.EquipmentUnavailable,
}
"""Constraints that refuse what `settle` should have refused: only rows written past the desk lead here."""


class _Waiter:
    __slots__ = ("answer", "request", "trace")

    def __init__(self, request: Request, answer: asyncio.Future[Outcome]) -> None:
        self.request = request
        self.answer = answer
        self.trace = tracing.carried()

    def tell(self, outcome: Outcome | BaseException) -> None:
        if self.answer.done():
            return  # it left; what it asked for may still be done
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
            self.answer.set_exception(outcome)
            self.answer.exception()  # whoever waited may be leaving at this moment
        else:
            self.answer.set_result(outcome)


class _Lane:
    """Waiters in the order of their arrival. One batch of a lane is in flight at a time."""

    __slots__ = ("patience", "serving", "waiting")

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.serving = False
        self.waiting: deque[_Waiter] = deque()

    def next_batch(self) -> list[_Waiter]:
        batch: list[_Waiter] = []
        while self.waiting and len(batch) < MAX_BATCH:
            waiter = self.waiting.popleft()
            if not waiter.answer.done():
                batch.append(waiter)
        return batch


class Desk:
    """One club's desk in one process. One batch is in flight at a time, and one of those behind blocked locks."""

    def __init__(
        self,
        context: Context,
        catalogues: Catalogues,
        club_id: int,
        *,
        after_commit: Callable[[int, Settlement], None],
        known: Known | None,
    ) -> None:
        self._context = context
        self._catalogues = catalogues
        self._club_id = club_id
        self._after_commit = after_commit
        self._known = known
        self._longest = context.settings.db_lock_timeout_ms / 1000
        self._lane = _Lane(min(LOCK_PATIENCE, self._longest))
        self._aside = _Lane(self._longest)
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, request: Request) -> Outcome:
        """Have a request settled. Returns its outcome, a refusal included; raises what is no answer to it."""
        if len(self._lane.waiting) >= MAX_WAITING:
            raise Unavailable("Very many people are booking at this moment. Try again in a few seconds.", retry_after=2)
        waiter = _Waiter(request, asyncio.get_running_loop().create_future())
        self._put(self._lane, [waiter])
        return await waiter.answer

    @property
    def waiting(self) -> int:
        """Requests that wait for their batch."""
        return len(self._lane.waiting) + len(self._aside.waiting)

    async def close(self) -> None:
        """Wait until all that was submitted is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _put(self, lane: _Lane, waiters: Iterable[_Waiter]) -> None:
        lane.waiting.extend(waiters)
        if not lane.serving:
            lane.serving = True
            # In a context of its own: it serves many requests, and lives longer than the one that begins it.
            task = asyncio.get_running_loop().create_task(self._serve(lane), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                batch = lane.next_batch()
                if batch:
                    metrics.BATCH_SIZE.observe(len(batch))
                    await self._answer(batch, lane.patience)
        finally:
            lane.serving = False
            while lane.waiting:  # the process is ending
                lane.waiting.popleft().tell(Unavailable())

    async def _answer(self, batch: Sequence[_Waiter], patience: float) -> None:
        """Answer every waiter of a batch, or put it aside, whatever happens."""
        try:
            await self._try(batch, patience)
        except Exception as error:  # noqa: BLE001 - handed to every waiter, none may wait for ever
            for waiter in batch:
                waiter.tell(error)
        except BaseException:
            for waiter in batch:
                waiter.tell(Unavailable())
            raise

    async def _try(self, batch: Sequence[_Waiter], patience: float) -> None:
        first, *others = (waiter.trace for waiter in batch)
        try:
            with tracing.span("desk batch", parent=first, links=others, requests=len(batch), club_id=self._club_id):
                outcomes = await self._settle([waiter.request for waiter in batch], patience)
        except LocksBlocked:
            await self._step_aside(batch, patience)
        except Refusal:
            raise  # the house is closed: the same for all
        except Exception as error:
            if len(batch) > 1:
                # One of them cannot be written (rows made past the desk are in its way, or it has a value that
                # nobody expected). Alone, each meets its own fate.
                log.warning("desk_splits", club_id=self._club_id, error=type(error).__name__, batch=len(batch))
                for waiter in batch:
                    if not waiter.answer.done():
                        await self._answer([waiter], patience)
                return
            refusal = _refusal_of(error)
            if refusal is None:
                raise
            batch[0].tell(refusal)
        else:
            for waiter, outcome in zip(batch, outcomes, strict=True):
                waiter.tell(outcome)

    async def _step_aside(self, batch: Sequence[_Waiter], patience: float) -> None:
        """Let those behind a blocked lock wait on in a lane of their own, and serve the others now."""
        free, blocked = await self._sorted_out(batch)
        if patience >= self._longest:
            if not blocked:  # it was a moment ago, and that moment took all the time there is
                free, blocked = [], free
            for waiter in blocked:
                waiter.tell(Unavailable("Somebody is changing this at the moment. Try again in a few seconds."))
        elif blocked:
            self._put(self._aside, blocked)
        else:
            patience = self._longest
        if free:
            await self._answer(free, patience)

    async def _sorted_out(self, batch: Sequence[_Waiter]) -> tuple[list[_Waiter], list[_Waiter]]:
        """Those whose locks are to be had at the moment, and those whose are not.

        While staff change the club nobody's are, and there is nobody to be served instead: all count as free.
        """
        free: list[_Waiter] = []
        blocked: list[_Waiter] = []
        catalogue = await self._catalogues.by_id(self._club_id)
        try:
            async with acquire(self._context.pool) as conn, conn.transaction():
                if not await sql.lock_briefly(conn, self._club_id, (), ()):
                    return list(batch), blocked
                for waiter in batch:
                    own = footprint_of(catalogue, [waiter.request])
                    lockable = await sql.lock_briefly(conn, self._club_id, own.people, own.locks)
                    (free if lockable else blocked).append(waiter)
        except MAY_PASS as error:
            raise Unavailable from error
        return free, blocked

    # -- one transaction ---------------------------------------------------------------------------------

    async def _settle(self, requests: Sequence[Request], patience: float) -> list[Outcome]:
        """Settle a batch, repeated as a whole where the trouble may pass. Raises `LocksBlocked` or `Unavailable`."""
        in_doubt: Settlement | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience + BATCH_PATIENCE
        for left in reversed(range(TRIES)):
            attempt = Attempt(
                self._context,
                self._catalogues,
                self._club_id,
                requests,
                patience=patience,
                in_doubt=in_doubt,
                known=self._known,
            )
            try:
                with metrics.BATCH_TIME.time():
                    async with asyncio.timeout_at(deadline):
                        settlement = await attempt.run()
            except MAY_PASS as error:
                # Once COMMIT was sent the answer may have been lost: the next try looks whether it arrived. Nobody
                # may be put aside before that is known; the lost try itself may be what holds the locks.
                in_doubt = attempt.committing or in_doubt
                metrics.BATCH_TROUBLE.labels(type(error).__name__).inc()
                if isinstance(error, LocksBlocked) and in_doubt is None:
                    raise
                if not left or loop.time() >= deadline:
                    raise Unavailable from error
                log.warning("desk_retries", club_id=self._club_id, error=type(error).__name__, left=left)
            else:
                self._tell_of(settlement)
                return settlement.outcomes
            await asyncio.sleep(0.02 * (TRIES - left))
        raise AssertionError("unreachable: the last try returns or raises")

    def _tell_of(self, settlement: Settlement) -> None:
        try:
            self._after_commit(self._club_id, settlement)
        except Exception:
            # It is committed, whoever fails to hear of it.
            log.exception("desk_after_commit_failed", club_id=self._club_id)


def _refusal_of(error: Exception) -> Refusal | None:
    name = error.constraint_name if isinstance(error, asyncpg.IntegrityConstraintViolationError) else None
    refusal = BACKSTOPS.get(name or "")
    if refusal is None:
        return None
    log.error("desk_backstop", constraint=name)
    return refusal()


class Desks:
    """The desks of all clubs in this process."""

    def __init__(
        self,
        context: Context,
        catalogues: Catalogues,
        *,
        after_commit: Callable[[int, Settlement], None] = lambda _club_id, _settlement: None,
        known: Known | None = None,
    ) -> None:
        self._context = context
        self._catalogues = catalogues
        self._after_commit = after_commit
        self._known = known
        self._desks: dict[int, Desk] = {}

    def of(self, club_id: int) -> Desk:
        """The club's desk."""
        desk = self._desks.get(club_id)
        if desk is None:
            desk = Desk(self._context, self._catalogues, club_id, after_commit=self._after_commit, known=self._known)
            self._desks[club_id] = desk
        return desk

    @property
    def waiting(self) -> int:
        """Requests that wait at any of them."""
        return sum(desk.waiting for desk in self._desks.values())

    async def close(self) -> None:
        """Wait until all that was submitted is answered."""
        await asyncio.gather(*(desk.close() for desk in self._desks.values()))


def settled(outcome: Outcome) -> Accepted | Replay:
    """The granted outcome; raises a refusal."""
    if isinstance(outcome, Refusal):
        raise outcome
    if not isinstance(outcome, Accepted | Replay):
        raise Unavailable("This changed several times while you were asking. Try again.")
    return outcome
