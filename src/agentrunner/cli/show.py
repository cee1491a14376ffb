"""`agentrunner show`: one run."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.domain.run import RunView

LAST_EVENTS = 10


@click.command(short_help="One run: its fields, last events, and what to do.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@click.option("--events", "-n", "count", type=click.IntRange(0, 1000), default=LAST_EVENTS,
              help=f"How many of the last events; {LAST_EVENTS} by default.")  # fmt: skip
@server_options
@pass_session
def show(session: Session, run_id: int, count: int) -> None:
    """Show a run: its fields, its last events, why it is where it is and what to do. `--json` prints its fields."""
    from agentrunner.cli.events import Timeline
    from agentrunner.client import events, runs

    run = runs.get(session.http, run_id)
    out = session.out
    if out.as_json:
        out.json(run)
        return
    for name, value in fields(run):
        out.line(f"{out.paint(f'{name:<10}', bold=True)} {value}")
    timeline = Timeline(out, run.created_at)
    if count:
        out.line()
    for event in events.each_event(session.http, run_id, max(0, run.last_seq - count)) if count else ():
        out.write(timeline.text(event))
    explanation = runs.explain(session.http, run_id)
    out.line()
    out.line(" ".join([explanation.summary, *explanation.because]))
    if explanation.what_to_do:
        out.line(f"{out.paint('To do:', bold=True)} {explanation.what_to_do}")


def fields(run: "RunView") -> Iterator[tuple[str, str]]:
    """What there is to say about a run, by name; what is empty is left out."""
    from agentrunner.cli import amounts
    from agentrunner.cli.results import state
    from agentrunner.cli.terminal import one_line

    now = int(time.time() * 1000)
    values = {
        "run": f"{run.id} {run.title}",
        "state": state(run),
        "message": run.message,
        "wish": None if run.desired == "run" or run.status.is_terminal else run.desired,
        "backend": run.backend,
        "agent": " ".join(filter(None, (run.agent, run.agent_version))),
        "project": run.project,
        "worker": run.worker,
        "attempt": f"{run.attempt} of {run.retry.attempts}",
        "exit code": None if run.exit_code is None else str(run.exit_code),
        "signal": None if run.signal is None else str(run.signal),
        "created": run.created_at,
        "started": run.started_at,
        "ended": run.ended_at,
        "took": amounts.between(run.started_at, run.ended_at, now),
        "tokens": amounts.tokens(run.usage),
        "cost": amounts.money(run.cost_usd),
        "labels": " ".join(f"{name}={value}" for name, value in run.labels.items()),
        "retry of": None if run.retry_of is None else str(run.retry_of),
        "on lost": run.on_lost,
        "events": str(run.last_seq),
    }
    yield from ((name, one_line(str(value))) for name, value in values.items() if value)
