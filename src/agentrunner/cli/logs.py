"""`agentrunner logs`: the timeline of a run."""

import click

from agentrunner.cli import failures
from agentrunner.cli.ids import MAX_ID, RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options


@click.command(short_help="The timeline of a run, whole or as it grows.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run is over.")
@click.option("--raw", is_flag=True, help="The program's own lines only: its stdout to stdout, stderr to stderr.")
@click.option("--after", type=click.IntRange(0, MAX_ID), default=0, metavar="SEQ", help="Only events behind this one.")
@click.option("--tail", "-n", type=click.IntRange(0, 1_000_000), metavar="N", help="Only the last N events.")
@server_options
@pass_session
def logs(session: Session, run_id: int, follow: bool, raw: bool, after: int, tail: int | None) -> int:
    """Print the events of a run; behind a pipe its lines are exactly what it wrote. `--json` prints one event a line.

    With `-f`, Ctrl-C ends this command, never the run.
    """
    from agentrunner.cli import watch
    from agentrunner.client import events, runs

    run = runs.get(session.http, run_id)
    show = watch.printer(session.out, run, is_raw=raw)
    if tail is not None:
        after = max(after, run.last_seq - tail)
    if follow:
        watch.follow(session, run, show, after)
        return failures.OK
    for event in events.each_event(session.http, run_id, after):
        show(event)
        if event.seq >= run.last_seq:
            break
    return failures.OK
