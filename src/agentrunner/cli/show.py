"""`agentrunner show`: one run."""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.cli.output import Output
    from agentrunner.domain.run import RunView
    from agentrunner.domain.sample import SamplePage

LAST_EVENTS = 10
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60


@click.command(short_help="One run: its fields, last events, and what to do.")
@click.argument("run_id", metavar="ID", type=RUN_ID)
@click.option("--events", "-n", "count", type=click.IntRange(0, 1000), default=LAST_EVENTS,
              help=f"How many of the last events; {LAST_EVENTS} by default.")  # fmt: skip
@click.option("--samples", "with_samples", is_flag=True, help="Draw CPU and memory over time.")
@server_options
@pass_session
def show(session: Session, run_id: int, count: int, with_samples: bool) -> None:
    """Show a run: its fields, its last events, why it is where it is and what to do.

    `--json` prints its fields, with `--samples` what it used over time.
    """
    from agentrunner.cli.events import Timeline
    from agentrunner.cli.terminal import one_line
    from agentrunner.client import events, runs, samples

    run = runs.get(session.http, run_id)
    out = session.out
    if out.as_json:
        out.json(samples.get(session.http, run_id) if with_samples else run)
        return
    used = samples.get(session.http, run_id)
    for name, value in (*fields(run), *((("used", spent(used)),) if used.memory_peak_bytes else ())):
        out.line(f"{out.paint(f'{name:<10}', bold=True)} {value}")
    if with_samples:
        draw(out, used)
    timeline = Timeline(out, run.created_at)
    if count:
        out.line()
    for event in events.each_event(session.http, run_id, max(0, run.last_seq - count)) if count else ():
        out.write(timeline.text(event))
    explanation = runs.explain(session.http, run_id)
    out.line()
    out.line(one_line(" ".join([explanation.summary, *explanation.because])))
    if explanation.what_to_do:
        out.line(f"{out.paint('To do:', bold=True)} {one_line(explanation.what_to_do)}")


def spent(used: "SamplePage") -> str:
    """`12 s CPU, 45 MiB at most, 4 processes at most`."""
    from agentrunner.cli import amounts

    words = [f"{amounts.duration(used.cpu_us / 1e6)} CPU", f"{amounts.memory(used.memory_peak_bytes)} at most"]
    if used.processes_peak:
        words.append(f"{used.processes_peak} process{'es' * (used.processes_peak > 1)} at most")
    return ", ".join(words)


def draw(out: "Output", used: "SamplePage") -> None:
    """A line of bars each for CPU and memory, over the time between the first and the last sample."""
    from agentrunner.cli import amounts
    from agentrunner.domain.instant import parse_rfc3339

    if len(used.items) < 2:
        out.line("No timeline yet: samples are taken with the worker's heartbeats.")
        return
    times = [parse_rfc3339(item.at) / 1000 for item in used.items]
    cpu = [0.0]
    for index, (before, after) in enumerate(pairwise(used.items)):
        worked = after.cpu_us - (before.cpu_us if before.attempt == after.attempt else 0)
        cpu.append(max(0, worked) / 1e6 / max(0.001, times[index + 1] - times[index]))
    rows = [("cpu", cpu, f"{max(cpu):.2f} CPUs")]
    memory = [float(item.memory_bytes) for item in used.items]
    rows.append(("memory", memory, amounts.memory(round(max(memory)))))
    for name, values, most in rows:
        drawn = bars(list(zip(times, values, strict=True)))
        out.line(f"{out.paint(f'{name:<10}', bold=True)} {drawn} up to {most}")
    out.line(f"{'':<10} {amounts.duration(times[-1] - times[0])} in all")


def bars(points: Sequence[tuple[float, float]]) -> str:
    """Values at times as a row of bars, each the highest of its part of the time; a part without one is as before."""
    start, length = points[0][0], max(0.001, points[-1][0] - points[0][0])
    highest = max(value for _, value in points) or 1.0
    columns: list[float | None] = [None] * _WIDTH
    for at, value in points:
        column = min(_WIDTH - 1, int((at - start) / length * _WIDTH))
        columns[column] = max(columns[column] or 0.0, value)
    text, last = "", 0.0
    for found in columns:
        last = last if found is None else found
        text += _BARS[min(len(_BARS) - 1, int(last / highest * len(_BARS)))]
    return text


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
