"""`agentrunner token`: who may ask the server."""

import click

from agentrunner.cli.group import Nouns
from agentrunner.cli.ids import MAX_ID
from agentrunner.cli.session import Session, pass_session, server_options

SCOPES = ["admin", "read", "report", "worker", "metrics"]


@click.group(cls=Nouns, short_help="Create, list and revoke tokens.")
def token() -> None:
    """Create, list and revoke tokens. The one in the data directory is found by itself; these are for others."""


@token.command(short_help="Make a token and print it.")
@click.argument("name")
@click.option("--scope", type=click.Choice(SCOPES), default="read", show_default=True, help="What it opens.")
@server_options
@pass_session
def create(session: Session, name: str, scope: str) -> None:
    """Make a token called NAME and print its text, here and never again.

    \b
    admin    everything but the worker protocol
    read     looking at everything, metrics included
    report   reporting runs and events of other programs
    worker   the worker protocol, for a worker on another host
    metrics  /metrics only, for Prometheus
    """
    from agentrunner.client import tokens
    from agentrunner.domain.token import Scope

    made = tokens.create(session.http, name, Scope(scope))
    if session.out.as_json:
        session.out.json(made)
        return
    session.out.note(f"Token {made.id} of scope {made.scope}; it is not shown again:")
    session.out.line(str(made.token))


@token.command("list", short_help="List tokens, without their text.")
@server_options
@pass_session
def list_(session: Session) -> None:
    """List every token, live or revoked, without its text."""
    from agentrunner.cli.output import Cell, Column
    from agentrunner.client import tokens

    found = list(tokens.every(session.http))
    if session.out.as_json:
        session.out.json({"items": found, "next_cursor": None})
        return
    columns = [Column("ID", is_number=True), Column("NAME"), Column("SCOPE"), Column("CREATED"), Column("STATE")]
    rows: list[list[Cell | str]] = [
        [
            str(each.id),
            each.name,
            each.scope,
            each.created_at,
            Cell(f"revoked {each.revoked_at}", "red") if each.revoked_at else Cell("live", "green"),
        ]
        for each in found
    ]
    session.out.table(columns, rows)


@token.command(short_help="End a token.")
@click.argument("token_id", metavar="ID", type=click.IntRange(1, MAX_ID))
@server_options
@pass_session
def revoke(session: Session, token_id: int) -> None:
    """End a token, by the id that `agentrunner token list` shows."""
    from agentrunner.client import tokens

    tokens.revoke(session.http, token_id)
    if session.out.as_json:
        session.out.json({"id": token_id})
    else:
        session.out.line(f"Token {token_id} is revoked.")
