"""The live grid: rows to many watchers against other ways to send the same bytes, and from a booking to its watchers."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from server.embedded.process import free_port
from tests.bench import fanout, nchan
from tests.bench.clubs import BIG, PLAYERS, Club, Players, booking_requests, club_of, players_of, require_truths
from tests.bench.load import percentile, send_once
from tests.bench.parts import Pace
from tests.bench.report import Comparison, Report
from tests.bench.stack import Server, Stack, usage_of
from tests.bench.watchers import PONG, Spread, Watchers, open_control, wait_for
from tests.live.crowd import client_frame

ROOT = Path(__file__).parents[2]
LARGEST_MEMORY = 25.0
"""KiB for each watcher."""
LONGEST_MS = 100.0
STALLED_SHARE = 10
"""One in so many watchers stalls."""
IN_TIME = 4
"""So many times the rows where a tick passes between them, or the end of the last one would count for too much."""
APART = 3
"""One in so many of the rows of a sample also goes out alone."""
WARM = 50
"""Watchers that come before memory is looked at, so that what the first one brings is there."""
CREATED = b"HTTP/1.1 201"
LENGTH = len(fanout.message(fanout.FIRST).plain)


def run(stack: Stack, pace: Pace, report: Report) -> None:
    """First the sending alone, then the real server with real bookings."""
    for number, crowd in enumerate(pace.watchers):
        try:
            _send(stack, pace, report, crowd, first=number == 0)
        except RuntimeError as error:
            if "ulimit" not in str(error):
                raise
            report.say(f"live: no figures for {crowd:,} watchers: {error}")
    _send_deflated(stack, pace, report, pace.watchers[0])
    _serve(stack, pace, report, pace.watchers[0])


# -- sending alone --------------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """Deliveries a second, and the sender's processor time for one."""

    rate: float
    microseconds: float


@dataclass
class Side:
    """One way to send rows, and its watchers."""

    pid: int
    watchers: Watchers
    go: Callable[[int, int], None]
    done: Callable[[], None]
    client_costs: list[float] = field(default_factory=list)
    """Seconds of processor time that the client took for a delivery."""

    def sample(self, rows: int, *, together: int = 1, deflate: bool = False) -> Sample:
        """Have rows sent; with `deflate` their lengths are not known, so frames are counted."""
        self.watchers.drop()
        before = usage_of(self.pid).processor
        self.go(rows, together)
        if deflate:
            count = self.watchers.count_frames(rows)
        else:
            count = self.watchers.count(rows * LENGTH)
            self.client_costs.append(count.client_seconds / (rows * len(self.watchers.sockets)))
        self.done()
        return self._sample(rows, count.seconds, before)

    def sample_apart(self, rows: int) -> Sample:
        """Have rows sent, each when all watchers have the one before and have read it. Their reading does not count."""
        seconds, before = 0.0, usage_of(self.pid).processor
        for _ in range(rows):
            self.watchers.drop()
            begun = time.perf_counter()
            self.go(1, 1)
            seconds += self.watchers.all_have_something() - begun
            self.done()
        return self._sample(rows, seconds, before)

    def _sample(self, rows: int, seconds: float, processor_before: float) -> Sample:
        deliveries = rows * len(self.watchers.sockets)
        used = usage_of(self.pid).processor - processor_before
        return Sample(deliveries / seconds, used / deliveries * 1e6)


