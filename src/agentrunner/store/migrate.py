"""Numbered, forward-only migrations: `migrations/NNNN_name.sql`, one text for both dialects."""

import sqlite3
from importlib import resources
from typing import NamedTuple

from agentrunner.domain.errors import ConfigurationError

_SQLITE = {"serial": "INTEGER PRIMARY KEY", "strict": "STRICT", "int": "INTEGER", "real": "REAL"}
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER NOT NULL PRIMARY KEY)"


class Migration(NamedTuple):
    """One step: its number and its statements."""

    version: int
    statements: list[str]


def migrations(fragments: dict[str, str]) -> list[Migration]:
    """Every migration in order, with a dialect's fragments filled in."""
    found = []
    for entry in resources.files("agentrunner.store").joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            text = entry.read_text("utf-8")
            for name, value in fragments.items():
                text = text.replace("{{" + name + "}}", value)
            statements = [part.strip() for part in text.split(";\n") if part.strip()]
            found.append(Migration(int(entry.name[:4]), statements))
    return sorted(found)


def sqlite(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest schema. Raises ConfigurationError where it is newer."""
    connection.execute(_VERSIONS)
    row = connection.execute("SELECT max(version) FROM schema_versions").fetchone()
    present = row[0] or 0
    known = migrations(_SQLITE)
    if present > known[-1].version:
        raise ConfigurationError("The database was written by a newer Agent Runner; upgrade this one.")
    for migration in known:
        if migration.version > present:
            connection.execute("BEGIN IMMEDIATE")
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_versions VALUES (?)", (migration.version,))
            connection.execute("COMMIT")
