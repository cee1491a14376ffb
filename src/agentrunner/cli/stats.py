"""`agentrunner stats`: figures of finished runs over time, with a small chart of each; and counting them anew."""

import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from agentrunner.cli.group import Nouns
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.domain.stats import Figures, Point, Series, Stats, Times

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST, _NARROWEST = 100, 10
_BESIDE = 48
"""Columns that name and amounts beside a chart take."""

Measure = Callable[["Figures"], float | None]


@click.group(cls=Nouns, invoke_without_command=True, short_help="Outcomes, durations, waits and cost over time.")
@click.option("--since", default="24h", show_default=True, metavar="WHEN", help="`24h`, `7d`, a day or an instant.")
@click.option("--until", metavar="WHEN", help="The same; else now.")
@click.option("--agent", metavar="NAME", help="Only runs of this agent.")
@click.option("--version", metavar="NAME", help="Only runs of this version of it.")
@click.option("--project", metavar="NAME", help="Only runs of this project.")
@click.option("--by", type=click.Choice(["agent", "version", "project"]), help="Each of them by itself.")
@server_options
@pass_session
@click.pass_context
def stats(context: click.Context, session: Session, /, **asked: str | None) -> None:
    """Show what finished runs did: outcomes, how long they took and waited, what they used and cost."""
    if context.invoked_subcommand is not None:
        return
    from agentrunner.client import stats as known

    found = known.read(session.http, asked)
    if session.out.as_json:
        session.out.json(found)
        return
    session.out.line(f"{found.since} to {found.until}, in steps of {_step(found.step_s)}")
    for series in found.series:
        names = [name for name in (series.agent, series.version, series.project) if name]
        _show(session, found, series, " ".join(names) or ("without an agent" if asked["by"] else "all runs"))
    if found.left_off:
        session.out.note(f"{found.left_off} more with fewer runs are left out; `--agent` or `--project` shows them.")


@stats.command(short_help="Count the figures anew, from the runs.")
@server_options
@pass_session
def rebuild(session: Session) -> None:
    """Count the figures of all finished runs anew, while runs go on. What retention has deleted stays counted."""
    from agentrunner.cli.busy import Busy
    from agentrunner.client import stats as known

    busy = Busy(session.out)
    try:
        with busy.waiting("Counting"):
            answer = known.rebuild(session.http)
            while answer.next is not None:
                busy.say(f"Counting: {answer.runs:,} runs, at {answer.at}")
                answer = known.rebuild(session.http, answer.next)
    finally:
        busy.close()
    if session.out.as_json:
        session.out.json(answer)
    else:
        session.out.line(f"Counted {answer.runs:,} runs.")


def _step(seconds: int) -> str:
    unit, name = next((unit, name) for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")) if seconds >= unit)
    return f"{seconds // unit} {name}"


def _show(session: Session, found: "Stats", series: "Series", name: str) -> None:
    """One series: a headline, then a line with a chart for each measure that there is."""
    from agentrunner.cli import terminal

    out, total = session.out, series.total
    out.line()
    out.line(out.paint(terminal.one_line(name), bold=True))
    if not total.runs:
        out.line("  no run ended")
        return
    columns = shutil.get_terminal_size().columns if out.is_terminal else _WIDEST
    width = max(_NARROWEST, min(_WIDEST, columns - _BESIDE))
    for what, amount, measure, colour in _lines(total):
        drawn = chart(places(found, series.points, measure), width)
        out.line(f"  {what:<9} {out.paint(drawn, colour)}  {amount}")


def _lines(total: "Figures") -> list[tuple[str, str, Measure, str]]:
    from agentrunner.cli import amounts
    from agentrunner.cli.agents import price, success

    lines: list[tuple[str, str, Measure, str]] = [
        ("completed", f"{total.completed:,} of {total.runs:,}, {success(total)}", lambda f: f.completed, "green"),
        ("failed", f"{total.failed:,}", lambda f: f.failed, "red"),
    ]
    if total.stopped:
        lines.append(("stopped", f"{total.stopped:,}", lambda f: f.stopped, "yellow"))
    if total.duration_s:
        lines.append(("duration", _times(total.duration_s), lambda f: _p95(f.duration_s), "cyan"))
    if total.wait_s:
        lines.append(("wait", _times(total.wait_s), lambda f: _p95(f.wait_s), "cyan"))
    if used := amounts.tokens(total.usage):
        lines.append(("tokens", used, _tokens, "blue"))
    if total.cost_usd:
        a_success = f", {price(total)} a success" if total.completed else ""
        lines.append(("cost", f"{amounts.money(total.cost_usd)}{a_success}", lambda f: f.cost_usd, "magenta"))
    return lines


def _tokens(found: "Figures") -> float:
    used = found.usage
    return used.input_tokens + used.cache_read_tokens + used.cache_write_tokens + used.output_tokens


def _p95(found: "Times | None") -> float | None:
    return None if found is None else found.p95


def _times(found: "Times") -> str:
    from agentrunner.cli import amounts

    p50, p95, p99 = map(amounts.duration, (found.p50, found.p95, found.p99))
    return f"p50 {p50}, p95 {p95}, p99 {p99}"


def places(found: "Stats", points: "Sequence[Point]", measure: Measure) -> list[float]:
    """A measure for every stretch of the window, 0 where there is none."""
    from agentrunner.domain.instant import parse_rfc3339

    step = found.step_s * 1000
    first = parse_rfc3339(found.since) // step
    values = [0.0] * max(1, -(-parse_rfc3339(found.until) // step) - first)
    for point in points:
        values[parse_rfc3339(point.start) // step - first] = measure(point.figures) or 0.0
    return values


def chart(values: Sequence[float], width: int) -> str:
    """Values as bars in at most so many columns, the highest of those that share one; a blank for 0."""
    count = min(width, len(values))
    highest = [max(values[len(values) * n // count : len(values) * (n + 1) // count]) for n in range(count)]
    top = max(highest)
    return "".join(_BARS[max(0, -int(-value / top * len(_BARS) // 1) - 1)] if value else " " for value in highest)
