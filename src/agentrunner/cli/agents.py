"""`agentrunner agents`: list agents, or the versions of one with their figures."""

from typing import TYPE_CHECKING

import click

from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.cli.output import Cell, Column
    from agentrunner.domain.stats import Figures


@click.command(short_help="List agents, or the versions of one.")
@click.argument("name", required=False)
@server_options
@pass_session
def agents(session: Session, name: str | None) -> None:
    """List every agent; with NAME its versions, the newest first, with the figures of all their runs."""
    if name is None:
        _agents(session)
    else:
        _versions(session, name)


def _agents(session: Session) -> None:
    from agentrunner.cli.output import Column
    from agentrunner.client import agents as known
    from agentrunner.client import stats

    found = list(known.every(session.http))
    if session.out.as_json:
        session.out.json({"items": found, "next_cursor": None})
        return
    figures = {line.agent: line.figures for line in stats.usage(session.http, {"by": "agent"}).items}
    columns = [Column("AGENT"), Column("PROJECT", is_flexible=True), *_columns()]
    session.out.table(columns, [[each.name, each.project, *_cells(figures.get(each.name))] for each in found])
    if not found:
        session.out.note("No agent yet: `agentrunner run --agent NAME` makes one.")


def _versions(session: Session, name: str) -> None:
    from agentrunner.cli.output import Column
    from agentrunner.client import agents as known

    found = list(known.versions(session.http, known.named(session.http, name).id))
    if session.out.as_json:
        session.out.json({"items": found, "next_cursor": None})
        return
    columns = [Column("VERSION"), Column("MODELS", is_flexible=True), *_columns()]
    session.out.table(columns, [[each.version, ", ".join(each.models), *_cells(each.figures)] for each in found])


def _columns() -> "list[Column]":
    from agentrunner.cli.output import Column

    return [
        *(Column(name, is_number=True) for name in ("RUNS", "SUCCESS", "P50", "P95", "COST", "PER SUCCESS")),
        Column("LAST SEEN"),
    ]


def _cells(found: "Figures | None") -> "list[Cell | str]":
    from agentrunner.cli import amounts

    if found is None or not found.runs:
        return ["0", "", "", "", "", "", ""]
    times = found.duration_s
    return [
        f"{found.runs:,}",
        success(found),
        amounts.duration(times.p50) if times else "",
        amounts.duration(times.p95) if times else "",
        amounts.money(found.cost_usd),
        price(found),
        found.last_seen or "",
    ]


def success(found: "Figures") -> str:
    """`90 % (77-96)`: the rate, and the interval it lies in; empty where nothing completed or failed."""
    if found.success_rate is None or found.success_interval is None:
        return ""
    low, high = found.success_interval.low, found.success_interval.high or 0.0
    return f"{100 * found.success_rate:.0f} % ({100 * low:.0f}-{100 * high:.0f})"


def price(found: "Figures") -> str:
    """`$0.50 ($0.41-$0.72)`: what a success cost, and the interval that follows from that of the rate."""
    from agentrunner.cli import amounts

    if found.cost_per_success_usd is None or found.cost_per_success_interval_usd is None:
        return ""
    around = found.cost_per_success_interval_usd
    return f"{amounts.money(found.cost_per_success_usd)} ({amounts.money(around.low)}-{amounts.money(around.high)})"
