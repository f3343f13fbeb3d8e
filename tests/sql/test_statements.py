"""Every statement of `server.sql` fits the migrated schema.

A statement is an upper-case string that begins with a verb of SQL; a fragment for several of them does not.
"""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import server.sql
from server.sql.connection import Connection

PREPARABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|VALUES)\s")


def statements() -> dict[str, str]:
    """Module and constant → statement."""
    found = {}
    for module in pkgutil.iter_modules(server.sql.__path__):
        constants = vars(importlib.import_module(f"server.sql.{module.name}"))
        for name, value in constants.items():
            if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and isinstance(value, str) and PREPARABLE.match(value):
                found[f"{module.name}.{name}"] = value
    return found


async def test_every_statement_can_be_prepared(conn: Connection) -> None:
    failures = {}
    for name, statement in statements().items():
        try:
            await conn.prepare(statement)
        except Exception as error:  # noqa: BLE001 - whatever it is, the report names the statement
            failures[name] = f"{type(error).__name__}: {error}"

    assert failures == {}


async def test_a_statement_that_does_not_fit_is_noticed(conn: Connection) -> None:
    with pytest.raises(Exception, match="no_such_column"):
        await conn.prepare("SELECT no_such_column FROM clubs")


def test_the_statements_are_found() -> None:
    assert "migrate.FETCH_SCHEMA_REVISION" in statements()
    assert "schema.NO_DOUBLE_BOOKING" not in statements()
