"""`courtside backup` and `courtside restore`. What they need of the console itself is handed in."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.settings import Settings

Run = Callable[[argparse.Namespace], int]


@dataclass(frozen=True, slots=True)
class Console:
    """The console: `on_servers` runs something with the settings that lead to the servers and gives an exit status,
    `programs` says where else pg_dump and pg_restore may be, `say` prints a sentence.
    """

    on_servers: Callable[[Callable[[Settings], Coroutine[None, None, None]]], int]
    programs: Callable[[], Sequence[Path]]
    say: Callable[[str], None]

    def add_commands(self, command: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
        """Add both, by what makes a command of a name, a function and a text."""
        saving = command("backup", self.backup, "Dump the database into BACKUP_DIR, or see whether a dump is any good.")
        saving.add_argument(
            "--verify",
            nargs="?",
            const="",
            metavar="FILE",
            help="take none: restore one (default: the newest) into a scratch database and look through it",
        )
        restoring = command(
            "restore", self.restore, "Make a new database of a backup, and begin another history of the grid."
        )
        restoring.add_argument("file", help="the .dump, its two other files beside it; or s3://bucket/….dump")
        restoring.add_argument("--into", metavar="NAME", help="of the new database (default: one with the time)")
        restoring.add_argument(
            "--swap", action="store_true", help="then let it take the present database's name; that one is kept"
        )

    def backup(self, options: argparse.Namespace) -> int:
        """Take a backup, or try one out."""
        from server.recovery.backup import take_backup  # noqa: PLC0415 - `courtside --version` answers at once
        from server.recovery.restore import verify_backup  # noqa: PLC0415 - as above

        async def take(settings: Settings) -> None:
            made = await take_backup(settings, self.programs())
            self.say(f"{made.dump} has {made.size} bytes{f', and {made.copied_to} too' if made.copied_to else ''}.")
            if made.forgotten:
                self.say(f"Older than {settings.backup_keep_days} days and deleted: {len(made.forgotten)}.")

        async def verify(settings: Settings) -> None:
            dump = Path(options.verify) if options.verify else None
            found = await verify_backup(settings, dump, self.programs())
            self.say(f"{found} can be restored and holds what it should.")

        return self.on_servers(take if options.verify is None else verify)

    def restore(self, options: argparse.Namespace) -> int:
        """Make a new database of a backup."""
        from server.recovery.restore import restore_backup  # noqa: PLC0415 - as in `backup`

        wanted: dict[str, Any] = {"into": options.into, "swap": options.swap}

        async def run(settings: Settings) -> None:
            made = await restore_backup(settings, options.file, **wanted, programs=self.programs(), say=self.say)
            self.say(f"The database {made.name} is as it was at {made.contents.taken_at:%Y-%m-%d %H:%M:%S %Z}.")
            if made.kept:
                self.say(f"The one before it is called {made.kept} now; drop it when nobody misses it.")
            elif not options.swap:
                self.say(f"Let DATABASE_URL end with /{made.name} to serve it.")

        return self.on_servers(run)
