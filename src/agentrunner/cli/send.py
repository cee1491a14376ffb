"""`agentrunner send`: text for a run's agent."""

import sys

import click

from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options

MOST_CHARACTERS = 1_000_000


@click.command(short_help="Send text to a run's agent.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@click.argument("words", nargs=-1, required=True, metavar="TEXT")
@server_options
@pass_session
def send(session: Session, run_id: int, words: tuple[str, ...]) -> None:
    """Send text to the agent of a run that reads its input; TEXT `-` is read from standard input.

    It is stored first and delivered once; the event `input.delivered` says when.
    """
    from agentrunner.client import runs

    text = sys.stdin.read(MOST_CHARACTERS + 1) if words == ("-",) else " ".join(words)
    if not 0 < len(text) <= MOST_CHARACTERS:
        raise click.UsageError(f"the text has to have 1 to {MOST_CHARACTERS} characters")
    sent = runs.send_input(session.http, run_id, text)
    if session.out.as_json:
        session.out.json(sent)
    else:
        session.out.line(f"Input {sent.id} for run {run_id} is stored; `input.delivered` will say when it arrived.")
