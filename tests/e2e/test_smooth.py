"""Sixty courts from seven to eleven stay smooth on a slow device: twenty rows a second, the processor throttled four times."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from playwright.async_api import CDPSession, Page, expect

from tests.e2e.conftest import Browse, Site, days_ahead

COURTS = 60
ROWS = 80
PER_SECOND = 20
SLOWER = 4
LONGEST = 50
"""Milliseconds of a task that people do not feel."""

# React tells its developer tools of each commit, in production too.
COUNTER = """
window.commits = 0
window.__REACT_DEVTOOLS_GLOBAL_HOOK__ = {
  supportsFiber: true, isDisabled: false, checkDCE() {}, inject: () => 1,
  onCommitFiberRoot() { window.commits++ }, onCommitFiberUnmount() {}, onPostCommitFiberRoot() {}, onScheduleFiberRoot() {},
}
"""


async def found_courts(site: Site) -> None:
    """Make the demo club one of sixty courts."""
    async with site.client("admin") as admin:
        for number in range(7, COURTS + 1):
            body = {"name": f"Court {number}", "kind": "tennis", "surface": "hard", "indoor": True, "base_rate": 2400}
            (await admin.post("/api/admin/courts", json=body)).raise_for_status()


class Tasks:
    """How long the page's own thread was busy at a time, in milliseconds of its own processor time: what others do on the
    machine does not count."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        self._events: list[dict[str, Any]] = []
        self._done = asyncio.Event()
        session.on("Tracing.dataCollected", lambda data: self._events.extend(data["value"]))
        session.on("Tracing.tracingComplete", lambda _: self._done.set())

    async def start(self) -> None:
        categories = "toplevel,devtools.timeline,__metadata"
        await self._session.send("Tracing.start", {"transferMode": "ReportEvents", "categories": categories})

    async def stop(self) -> list[float]:
        """The longest tasks of the main thread that was busiest, longest first."""
        await self._session.send("Tracing.end")
        await self._done.wait()
        main = {
            (event["pid"], event["tid"])
            for event in self._events
            if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        spent: dict[tuple[int, int], list[float]] = {thread: [] for thread in main}
        for event in self._events:
            if event["name"].endswith("RunTask") and "tdur" in event and (event["pid"], event["tid"]) in main:
                spent[event["pid"], event["tid"]].append(event["tdur"] / 1000)
        return sorted(max(spent.values(), key=sum), reverse=True)


async def traced(page: Page, work: Any) -> list[float]:
    """The longest tasks while something is done, the processor throttled."""
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    tasks = Tasks(session)
    await tasks.start()
    await work
    return await tasks.stop()


async def test_a_row_is_one_commit_and_no_task_is_long(browse: Browse, site: Site) -> None:
    await found_courts(site)
    day = days_ahead(5)
    visitor = await browse()
    empty = await visitor.context.new_page()
    nothing = await traced(empty, asyncio.sleep(ROWS / PER_SECOND))
    await empty.close()

    page = await visitor.context.new_page()
    await page.add_init_script(COUNTER)
    heard: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    await page.goto(f"{site.url}/?date={day}")
    await expect(page.get_by_role("row")).to_have_count(COURTS + 1)
    await expect(page.locator("[data-looks='free']")).to_have_count(COURTS * 32)
    before = await page.evaluate("commits")

    async def bookings(numbers: range) -> None:
        loop = asyncio.get_running_loop()
        async with site.client("staff") as staff:
            begun = loop.time()
            for done, number in enumerate(numbers, 1):
                hour, court = divmod(number, COURTS)
                body = {
                    "court_id": court + 1,
                    "start_ts": f"{day}T{10 + hour}:00",
                    "end_ts": f"{day}T{11 + hour}:00",
                }
                (await staff.post("/api/bookings", json=body)).raise_for_status()
                await asyncio.sleep(max(0, begun + done / PER_SECOND - loop.time()))  # the rate itself
        await expect(page.locator("[data-looks='booked']")).to_have_count(numbers.stop)

    # Twice, and the better one counts: what is slow by itself is slow both times, a busy machine's caches are not.
    busy = min([await traced(page, bookings(half)) for half in (range(ROWS // 2), range(ROWS // 2, ROWS))])
    rows = sum(json.loads(frame)["t"] == "row" for frame in heard)
    commits = await page.evaluate("commits") - before
    said = f"{rows} rows, {commits} commits; longest tasks {busy[:3]} ms, of an empty page {nothing[:3]} ms"
    assert ROWS / 2 < rows <= ROWS, said
    assert commits <= rows + 1, said  # the clock moves the now-line within these seconds at most once
    assert busy[0] <= LONGEST + nothing[0], said
