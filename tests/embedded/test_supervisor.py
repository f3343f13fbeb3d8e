from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

import pytest

from server.embedded.process import Child, EmbeddedError
from server.embedded.supervisor import MOST_DEATHS, Part, Supervisor

FOREVER = "import signal; signal.pause()"


def part(name: str, program: str, stopped: list[str], launched: Callable[[Child], None] = lambda child: None) -> Part:
    """A part that runs a Python program and writes down when it is stopped."""

    def launch() -> Child:
        child = Child([sys.executable, "-c", program], death_signal=signal.SIGKILL)
        launched(child)
        return child

    def stop() -> None:
        stopped.append(name)
        assert made.child is not None
        made.child.stop(signal.SIGTERM)

    made = Part(name=name, launch=launch, stop=stop)
    return made


def supervisor(said: list[str]) -> Supervisor:
    return Supervisor(said.append, first_pause=0.01)


async def test_a_part_that_dies_is_started_again_and_sigterm_stops_all_in_reverse_order() -> None:
    said: list[str] = []
    stopped: list[str] = []
    children: asyncio.Queue[Child] = asyncio.Queue()

    async def story(over: Supervisor) -> None:
        await over.start(part("first", FOREVER, stopped))
        await over.start(part("second", FOREVER, stopped, children.put_nowait))
        before = await children.get()
        os.kill(before.pid, signal.SIGKILL)
        after = await children.get()
        assert after.pid != before.pid
        children.put_nowait(after)
        os.kill(os.getpid(), signal.SIGTERM)

    await supervisor(said).run(story)
    assert said == ["The second ended unasked (killed by SIGKILL); it is started again."]
    assert stopped == ["second", "first"]
    assert children.get_nowait().returncode is not None


async def test_parts_that_are_started_together_are_told_to_stop_together() -> None:
    """Two server processes: who waits for an answer of the second must not wait for the first to end."""
    both = threading.Barrier(2)
    parts = [part(name, FOREVER, []) for name in ("one", "two")]

    def stop(child: Child) -> None:
        both.wait(timeout=10)
        child.stop(signal.SIGTERM)

    async def story(over: Supervisor) -> None:
        await over.start(*parts)
        for made in parts:
            assert made.child is not None
            made.stop = partial(stop, made.child)
        os.kill(os.getpid(), signal.SIGTERM)

    await supervisor([]).run(story)
    assert not both.broken


async def test_a_part_that_keeps_dying_ends_the_whole_with_a_sentence() -> None:
    stopped: list[str] = []

    async def story(over: Supervisor) -> None:
        await over.start(part("steady", FOREVER, stopped), part("frail", "raise SystemExit(7)", stopped))

    with pytest.raises(EmbeddedError, match=r"The frail ended 5 times within 60 seconds \(last exit status 7\)"):
        await supervisor([]).run(story)
    assert sorted(stopped) == ["frail", "steady"]


async def test_a_part_that_the_others_can_do_without_is_started_again_however_often_it_dies() -> None:
    said: list[str] = []
    started: asyncio.Queue[Child] = asyncio.Queue()

    async def story(over: Supervisor) -> None:
        frail = part("frail", "raise SystemExit(7)", [], started.put_nowait)
        frail.dispensable = True
        await over.start(frail)
        for _ in range(MOST_DEATHS + 2):
            await started.get()
        os.kill(os.getpid(), signal.SIGTERM)

    await Supervisor(said.append, first_pause=0).run(story)
    assert set(said) == {"The frail ended unasked (exit status 7); it is started again."}


async def test_a_part_that_the_others_can_do_without_may_fail_to_start_again_for_a_while() -> None:
    said: list[str] = []
    launches = iter([FOREVER, "raise SystemExit(2)", None, FOREVER])
    started: asyncio.Queue[Child] = asyncio.Queue()

    def launch() -> Child:
        program = next(launches)
        if program is None:
            raise OSError("no room")
        frail.child = Child([sys.executable, "-c", program], death_signal=signal.SIGKILL)
        started.put_nowait(frail.child)
        return frail.child

    frail = part("frail", FOREVER, [])
    frail.dispensable, frail.launch = True, launch

    async def story(over: Supervisor) -> None:
        await over.start(frail)
        os.kill((await started.get()).pid, signal.SIGKILL)
        await started.get()
        assert (await started.get()).returncode is None
        os.kill(os.getpid(), signal.SIGTERM)

    await supervisor(said).run(story)
    assert said == [
        "The frail ended unasked (killed by SIGKILL); it is started again.",
        "The frail ended unasked (exit status 2); it is started again.",
        "The frail cannot be started again: no room",
        "The frail ended unasked (never started); it is started again.",
    ]


@pytest.mark.parametrize("dispensable", [False, True])
async def test_a_part_that_says_it_cannot_start_is_not_tried_again(dispensable: bool) -> None:
    said: list[str] = []
    stopped: list[str] = []

    async def story(over: Supervisor) -> None:
        mistaken = part("mistaken", "raise SystemExit(2)", stopped)
        mistaken.dispensable = dispensable
        await over.start(mistaken)

    with pytest.raises(EmbeddedError, match="The mistaken cannot start"):
        await supervisor(said).run(story)
    assert said == []


async def test_a_failing_step_ends_the_whole() -> None:
    stopped: list[str] = []

    async def story(over: Supervisor) -> None:
        await over.start(part("steady", FOREVER, stopped))
        await over.run_once("The step", part("", "raise SystemExit(3)", []).launch)

    with pytest.raises(EmbeddedError, match=r"The step failed \(exit status 3\)"):
        await supervisor([]).run(story)
    assert stopped == ["steady"]


async def test_a_signal_during_a_step_stops_the_step_too() -> None:
    steps: list[Child] = []

    async def story(over: Supervisor) -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        await over.run_once("The step", part("", FOREVER, [], steps.append).launch)

    await supervisor([]).run(story)
    assert steps[0].returncode is not None
