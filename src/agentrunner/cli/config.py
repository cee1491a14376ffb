"""`agentrunner config`: every setting, its value, and where that comes from."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click

from agentrunner.cli.session import Session, data_dir_option, json_option, pass_session

MASK = "***"


@click.command(short_help="Every setting, its value, and where that comes from.")
@json_option
@data_dir_option
@pass_session
def config(session: Session) -> None:
    """List the settings as commands here see them. A running server has read them when it started.

    A setting comes from a flag, else its environment variable, else agentrunner.toml in the data directory, else its
    default.
    """
    from agentrunner.cli.output import Cell, Column

    found = _rows(session)
    out = session.out
    if out.as_json:
        out.json({"items": found, "next_cursor": None})
        return
    columns = [Column("NAME"), Column("VALUE"), Column("FROM"), Column("HELP", is_flexible=True)]
    rows: list[list[Cell | str]] = [
        [
            row["name"],
            str(row["value"]),
            Cell(row["source"], None if row["source"] == "default" else "cyan"),
            row["help"],
        ]
        for row in found
    ]
    out.table(columns, rows)


def _rows(session: Session) -> list[dict[str, Any]]:
    from agentrunner.config import SETTINGS

    settings = session.settings
    in_file = _names_in_file(settings.data_path / "agentrunner.toml")
    rows = []
    for row in SETTINGS:
        source = "default"
        if row.name in session.overrides:
            source = "flag"
        elif row.variable in os.environ:
            source = "environment"
        elif row.name in in_file:
            source = "file"
        value = _shown(row.name, getattr(settings, row.name))
        rows.append({"name": row.name, "value": value, "source": source, "variable": row.variable, "help": row.help})
    return rows


def _names_in_file(path: Path) -> set[str]:
    import tomllib

    from agentrunner.config import flat

    try:
        return set(flat(tomllib.loads(path.read_text("utf-8"))))
    except FileNotFoundError:
        return set()


def _shown(name: str, value: Any) -> Any:
    """A setting's value without what is secret in it."""
    if name in ("token", "agentops_api_key"):
        return MASK if value else ""
    if name != "database_url" or not value:
        return value
    try:
        parts = urlsplit(value)
        if parts.password is None and "password" not in parts.query:
            return value
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"{parts.username or ''}:{MASK}@{host}", parts.path, "", ""))
    except ValueError:
        return MASK
