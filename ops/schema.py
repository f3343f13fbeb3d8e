"""Renew what the page knows of the server: `python ops/schema.py [--check]`, in the environment.

The types are made of the OpenAPI document, the digits of money of the server's table. `--check` writes nothing and fails
if a file is not what they give.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from page import WEB, npm

from server.app import create_app
from server.domain.money import MINOR_DIGITS, USUAL_DIGITS
from server.edge.openapi import complete
from server.settings import Settings

TYPES = WEB / "src" / "api" / "schema.d.ts"
DIGITS = WEB / "src" / "words" / "digits.ts"
NOWHERE = Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", jwt_secret="0" * 32)
"""The description of the app needs no server."""


def types() -> str:
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


def digits() -> str:
    """The currencies whose minor unit is not a hundredth."""
    other = sorted((code, digits) for code, digits in MINOR_DIGITS.items() if digits != USUAL_DIGITS)
    lines = "".join(f"  {code}: {digits},\n" for code, digits in other)
    return (
        "/** ISO 4217: digits of the minor unit, where they are not two. Browsers round away what is out of use: forints\n"
        " * have two digits in the standard and none in Chromium. Made by `make schema`. */\n"
        f"export const OTHER_DIGITS: Readonly<Record<string, number>> = {{\n{lines}}}\n"
    )


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    stale = False
    for path, fresh in ((TYPES, types()), (DIGITS, digits())):
        if "--check" not in arguments:
            path.write_text(fresh)
        elif not path.exists() or path.read_text() != fresh:
            print(f"{path.relative_to(WEB.parent)} is not what the server gives; run `make schema`.", file=sys.stderr)
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
