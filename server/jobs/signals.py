"""What the worker's loops tell one another."""

from __future__ import annotations

import asyncio
import time


class Signals:
    """That something is due, that it is time to stop, and that a loop has done a round."""

    def __init__(self) -> None:
        self.due = asyncio.Event()
        """A mail may be."""
        self.jobs_due = asyncio.Event()
        """A job of the waitlist may be."""
        self.stopping = asyncio.Event()
        self.beats: dict[str, float] = {}
        """Loop → when it has begun or finished a round, by the monotonic clock."""

    def wake(self) -> None:
        """Have both sweepers look now."""
        self.jobs_due.set()
        self.due.set()

    def stop(self) -> None:
        self.stopping.set()
        self.wake()  # whoever waits for work is to look up

    def beat(self, loop: str) -> None:
        """A loop is alive."""
        self.beats[loop] = time.monotonic()
