"""`agentrunner retry`: run a finished run again."""

import click

from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options


@click.command(short_help="Run a finished run again, as a new one.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@server_options
@pass_session
def retry(session: Session, run_id: int) -> None:
    """Create a new run with the request of a finished one; behind a pipe print its id."""
    from agentrunner.client import runs

    created = runs.retry(session.http, run_id)
    out = session.out
    if out.as_json:
        out.json(created)
    elif out.is_terminal:
        out.line(f"Run {created.id} tries run {run_id} again. `agentrunner logs -f {created.id}` shows it.")
    else:
        out.line(str(created.id))
