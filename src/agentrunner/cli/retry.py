"""`agentrunner retry`: run finished runs again."""

import click

from agentrunner.cli import failures
from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options
from agentrunner.cli.where import act, where_options


@click.command(short_help="Run a finished run again, as a new one.")
@click.argument("run_id", metavar="ID", required=False, type=RUN_ID)
@where_options
@server_options
@pass_session
def retry(session: Session, run_id: int | None, where: str | None, yes: bool) -> int:
    """Create a new run with the request of a finished one; behind a pipe print its id."""
    from agentrunner.client import runs

    if (run_id is None) == (where is None):
        raise click.UsageError("name the run to retry, or say which with `--where QUERY`")
    if where is not None:
        return act(session, "retry", where, is_agreed=yes)
    assert run_id is not None
    created = runs.retry(session.http, run_id)
    out = session.out
    if out.as_json:
        out.json(created)
    elif out.is_terminal:
        out.line(f"Run {created.id} tries run {run_id} again. `agentrunner logs -f {created.id}` shows it.")
    else:
        out.line(str(created.id))
    return failures.OK
