"""Renew the page's types from the server's OpenAPI document: `python ops/schema.py [--check]`, in the environment.

`--check` writes nothing and fails if `web/src/api/schema.d.ts` is not what the document gives.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from page import WEB, npm

from server.app import create_app
from server.edge.openapi import complete
from server.settings import Settings

TYPES = WEB / "src" / "api" / "schema.d.ts"
NOWHERE = Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", jwt_secret="0" * 32)
"""The description of the app needs no server."""


def generate() -> str:
    """The types of everything that the document describes, without the refusals: they are all `Problem`."""
    app = create_app(NOWHERE)
    document = complete(app.openapi_schema.to_schema(), app)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"] = {key: value for key, value in operation["responses"].items() if int(key) < 400}
    # Litestar names them as it meets the routes, of which those of one path come in no certain order.
    document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "schema.d.ts")
        source.write_bytes(msgspec.json.encode(document))
        npm("run", "--silent", "schema", "--", str(source), "--output", str(target))
        return target.read_text()


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    fresh = generate()
    if "--check" not in arguments:
        TYPES.write_text(fresh)
        return 0
    if TYPES.exists() and TYPES.read_text() == fresh:
        return 0
    print("web/src/api/schema.d.ts is not what the server's document gives; run `make schema`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
