"""`agentrunner explain`: why a run is where it is."""

import click

from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options


@click.command(short_help="Why a run is where it is.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@server_options
@pass_session
def explain(session: Session, run_id: int) -> None:
    """Say why a run is where it is, the facts behind that, and what you can do.

    A run whose worker cannot be reached follows its `on_lost`: `wait` waits without end; with `fail` and `retry` it
    ends after a lease, also where it is the server that is away. See `agentrunner run --help`.
    """
    from agentrunner.cli.results import COLOURS
    from agentrunner.cli.terminal import one_line
    from agentrunner.client import runs

    found = runs.explain(session.http, run_id)
    out = session.out
    if out.as_json:
        out.json(found)
        return
    finer = next((str(word) for word in (found.hold, found.phase, found.reason) if word), "")
    state = " ".join(filter(None, (str(found.status), finer)))
    out.line(f"{out.paint(state, COLOURS[found.status])}  {one_line(found.summary)}")
    for sentence in found.because:
        out.line(f"  {one_line(sentence)}")
    if found.pending:
        out.line(f"  Wished and not confirmed yet: {found.pending}.")
    if found.what_to_do:
        out.line(f"{out.paint('To do:', bold=True)} {one_line(found.what_to_do)}")
