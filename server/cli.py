"""The console: `courtside up|serve|worker|migrate|seed|create-admin|promote|explain|backup|restore|doctor`.

Expected trouble is one sentence on stderr: exit status 2 if a setting or the machine stands in the way, 1 if
something was tried and failed.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from server import __version__
from server.embedded.postgres import programs
from server.embedded.process import Child, EmbeddedError, end_with_parent
from server.embedded.servers import EmbeddedServers, reachable, running
from server.embedded.supervisor import Part, Supervisor
from server.recovery.console import Console
from server.settings import Settings, SettingsError, environment, read_settings

FAILED = 1
CANNOT = 2
START_PATIENCE = 5.0  # seconds for a port to be freed by a server whose supervisor was just killed
DEMO_ACCOUNTS = ("admin", "staff", "player", "player2")
PLACEHOLDERS = {
    "DATABASE_URL": "postgresql://embedded",
    "REDIS_URL": "redis://embedded",
    "JWT_SECRET": "of the embedded mode, made at the first start",
}
"""What the embedded mode will fill in, so that all other settings can be checked before anything is started."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (SettingsError, EmbeddedError) as error:
        print(f"courtside: {error}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="courtside", description="Real-time court booking for sports clubs.")
    top.add_argument("--version", action="version", version=f"courtside {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    everything = command(
        "up", up, "Run everything: embedded servers where no address is set, migrations, HTTP server, worker."
    )
    everything.add_argument("--with-parent", action="store_true", help="stop when the parent process dies")
    serving = command("serve", serve, "Run the HTTP server.")
    serving.add_argument("--workers", type=int, metavar="N", help="processes (default: WORKERS, or else 1)")
    serving.add_argument("--share-port", action="store_true", help=argparse.SUPPRESS)
    command("worker", worker, "Run the worker: promotion, expiry, mail.")
    command("migrate", migrate, "Bring the database to the schema that this version needs.")
    seeding = command("seed", seed, "Fill the database with the demo club and the demo accounts.")
    seeding.add_argument("--demo", action="store_true", help="say that demo accounts with a known password are wanted")
    admin = command(
        "create-admin", create_admin, "Make an administrator; the password is asked for, or read from stdin."
    )
    admin.add_argument("email")
    admin.add_argument("--name", help="how they are called (default: the part before the @)")
    promoting = command("promote", promote, "Look through the waitlist again: hold what is free for the first in line.")
    promoting.add_argument("--club", help="its slug (default: the first club)")
    explaining = command("explain", explain, "Print what happened to a booking: audit trail, mails, grid versions.")
    explaining.add_argument("booking", help="the booking's id")
    command("reseal", reseal, "Seal all second factors with JWT_SECRET, those of JWT_SECRET_PREVIOUS too.")
    Console(_on_servers, programs, _say).add_commands(command)
    command("doctor", doctor, "Check what a machine can before a club is opened, a line each; list the rest.")
    return top


# -- up ----------------------------------------------------------------------------------------------------


def up(options: argparse.Namespace) -> int:
    """Run everything until Ctrl-C or SIGTERM."""
    if options.with_parent:
        end_with_parent()
    from server.serving import require_free_port  # noqa: PLC0415 - see `serve`

    env = environment()
    settings = read_settings({**_standins(env), **_given(env)})
    require_free_port(settings, patience=START_PATIENCE)
    servers = EmbeddedServers(env, settings.courtside_home)

    async def story(supervisor: Supervisor) -> None:
        if servers.parts():
            _say(f"Starting the embedded servers in {settings.courtside_home} …")
            await supervisor.start(*servers.parts())
            if remark := servers.remark():
                _say(remark)
        child_env = {**env, **servers.addresses(), "COURTSIDE_HOME": str(settings.courtside_home)}
        embedded = servers.postgres is not None
        await supervisor.run_once("The migration", lambda: _child(["migrate"], child_env))
        if embedded and settings.on_loopback:  # the only place where anybody may know a password
            await supervisor.run_once("The seeding", lambda: _child(["seed", "--demo"], child_env))
        servers_env = child_env | counting
        await supervisor.start(*_server_parts(settings, _processes(settings), servers_env), _worker_part(child_env))
        _say(_welcome(settings, embedded=embedded))

    with _counting_together() as counting:
        asyncio.run(Supervisor(_say).run(story))
    _say("Courtside has stopped; the data is kept.")
    return 0


def _processes(settings: Settings) -> int:
    return settings.workers or min(2, len(os.sched_getaffinity(0)))


def _server_parts(settings: Settings, count: int, env: Mapping[str, str]) -> list[Part]:
    from server.serving import GRACE, answers  # noqa: PLC0415 - see `serve`

    def part(name: str) -> Part:
        made = Part(name=name, launch=lambda: _child(["serve", "--workers=1", "--share-port"], env), stop=lambda: None)
        made.stop = lambda: _stop(made, patience=settings.drain_seconds + GRACE + 5)
        made.wait_ready = lambda: _wait_until(lambda: answers(settings), made)
        return made

    return [part("HTTP server" if count == 1 else f"HTTP server {number}") for number in range(1, count + 1)]


@contextmanager
def _counting_together() -> Iterator[dict[str, str]]:
    """What has server processes add their metrics up: each is asked for those of all. Counters begin at zero."""
    with tempfile.TemporaryDirectory(prefix="courtside-metrics-") as folder:
        yield {"PROMETHEUS_MULTIPROC_DIR": folder}


def _worker_part(env: Mapping[str, str]) -> Part:
    made = Part(name="worker", launch=lambda: _child(["worker"], env), stop=lambda: None, dispensable=True)
    made.stop = lambda: _stop(made, patience=20)
    return made


def _stop(part: Part, *, patience: float) -> None:
    if part.child is not None:
        part.child.stop(signal.SIGTERM, patience=patience)


def _child(arguments: list[str], env: Mapping[str, str]) -> Child:
    # SIGKILL if we die: nothing they hold is lost (the truth is in Postgres), and the port is free at once.
    command = [sys.executable, "-P", "-m", "server.cli", *arguments]
    return Child(command, env=dict(env), death_signal=signal.SIGKILL)


def _welcome(settings: Settings, *, embedded: bool) -> str:
    from server.serving import address  # noqa: PLC0415 - see `serve`

    lines = [f"Courtside is at {address(settings)}"]
    if embedded and settings.on_loopback:
        accounts = ", ".join(f"{name}@courtside.example" for name in DEMO_ACCOUNTS)
        lines.append(f"Demo accounts: {accounts}, user@example.com; password: courtside-demo")
    elif embedded:
        lines.append(
            f"HOST is {settings.host}, which others can reach, so the demo accounts cannot log in; "
            "make an account with `courtside create-admin`."
        )
    lines.append("Ctrl-C stops it; the data is kept.")
    return "\n".join(lines)


# -- the parts ---------------------------------------------------------------------------------------------


def serve(options: argparse.Namespace) -> int:
    """Run the HTTP server; several processes are supervised, one is this very process."""
    # Imported here, as in all commands: `courtside --version` and a wrong setting answer at once.
    from server.serving import require_free_port, serve_here  # noqa: PLC0415
    from server.sql.connection import require_database  # noqa: PLC0415

    env = _attached(environment())
    settings = read_settings(env)
    count = options.workers if options.workers is not None else settings.workers or 1
    if count < 1:
        raise SettingsError(f"--workers is {count}; set it to 1 or more.")
    if not options.share_port:
        require_free_port(settings, patience=0)
        asyncio.run(require_database(settings))
    os.environ.update(env)  # the application reads its settings when it is imported
    if count == 1:
        serve_here(settings, shared=options.share_port)
        return 0
    with _counting_together() as counting:
        parts = _server_parts(settings, count, env | counting)
        asyncio.run(Supervisor(_say).run(lambda supervisor: supervisor.start(*parts)))
    return 0


def worker(_options: argparse.Namespace) -> int:
    """Run the worker until SIGTERM."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # that of server processes; the worker answers for itself
    import uvloop  # noqa: PLC0415 - see `serve`

    from server.jobs.worker import run  # noqa: PLC0415 - see `serve`

    uvloop.run(run(read_settings(_attached(environment()))))
    return 0


def migrate(_options: argparse.Namespace) -> int:
    """Migrate the database that is set, or the embedded one."""
    from server.sql.migrate import MigrationError  # noqa: PLC0415 - see `serve`
    from server.sql.migrate import migrate as migrate_database  # noqa: PLC0415 - see `serve`

    env = environment()
    with reachable(env, _home(env)) as whole:
        try:
            _say(f"The database is at revision {migrate_database(read_settings(whole), say=_say)}.")
        except MigrationError as error:
            return _fail(error)
    return 0


def seed(options: argparse.Namespace) -> int:
    """Make the demo club and accounts, if `--demo` says so."""
    if not options.demo:
        raise SettingsError(
            "seed makes accounts whose password everybody knows; say `courtside seed --demo` if that is wanted."
        )
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.usecases.seed import seed_demo  # noqa: PLC0415 - see `serve`

    async def run(context: Context) -> None:
        await seed_demo(context)

    return _with_context(run)


def create_admin(options: argparse.Namespace) -> int:
    """Make an administrator."""
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.usecases import accounts  # noqa: PLC0415 - see `serve`

    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    name = options.name or options.email.partition("@")[0]

    async def run(context: Context) -> None:
        await accounts.create_admin(context, email=options.email, password=password, name=name)
        _say(f"{options.email} is an administrator now.")

    return _with_context(run)


def promote(options: argparse.Namespace) -> int:
    """Hold whatever is free for those who wait for it; a running worker books or offers it."""
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.usecases.waitlist import look_through  # noqa: PLC0415 - see `serve`

    async def run(context: Context) -> None:
        waiting, held = await look_through(context, options.club)
        _say(f"Waiting: {waiting}; held or offered: {held}.")

    return _with_context(run)


def explain(options: argparse.Namespace) -> int:
    """Print a booking's history."""
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.usecases.history import tell_history  # noqa: PLC0415 - see `serve`

    async def run(context: Context) -> None:
        for line in await tell_history(context, options.booking):
            _say(line)

    return _with_context(run)


def reseal(_options: argparse.Namespace) -> int:
    """Seal second factors with today's key."""
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.usecases import sealing  # noqa: PLC0415 - see `serve`

    async def run(context: Context) -> None:
        while await sealing.reseal(context, limit=1000):
            pass
        _say("All second factors that could be opened are sealed with JWT_SECRET.")

    return _with_context(run)


def doctor(_options: argparse.Namespace) -> int:
    """Check the installation."""
    from server.doctor import FOR_PEOPLE, Finding, examine  # noqa: PLC0415 - see `serve`

    env = environment()
    with reachable(env, _home(env), make=False) as whole:
        settings = read_settings(whole)
        found = asyncio.run(examine(settings, processes=_processes(settings) + 1))
    for finding in (Finding("settings"), *found):
        print(
            f"{'FAILED' if finding.trouble else 'ok    '}  {finding.name}{f': {finding.trouble}' if finding.trouble else ''}"
        )
    print(
        "For people to say, before a club is opened to the public:", *(f"[ ] {line}" for line in FOR_PEOPLE), sep="\n"
    )
    return FAILED if any(finding.trouble for finding in found) else 0


# -- what they share ---------------------------------------------------------------------------------------


def _with_context(run: Callable[..., Awaitable[None]]) -> int:
    """Run a use case with a context of its own on the database that is set, or the embedded one."""
    from server.context import Context  # noqa: PLC0415 - see `serve`
    from server.live.redis import create_redis  # noqa: PLC0415 - see `serve`
    from server.sql.connection import create_pool  # noqa: PLC0415 - see `serve`

    async def within(settings: Settings) -> None:
        async with await create_pool(settings, size=2) as pool:
            redis = create_redis(settings)
            try:
                await run(Context(settings, pool, redis))
            finally:
                await redis.aclose()

    return _on_servers(within)


def _on_servers(run: Callable[[Settings], Coroutine[None, None, None]]) -> int:
    """Run something with the settings that lead to the servers that are set, or to the embedded ones."""
    from server.domain.errors import Refusal  # noqa: PLC0415 - see `serve`
    from server.recovery.programs import RecoveryError  # noqa: PLC0415 - see `serve`
    from server.sql.connection import OUT_OF_REACH  # noqa: PLC0415 - see `serve`

    env = environment()
    with reachable(env, _home(env)) as whole:
        try:
            asyncio.run(run(read_settings(whole)))
        except (Refusal, RecoveryError) as error:
            return _fail(error)
        except OUT_OF_REACH as error:
            return _fail(f"The database is out of reach ({str(error) or type(error).__name__}); see DATABASE_URL.")
    return 0


def _given(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if value.strip()}


def _standins(env: Mapping[str, str]) -> dict[str, str]:
    """Stand-ins for what the embedded mode will fill in; a JWT_SECRET only beside an embedded database."""
    embedded = not env.get("DATABASE_URL", "").strip()
    return {name: value for name, value in PLACEHOLDERS.items() if name != "JWT_SECRET" or embedded}


def _home(env: Mapping[str, str]) -> Path:
    return read_settings({**_standins(env), **_given(env)}).courtside_home


def _attached(env: Mapping[str, str]) -> dict[str, str]:
    return running(env, _home(env))


def _wait_until(ready: Callable[[], bool], part: Part, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        if part.child is None or part.child.returncode is not None:
            raise EmbeddedError(f"The {part.name} ended before it answered; the reason is above.")
        if time.monotonic() >= deadline:
            raise EmbeddedError(f"The {part.name} did not answer within {patience:.0f} seconds.")
        time.sleep(0.05)


def _fail(error: object) -> int:
    print(f"courtside: {error}", file=sys.stderr)
    return FAILED


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
