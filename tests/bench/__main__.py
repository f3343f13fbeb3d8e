"""`python -m tests.bench [NAME …] [--quick]`: measure, print a table, write JSON to bench-results/."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.bench import bookings, contended, large, live, mails, outage, reads, waiting
from tests.bench.clubs import set_up
from tests.bench.load import generator
from tests.bench.parts import QUICK, THOROUGH, Part
from tests.bench.report import Report, machine
from tests.bench.stack import PROCESSES, running_stack

PARTS = {
    "bookings": Part(bookings.run, "bookings a second over HTTP ÷ pgbench"),
    "contended": Part(contended.run, "200 clients at one court-hour ÷ at 200"),
    "reads": Part(reads.run, "grid and availability ÷ a no-op handler"),
    "large": Part(large.run, "60 courts and a million old bookings ÷ the demo's size"),
    "redis": Part(outage.run, "bookings with Redis stopped and frozen ÷ up"),
    "live": Part(live.run, "rows to watchers ÷ a loop of ASGI sends, ÷ nchan; from the 201 to the last watcher"),
    "mails": Part(mails.run, "mails a second from the outbox ÷ bare aiosmtplib"),
    "waiting": Part(waiting.run, "from a cancellation to the promoted booking on a grid, beside a booking"),
}


def main() -> int:
    """Run the parts that are named, or all; 1 if something was not true that must be, whatever the speed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"Parts: {'; '.join(f'{name}: {part.about}' for name, part in PARTS.items())}.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="one short round of each, to try it; its numbers say little"
    )
    parser.add_argument("--results", type=Path, default=Path("bench-results"), metavar="FOLDER")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PARTS):
        parser.error(f"there is no part called {', '.join(sorted(unknown))}")
    report = Report(quick=options.quick, load_from=generator())
    print(
        f"{machine()['cores']} cores of {machine()['processor']}; load from {report.load_from}; {PROCESSES} server processes."
    )
    print("Rate limits are off (but in the part redis), and no worker runs, so the mails of the bookings wait.")
    with running_stack() as stack:
        report.servers = stack.versions()
        set_up(stack)
        before = len(stack.postgres_lines("ERROR:"))
        for name, part in PARTS.items():
            if not options.names or name in options.names:
                print(f"{name}: {part.about}", flush=True)
                part.run(stack, QUICK if options.quick else THOROUGH, report)
        errors = Counter(line.partition("ERROR:")[2].strip() for line in stack.postgres_lines("ERROR:")[before:])
        report.say(f"errors in the Postgres log: {dict(errors) or 'none'}")
    print(f"\n{report.table()}\n\n{report.write(options.results)}")
    for breach in report.breaches:
        print(f"BROKEN: {breach}", file=sys.stderr)
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
