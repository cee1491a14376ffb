"""`agentrunner project`: workspaces for runs."""

from pathlib import Path

import click

from agentrunner.cli.group import Nouns
from agentrunner.cli.session import Session, pass_session, server_options


@click.group(cls=Nouns, short_help="Create and list projects.")
def project() -> None:
    """Create and list projects: a directory for runs, with policy. The one called default always exists."""


@project.command(short_help="Create a project.")
@click.argument("name")
@click.option("--path", metavar="DIR", help="Where its runs work, on the worker's host; else each in a directory of "
              "its own.")  # fmt: skip
@click.option("--max-running", type=click.IntRange(1, 100_000), metavar="N", help="How many of its runs at once.")
@server_options
@pass_session
def create(session: Session, name: str, path: str | None, max_running: int | None) -> None:
    """Create a project called NAME. A relative DIR is taken from where you are."""
    import msgspec

    from agentrunner.cli.request import said
    from agentrunner.client import projects
    from agentrunner.domain.project import NewProject

    absolute = None if path is None else str((Path.cwd() / Path(path).expanduser()).resolve())
    try:
        new = msgspec.convert({"name": name, "path": absolute, "settings": {"max_running": max_running}}, NewProject)
    except msgspec.ValidationError as error:
        raise click.UsageError(said(error)) from None
    made = projects.create(session.http, new)
    if session.out.as_json:
        session.out.json(made)
    else:
        session.out.line(f"Project {made.name} is created.")


@project.command("list", short_help="List projects.")
@server_options
@pass_session
def list_(session: Session) -> None:
    """List every project."""
    from agentrunner.cli.output import Column
    from agentrunner.client import projects

    found = list(projects.every(session.http))
    if session.out.as_json:
        session.out.json({"items": found, "next_cursor": None})
        return
    columns = [Column("NAME"), Column("MAX RUNNING", is_number=True), Column("CREATED"), Column("PATH")]
    rows = [[each.name, str(each.settings.max_running or ""), each.created_at, each.path or ""] for each in found]
    session.out.table(columns, rows)