def _send(stack: Stack, pace: Pace, report: Report, crowd: int, *, first: bool) -> None:
    """Every round each side sends the same rows: each when everybody has the one before, then without a pause, and ours
    also in its own time, as the product does, and as they come in a storm."""
    rows = max(1, pace.deliveries // crowd // fanout.COURTS) * fanout.COURTS
    name = f"rows to {crowd:,} watchers"
    program = nchan.installed()
    with ExitStack() as ending:
        sides = {kind: ending.enter_context(_program(stack, kind, crowd)) for kind in ("hub", "asgi")}
        wanted = [("asgi", "a loop of ASGI sends", 2)]
        if program is not None:
            sides["nchan"] = ending.enter_context(_nchan(stack, program, crowd))
            wanted.append(("nchan", "nginx with nchan", 1))
        elif first:
            report.say("live: nginx with libnginx-mod-nchan is not installed, so it is not compared with")
        apart = {
            kind: report.compare(f"{name}, each alone", "hub", title, "/s", at_least=goal)
            for kind, title, goal in wanted
        }
        single = {
            kind: report.compare(f"{name}, never joined", "hub", title, "/s", at_least=goal)
            for kind, title, goal in wanted
        }
        paced = {
            kind: report.compare(f"{name}, at the product's pace", "hub", f"{title}, one by one", "/s", at_least=goal)
            for kind, title, goal in wanted
        }
        storm = {
            kind: report.compare(f"{name}, {fanout.COURTS} a tick", "hub", f"{title}, one by one", "/s", at_least=goal)
            for kind, title, goal in wanted
        }
        if first:
            sides["bare"] = ending.enter_context(_program(stack, "bare", crowd))
            single["bare"] = report.compare(f"{name}, never joined", "hub", "bare transport.write", "/s")
            apart["bare"] = report.compare(f"{name}, each alone", "hub", "bare transport.write", "/s")
        if pace.warm_up:
            for side in sides.values():
                side.sample(rows)
                side.client_costs.clear()
        for number in range(pace.rounds):
            order = list(sides) if number % 2 == 0 else list(sides)[::-1]
            samples = {kind: sides[kind].sample(rows) for kind in order}
            in_time = sides["hub"].sample(IN_TIME * rows, together=0)
            together = sides["hub"].sample(rows, together=fanout.COURTS)
            for figures, ours in ((single, samples["hub"]), (paced, in_time), (storm, together)):
                for kind, figure in figures.items():
                    _add(figure, ours, samples[kind])
            alone = {kind: sides[kind].sample_apart(max(1, rows // APART)) for kind in order}
            for kind, figure in apart.items():
                _add(figure, alone["hub"], alone[kind])
        cost = median(cost for side in sides.values() for cost in side.client_costs)
        report.say(
            f"live: {rows} rows of {LENGTH} bytes to each of {crowd:,} watchers; the client itself takes "
            f"{cost * 1e6:.2f} µs for one delivery, so {1 / cost:,.0f}/s is the most that it could count"
        )


def _send_deflated(stack: Stack, pace: Pace, report: Report, crowd: int) -> None:
    """As browsers ask for it: compressed once for all, against once for each."""
    rows = max(1, pace.deliveries // crowd // fanout.COURTS // 4) * fanout.COURTS
    name = f"rows to {crowd:,} watchers, permessage-deflate"
    figure = report.compare(name, "hub", "a loop of ASGI sends", "/s", at_least=2)
    with ExitStack() as ending:
        sides = [ending.enter_context(_program(stack, kind, crowd, deflate=True)) for kind in ("hub", "asgi")]
        for number in range(pace.rounds):
            order = sides if number % 2 == 0 else sides[::-1]
            samples = [side.sample(rows, deflate=True) for side in order]
            _add(figure, *(samples if number % 2 == 0 else samples[::-1]))


def _add(figure: Comparison, ours: Sample, theirs: Sample) -> None:
    costs = {"CPU µs/delivery": ours.microseconds, "reference CPU µs/delivery": theirs.microseconds}
    figure.add(ours.rate, theirs.rate, **costs)


@contextmanager
def _program(stack: Stack, kind: str, crowd: int, *, deflate: bool = False) -> Iterator[Side]:
    port = free_port()
    log = (stack.home / f"fanout-{kind}-{crowd}.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fanout", kind, str(port)], cwd=ROOT, stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait_for_port(port)
            watchers = Watchers.connect(port, crowd, "/watch", messages=1, deflate=deflate)
            control = open_control(port, "/control")
            yield Side(
                process.pid,
                watchers,
                lambda rows, together: control.sendall(client_frame([rows, together])),
                lambda: _forget(wait_for(control)),
            )
            control.close()
            watchers.close()
        finally:
            process.kill()


@contextmanager
def _nchan(stack: Stack, program: str, crowd: int) -> Iterator[Side]:
    published = fanout.FIRST
    publisher: threading.Thread | None = None
    with nchan.running_nchan(program, stack.home / f"nchan-{crowd}") as (pid, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        watchers = Watchers.connect(port, crowd, "/watch")

        def go(rows: int, _: int) -> None:
            nonlocal published, publisher
            publisher = threading.Thread(target=nchan.publish, args=(connection, fanout.text, published, rows))
            published += rows
            publisher.start()

        def done() -> None:
            if publisher is not None:
                publisher.join()

        yield Side(pid, watchers, go, done)
        connection.close()
        watchers.close()


def _forget(_: object) -> None:
    pass


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


# -- the real server ------------------------------------------------------------------------------------------


def _serve(stack: Stack, pace: Pace, report: Report, crowd: int) -> None:
    """Bookings one after another under watchers, each round on another day."""
    last = report.compare(
        f"from the 201 to the last of {crowd:,} watchers, p99", "a booking", "bare transport.write of such a row", "ms"
    )
    stalls = report.compare(
        "rows under stalled readers, p99",
        f"{crowd // STALLED_SHARE} stalled beside {crowd:,}",
        "none stalled",
        "ms",
        at_most=1.2,
    )
    stack.copy("live")
    sockets = str(2 * crowd + 1000)
    with (
        stack.serving("live", WS_MAX_PER_IP=sockets, WS_MAX_CONNECTIONS=sockets) as server,
        _program(stack, "bare", crowd) as bare,
        ExitStack() as ending,
    ):
        club, players = club_of(server, BIG), players_of(server, PLAYERS)
        club.stride = 1  # court after court, hour after hour, day after day
        _fill_a_day(server, club, players)
        days = club.days_of(1, pace.rounds)
        hello = client_frame({"t": "hello", "topics": [{"club": BIG, "date": str(day)} for day in days]})
        messages = 1 + len(days)

        def watch(count: int, **more: bool) -> Watchers:
            made = Watchers.connect(server.port, count, "/ws/grid", hello=hello, messages=messages, **more)
            ending.callback(made.close)
            return made

        plain, deflated = watch(1), watch(1, deflate=True)
        _measure_memory(server, club, report, crowd)
        watchers = watch(crowd)
        asker = ending.enter_context(socket.create_connection((server.host, server.port)))
        control = open_control(_port_of(bare), "/control")
        ending.callback(control.close)
        slowest: list[float] = []

        def book() -> list[Spread]:
            requests = booking_requests(server, club, players, pace.live_bookings)
            club.walked += pace.live_bookings
            return [watchers.after(asker, raw, CREATED) for raw in requests]

        for number in range(pace.rounds):
            club.walked = (number + 1) * club.size // club.days
            watchers.say(PONG)
            for one in (plain, deflated):
                one.say(PONG)
                one.drop()
            quiet = book()
            if number == 0:
                _say_bytes(report, plain, deflated, pace.live_bookings)
            reference = [bare.watchers.after(control, client_frame([1, 1])).last for _ in range(pace.live_bookings)]
            wait_for(control, pace.live_bookings)
            slowest += [spread.last for spread in quiet]
            last.add(_p99([spread.last for spread in quiet]), _p99(reference))
            with _stalled(server, club, crowd // STALLED_SHARE, days[number]):
                disturbed = book()
            stalls.add(_p99(_all(disturbed)), _p99(_all(quiet)))
        p99 = _p99(slowest)
        report.say(
            f"live: p99 from the 201 to the last of {crowd:,} watchers over {len(slowest)} bookings: {p99:.0f} ms "
            f"(goal ≤ {LONGEST_MS:.0f} ms: {'met' if p99 <= LONGEST_MS else 'missed'}), p50 {median(slowest) * 1000:.0f} ms"
        )
        require_truths(report, "live", server, BIG)


def _fill_a_day(server: Server, club: Club, players: Players) -> None:
    """Book the first day out, so that its grid is large."""
    count = club.size // club.days
    outcome = send_once(server.host, server.port, booking_requests(server, club, players, count))
    if outcome.statuses != {201: count}:
        raise RuntimeError(f"Bookings were answered with {outcome.statuses}.")


@contextmanager
def _stalled(server: Server, club: Club, count: int, day: date) -> Iterator[None]:
    """Readers who say hello for a full day and for the one that is booked now, and read nothing at all."""
    hello = client_frame({"t": "hello", "topics": [{"club": BIG, "date": str(one)} for one in (club.first_day, day)]})
    stalled = Watchers.connect(server.port, count, "/ws/grid", receive_buffer=4096)
    stalled.say(hello)
    try:
        yield
    finally:
        stalled.close()


def _measure_memory(server: Server, club: Club, report: Report, crowd: int) -> None:
    hello = client_frame({"t": "hello", "topics": [{"club": BIG, "date": str(club.first_day + timedelta(days=1))}]})
    with ExitStack() as ending:

        def watch(count: int) -> None:
            watchers = Watchers.connect(server.port, count, "/ws/grid", hello=hello, messages=2)
            ending.callback(watchers.close)

        watch(WARM)
        before = server.usage().memory
        watch(crowd)
        each = (server.usage().memory - before) / crowd / 1024
    report.say(
        f"live: {each:.1f} KiB of memory for each of {crowd:,} watchers (goal ≤ {LARGEST_MEMORY:.0f} KiB: "
        f"{'met' if each <= LARGEST_MEMORY else 'missed'})"
    )


def _say_bytes(report: Report, plain: Watchers, deflated: Watchers, rows: int) -> None:
    sizes = []
    for watchers in (plain, deflated):
        size, [one] = 0, watchers.sockets
        time.sleep(0.2)  # the last row is on its way to these too
        while got := _received(one):
            size += got
        sizes.append(size / rows)
    report.say(f"live: {sizes[0]:.0f} bytes on the wire for a row, {sizes[1]:.0f} with permessage-deflate")


def _received(one: socket.socket) -> int:
    try:
        return len(one.recv(65536))
    except BlockingIOError:
        return 0


def _port_of(side: Side) -> int:
    port: int = side.watchers.sockets[0].getpeername()[1]
    return port


def _all(spreads: list[Spread]) -> list[float]:
    return [arrival for spread in spreads for arrival in spread.arrivals]


def _p99(seconds: list[float]) -> float:
    """In milliseconds; not 0, so that it can be divided by."""
    return max(percentile(seconds, 99) * 1000, 0.001)
