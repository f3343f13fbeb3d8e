"""Which embedded servers an environment asks for, and what they add to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from server.embedded.identity import choose_identity
from server.embedded.postgres import Postgres
from server.embedded.process import EmbeddedError, private_folder, private_secret
from server.embedded.supervisor import Part
from server.embedded.valkey import Valkey


class EmbeddedServers:
    """The embedded Postgres and Valkey of a home folder, each only if the environment names no server in its place."""

    def __init__(self, env: Mapping[str, str], home: Path) -> None:
        self.home = home
        self.env = env
        self.postgres = None if env.get("DATABASE_URL", "").strip() else Postgres(home)
        self.valkey = None if env.get("REDIS_URL", "").strip() else Valkey(home)

    def parts(self) -> list[Part]:
        """What the supervisor has to keep running, in starting order."""
        parts = []
        for name, server in (("embedded Postgres", self.postgres), ("embedded Valkey", self.valkey)):
            if server is not None:
                parts.append(
                    Part(
                        name=name,
                        prepare=server.prepare,
                        launch=server.launch,
                        wait_ready=server.wait_ready,
                        stop=server.stop,
                        dispensable=server is self.valkey,
                    )
                )
        return parts

    def remark(self) -> str:
        """A sentence about how Postgres runs here, if it is out of the ordinary."""
        return choose_identity().remark if self.postgres is not None else ""

    def addresses(self) -> dict[str, str]:
        """The variables that lead to the started servers, and the generated JWT_SECRET that belongs to our database."""
        found: dict[str, str] = {}
        if self.postgres is not None:
            found["DATABASE_URL"] = self.postgres.url
            found |= self._secret()
        if self.valkey is not None:
            found["REDIS_URL"] = self.valkey.url
        return found

    def running_addresses(self) -> dict[str, str] | None:
        """As `addresses`, of servers that another process runs from this home; None unless all are there."""
        found: dict[str, str] = {}
        if self.postgres is not None:
            if (url := self.postgres.running_url()) is None:
                return None
            found["DATABASE_URL"] = url
            found |= self._secret()
        if self.valkey is not None:
            if (url := self.valkey.running_url()) is None:
                return None
            found["REDIS_URL"] = url
        return found

    def _secret(self) -> dict[str, str]:
        if self.env.get("JWT_SECRET", "").strip():
            return {}
        return {"JWT_SECRET": private_secret(private_folder(self.home) / "jwt_secret")}


@contextmanager
def reachable(env: Mapping[str, str], home: Path, *, make: bool = True) -> Iterator[dict[str, str]]:
    """The environment with every address in it: of given servers, of a running `up`, or of servers started for now.

    Raises `EmbeddedError` if they cannot be started, or if there is no database yet and `make` is false.
    """
    servers = EmbeddedServers(env, home)
    if not make and servers.postgres is not None and not servers.postgres.data.exists():
        raise EmbeddedError(f"DATABASE_URL is not set and {home} has no database; set it, or run `courtside up` once.")
    if (found := servers.running_addresses()) is not None:
        yield {**env, **found}
        return
    with ExitStack() as stack:
        for server in (servers.postgres, servers.valkey):
            if server is not None:
                server.start()
                stack.callback(server.stop)
        yield {**env, **servers.addresses()}


def running(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment with every address in it: of given servers, or of a running `up`.

    Raises `EmbeddedError` if neither is there.
    """
    servers = EmbeddedServers(env, home)
    if (found := servers.running_addresses()) is None:
        missing = " and ".join(
            name
            for name, server in (("DATABASE_URL", servers.postgres), ("REDIS_URL", servers.valkey))
            if server is not None
        )
        raise EmbeddedError(f"Set {missing}, or start `courtside up`, which does not run from {home} now.")
    return {**env, **found}
