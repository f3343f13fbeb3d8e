"""What becomes of what is asked of bookings, counted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache, wraps
from typing import Any, ParamSpec

from server import metrics
from server.domain import pricing
from server.domain.bookings import Accepted, Replay
from server.domain.errors import Refusal

P = ParamSpec("P")

quote = metrics.timed(metrics.PRICE_CALCULATION, pricing.quote)
"""`pricing.quote`, timed."""


def counted(
    action: str, done: str
) -> Callable[
    [Callable[P, Coroutine[Any, Any, Accepted | Replay]]], Callable[P, Coroutine[Any, Any, Accepted | Replay]]
]:
    """Count each call of a verb by its outcome: `done`, `waitlisted`, `replayed`, the code of a refusal, or `failed`."""

    def decorate(
        verb: Callable[P, Coroutine[Any, Any, Accepted | Replay]],
    ) -> Callable[P, Coroutine[Any, Any, Accepted | Replay]]:
        @wraps(verb)
        async def counting(*args: P.args, **more: P.kwargs) -> Accepted | Replay:
            outcome = "failed"
            try:
                answer = await verb(*args, **more)
                outcome = "replayed" if isinstance(answer, Replay) else "waitlisted" if answer.entry else done
            except Refusal as refusal:
                outcome = refusal.code
                raise
            finally:
                _counter(action, outcome).inc()
            return answer

        return counting

    return decorate


@lru_cache(maxsize=256)
def _counter(action: str, outcome: str) -> Any:
    return metrics.BOOKINGS.labels(action, outcome)
