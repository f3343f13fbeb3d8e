"""One supervisor for all children: it starts them in order, restarts what dies, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from server.embedded.process import Child, EmbeddedError

POLL = 0.05
MOST_DEATHS = 5
WITHIN = 60.0  # seconds
LONGEST_PAUSE = 5.0
CANNOT_START = 2
"""The exit status of a `courtside` that said in a sentence why it cannot start; to try again would not help."""


@dataclass(kw_only=True)
class Part:
    """Something that is kept running.

    `prepare` and `wait_ready` may block (they run in a thread); `launch` must not. `wait_ready` raises
    `EmbeddedError` if the child ends first. `stop` blocks until the child has ended.
    """

    name: str
    launch: Callable[[], Child]
    stop: Callable[[], None]
    prepare: Callable[[], None] = lambda: None
    wait_ready: Callable[[], None] = lambda: None
    dispensable: bool = False
    """The others go on without it: once it has run, it is started again however often it dies."""
    child: Child | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_DEATHS))


class Supervisor:
    """Keeps parts running until it is told to stop or one of them cannot be kept."""

    def __init__(self, say: Callable[[str], None], *, first_pause: float = 0.1) -> None:
        self._say = say
        self._first_pause = first_pause
        self._parts: list[list[Part]] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._passing: Child | None = None

    async def run(self, story: Callable[[Supervisor], Awaitable[None]]) -> None:
        """Let `story` start parts, keep them running until SIGINT, SIGTERM or SIGHUP, then stop them.

        Raises `EmbeddedError` if the story does, or if a part cannot be kept running; everything is stopped then.
        """
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, told.set)
        stopping: asyncio.Future[Any] = asyncio.create_task(told.wait())
        telling: asyncio.Future[None] = asyncio.ensure_future(story(self))
        try:
            waiting: set[asyncio.Future[Any]] = {stopping, telling}
            while not stopping.done():
                await asyncio.wait({*waiting, *self._keepers}, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for task in (telling, *self._keepers):
                    if task.done():
                        task.result()
                if telling.done():
                    waiting.discard(telling)
        finally:
            for task in (stopping, telling, *self._keepers):
                task.cancel()
            await asyncio.gather(stopping, telling, *self._keepers, return_exceptions=True)
            await self._stop()

    async def start(self, *parts: Part) -> None:
        """Start parts, all at once, and wait until they are ready. From then on they are kept running; in the end they
        are stopped at once too, after those that were started later."""
        together: list[Part] = []
        self._parts.append(together)
        for part in parts:
            await asyncio.to_thread(part.prepare)
            together.append(part)
            part.child = part.launch()
        for part in parts:
            try:
                await asyncio.to_thread(part.wait_ready)
            except EmbeddedError:
                self._refuse_hopeless(part)
                raise
        self._keepers += [asyncio.create_task(self._keep(part)) for part in parts]

    async def run_once(self, name: str, launch: Callable[[], Child]) -> None:
        """Run a program to its end. Raises `EmbeddedError` if it fails."""
        self._passing = child = launch()
        status = await ended(child)
        self._passing = None
        if status != 0:
            raise EmbeddedError(f"{name} failed ({described(status)}); the reason is above.")

    async def _keep(self, part: Part) -> None:
        """Restart a part whenever it dies, ever more slowly; give up when one that the others need keeps dying."""
        now = asyncio.get_running_loop().time
        while True:
            status = await ended(part.child) if part.child else None
            # At the first start it is a mistake in the settings; later, what keeps it from starting may pass.
            if not (part.dispensable and part.deaths):
                self._refuse_hopeless(part)
            part.deaths.append(now())
            often = len(part.deaths) == MOST_DEATHS and part.deaths[-1] - part.deaths[0] < WITHIN
            if often and not part.dispensable:
                raise EmbeddedError(
                    f"The {part.name} ended {MOST_DEATHS} times within {WITHIN:.0f} seconds "
                    f"(last {described(status)}), so everything is stopped."
                )
            recent = sum(death > part.deaths[-1] - WITHIN for death in part.deaths)
            pause = min(self._first_pause * 4 ** (recent - 1), LONGEST_PAUSE)
            self._say(f"The {part.name} ended unasked ({described(status)}); it is started again.")
            await asyncio.sleep(pause)
            await self._launch_again(part)

    async def _launch_again(self, part: Part) -> None:
        """Launch a part anew; one that the others can do without has no child afterwards if that fails."""
        part.child = None
        try:
            await asyncio.to_thread(part.prepare)
            part.child = part.launch()
        except (OSError, EmbeddedError) as error:  # a full disk, no memory for one more process
            sentence = f"The {part.name} cannot be started again: {error}"
            if not part.dispensable:
                raise EmbeddedError(sentence) from error
            self._say(sentence)

    def _refuse_hopeless(self, part: Part) -> None:
        if part.child is not None and part.child.returncode == CANNOT_START:
            raise EmbeddedError(f"The {part.name} cannot start; the reason is above.")

    async def _stop(self) -> None:
        if self._passing is not None:
            await asyncio.to_thread(self._passing.stop, signal.SIGTERM)
        for together in reversed(self._parts):
            await asyncio.gather(*map(_stop_part, together))


async def _stop_part(part: Part) -> None:
    try:
        await asyncio.to_thread(part.stop)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other parts must be stopped too
        print(f"The {part.name} could not be stopped: {error}", file=sys.stderr)  # noqa: T201 - nobody else tells


async def ended(child: Child) -> int:
    """Wait for the end of a child; its exit status."""
    while (status := child.returncode) is None:  # noqa: ASYNC110 - no event tells of it everywhere
        await asyncio.sleep(POLL)
    return status


def described(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "never started"
    if status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"exit status {status}"
