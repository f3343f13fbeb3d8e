"""Failpoints that are made from the code: whatever of `server` awaits can be killed before and after it.

`python -m tests.faults.failpoints` imports `server` with every `await` and `async with` of it rewritten to pass a
failpoint, then forks a process for each order that it reads from stdin, and says what became of it. So there is no
list to keep: a new await is a new failpoint.
"""

from __future__ import annotations

import ast
import asyncio
import collections.abc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = REPOSITORY / "server"
HIT, BLOCK = "__failpoint__", "__failpoint_block__"


@dataclass
class Order:
    """One process: what it works on, and where it is to die (a failpoint's name, or nowhere)."""

    job: str
    database_url: str
    redis_url: str
    home: str
    now: str
    smtp_port: int = 0
    """0: mails are files."""
    leased: int = 32
    """Mails that are leased together."""
    marked: int = 8
    """Mails that are marked together."""
    sweeps: int = 1
    """Rounds of deliveries over the same connections; of more than one, each has one mail."""
    kept: float = 15.0
    """Seconds for which a connection with nothing to do is kept."""
    lock_timeout_ms: int = 2000
    deadly: str = ""


@dataclass
class Said:
    """What became of it. `passed`: the failpoints in the order of their first passing, of a process that lived."""

    code: int
    passed: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    """Places of `server` in which a task was suspended and that are no failpoint."""


def edges(site: str) -> tuple[str, ...]:
    """The failpoints of an await, or of an `async with`."""
    names = ("before", "after") if ":await " in site else ("enters", "entered", "leaves", "left")
    return tuple(f"{site} {name}" for name in names)


class Rewriter(ast.NodeTransformer):
    """Has every await of a module pass a failpoint, named module:function:what it awaits, numbered where alike."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.inside: list[str] = []
        self.sites: dict[str, tuple[int, int]] = {}
        """Name → first and last line."""

    def _named(self, node: ast.expr, what: str) -> ast.Constant:
        name = f"{self.module}:{'.'.join(self.inside)}:{what} {ast.unparse(node).splitlines()[0][:60]}"
        alike = sum(site.partition(" #")[0] == name for site in self.sites)
        name = f"{name} #{alike + 1}" if alike else name
        self.sites[name] = (node.lineno, node.end_lineno or node.lineno)
        return ast.Constant(name)

    def _scope(self, node: Any) -> Any:
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _scope  # noqa: N815 - ast's names

    def visit_Await(self, node: ast.Await) -> ast.AST:
        name = self._named(node.value, "await")
        self.generic_visit(node)
        call = ast.Call(ast.Name(HIT, ast.Load()), [node.value, name], [])
        return ast.copy_location(ast.Await(ast.copy_location(call, node)), node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        for item in node.items:
            name = self._named(item.context_expr, "with")
            call = ast.Call(ast.Name(BLOCK, ast.Load()), [item.context_expr, name], [])
            item.context_expr = ast.copy_location(call, item.context_expr)
        self.generic_visit(node)
        return node


def sites_of(module: str) -> dict[str, tuple[int, int]]:
    """The failpoints' sites of a module, as they stand in its code, with their lines."""
    path = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")
    rewriter = Rewriter(module)
    rewriter.visit(ast.parse(path.read_text()))
    return rewriter.sites


def telling(passed: list[str]) -> list[str]:
    """Of a process's points the last of each row of entrances and of exits.

    What stands between two of a row is Python alone, so a death at one leaves what a death at the other leaves.
    """
    going_in = [point.rpartition(" ")[2] in ("before", "enters") for point in passed]
    return [
        point
        for point, this, following in zip(passed, going_in, [*going_in[1:], None], strict=True)
        if this != following
    ]


# -- inside the process that dies ---------------------------------------------------------------------------


class Points:
    """What this process has passed, and where it dies."""

    deadly = ""
    passed: dict[str, None] = {}
    unlisted: dict[str, None] = {}
    lines: dict[str, list[tuple[int, int]]] = {}

    @classmethod
    def pass_by(cls, name: str) -> None:
        if name == cls.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        cls.passed.setdefault(name)


async def hit(awaitable: Any, site: str) -> Any:
    Points.pass_by(f"{site} before")
    try:
        return await awaitable
    finally:
        Points.pass_by(f"{site} after")


class Block:
    """An asynchronous context manager with failpoints around its entering and its leaving."""

    def __init__(self, manager: Any, site: str) -> None:
        self.manager, self.site = manager, site

    async def __aenter__(self) -> Any:
        Points.pass_by(f"{self.site} enters")
        value = await self.manager.__aenter__()
        Points.pass_by(f"{self.site} entered")
        return value

    async def __aexit__(self, *error: object) -> Any:
        Points.pass_by(f"{self.site} leaves")
        try:
            return await self.manager.__aexit__(*error)
        finally:
            Points.pass_by(f"{self.site} left")


class Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        rewriter = Rewriter(fullname)
        tree = ast.fix_missing_locations(rewriter.visit(ast.parse(self.get_data(path))))
        Points.lines[path] = list(rewriter.sites.values())
        code = compile(tree, path, "exec")
        assert isinstance(code, CodeType)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update({HIT: hit, BLOCK: Block})
        super().exec_module(module)


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if not fullname.startswith("server."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None and not spec.submodule_search_locations:
            spec.loader = Loader(fullname, spec.origin)
        return spec


class Watched(collections.abc.Coroutine[Any, Any, Any]):
    """A task's coroutine; whenever it is suspended, the frames of `server` that it hangs in must be at failpoints."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        answer = self._coroutine.send(value)
        self._look()
        return answer

    def throw(self, *error: Any) -> Any:
        answer = self._coroutine.throw(*error)
        self._look()
        return answer

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        raise NotImplementedError("a task sends")

    def _look(self) -> None:
        inner = self._coroutine
        while inner is not None:
            frame = getattr(inner, "cr_frame", None) or getattr(inner, "ag_frame", None)
            if frame is not None and frame.f_code.co_filename.startswith(str(SERVER)):
                path, line = frame.f_code.co_filename, frame.f_lineno
                if not any(first <= line <= last for first, last in Points.lines.get(path, ())):
                    Points.unlisted.setdefault(f"{Path(path).relative_to(REPOSITORY)}:{line}")
            inner = getattr(inner, "cr_await", None) or getattr(inner, "ag_await", None)


async def work(order: Order) -> None:
    from datetime import datetime  # noqa: PLC0415 - after the rewriting

    from redis.asyncio import Redis  # noqa: PLC0415

    from server.context import Context  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415
    from server.sql.connection import create_pool  # noqa: PLC0415
    from server.usecases import post  # noqa: PLC0415
    from server.usecases.catalogue import Catalogues  # noqa: PLC0415
    from server.usecases.desk import Desks  # noqa: PLC0415
    from server.usecases.notifications import Pace, deliver_due, open_ways_out  # noqa: PLC0415
    from server.usecases.promotion import work_off_due  # noqa: PLC0415

    settings = Settings(
        database_url=order.database_url, redis_url=order.redis_url, jwt_secret="x" * 32,
        courtside_home=Path(order.home), smtp_host="127.0.0.1" if order.smtp_port else "", smtp_port=order.smtp_port,
        db_lock_timeout_ms=order.lock_timeout_ms,
    )  # fmt: skip
    async with await create_pool(settings, size=2) as pool:
        now = datetime.fromisoformat(order.now)
        context = Context(settings, pool, Redis.from_url(order.redis_url), clock=lambda: now)
        Points.passed, Points.deadly = {}, order.deadly  # what came before is no part of the job
        asyncio.get_running_loop().set_task_factory(lambda loop, coro, **more: asyncio.Task(Watched(coro), loop=loop))

        async def job() -> None:
            if order.job == "promotion":
                await work_off_due(context, Desks(context, Catalogues(context)), limit=20)
            else:
                if order.sweeps > 1:
                    post.UNCHECKED, post.KEPT = 0.0, order.kept
                pace = Pace(leased=order.leased, marked=order.marked)
                async with open_ways_out(settings) as ways_out:
                    for _ in range(order.sweeps):
                        await deliver_due(context, ways_out, limit=20 if order.sweeps == 1 else 1, pace=pace)

        await asyncio.create_task(job())
        print_and_end(list(Points.passed), list(Points.unlisted))


def print_and_end(passed: list[str], unlisted: list[str]) -> None:
    """What a process that lived has to say; without any of the cleaning up that could pass more failpoints."""
    Points.answer.write(json.dumps({"passed": passed, "unlisted": unlisted}))  # type: ignore[attr-defined]
    Points.answer.close()  # type: ignore[attr-defined]
    os._exit(0)


def serve() -> None:
    """Fork a process for each order on stdin; an answer a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the server logs
    sys.meta_path.insert(0, Finder())
    for name in ("promotion", "notifications", "desk", "catalogue"):
        importlib.import_module(f"server.usecases.{name}")
    for line in sys.stdin:
        order = Order(**json.loads(line))
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            Points.answer = os.fdopen(writing, "w")  # type: ignore[attr-defined]
            try:
                asyncio.run(work(order))
            finally:
                os._exit(70)
        os.close(writing)
        with os.fdopen(reading) as said:
            told = json.loads(said.read() or "{}")
        _, status = os.waitpid(pid, 0)
        answers.write(json.dumps(asdict(Said(os.waitstatus_to_exitcode(status), **told))) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
