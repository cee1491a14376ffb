"""`agentrunner ps`: list runs."""

import time
from typing import Any

import click

from agentrunner.cli.session import Session, pass_session, server_options

ACTIVE = ("QUEUED", "RUNNING", "PAUSED")
MOST = 10_000
WATCH_EVERY_S = 1.0
WORTH_SAYING_MS = 5000
_HOME = "\x1b[H\x1b[J"


@click.command(short_help="List runs: what is queued and active.")
@click.argument("query", metavar="[QUERY]…", nargs=-1)
@click.option("--all", "-a", "everything", is_flag=True, help="Finished ones too.")
@click.option("--status", multiple=True, metavar="STATUS", help="Only this status; may be repeated.")
@click.option("--project", multiple=True, metavar="NAME", help="Only this project.")
@click.option("--backend", multiple=True, metavar="NAME", help="Only this backend.")
@click.option("--agent", multiple=True, metavar="NAME", help="Only this agent.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only with this label.")
@click.option("--search", "text", default="", metavar="WORDS", help="Only with these words in title, goal, messages.")
@click.option("--limit", "-n", type=click.IntRange(1, MOST), default=50, help="How many at most; 50 by default.")
@click.option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.option("--watch", "-w", is_flag=True, help="Show the list again every second, on a terminal.")
@server_options
@pass_session
def ps(session: Session, /, limit: int, quiet: bool, watch: bool, **given: Any) -> None:
    """List runs, the newest first: those that are queued and active, or every one that matches QUERY.

    QUERY is terms that have to match all: words of title, goal, messages and errors (log* finds login), or
    FIELD:VALUE with the fields status, agent, backend, project, label (name=value), worker, reason, phase, hold, id,
    since, until (24h, 2026-11-20), cost (>1.5), took (>10m), and is (active, terminal, held, unreachable). A comma
    stands between alternatives, `-` in front of a term negates it, text with blanks goes in double quotes:

    agentrunner ps 'status:failed,stopped agent:claude since:24h -label:team=web "two words"'
    """
    wanted = _wanted(**given)
    if not watch:
        _print(session, wanted, limit, quiet)
        return
    if not session.out.is_terminal or session.out.as_json:
        raise click.UsageError("--watch is for a terminal; a program follows `GET /v1/stream`")
    while True:
        session.out.write(_HOME)
        _print(session, wanted, limit, quiet)
        time.sleep(WATCH_EVERY_S)


def _wanted(everything: bool, status: tuple[str, ...], query: tuple[str, ...], text: str, **given: Any) -> Any:
    from agentrunner.client.runs import Filter
    from agentrunner.domain.query import quoted
    from agentrunner.domain.state import Status

    known = {str(each) for each in Status}
    asked = [name.upper() for name in status]
    if wrong := [name for name in asked if name not in known]:
        raise click.UsageError(f"there is no status {wrong[0]}; there are {', '.join(Status)}")
    chosen = asked or ([] if everything or query else ACTIVE)
    terms = " ".join([*map(quoted, text.split()), *query])
    return Filter(status=[Status(name) for name in chosen], text=terms, **given)


def _print(session: Session, wanted: Any, limit: int, quiet: bool) -> None:
    out = session.out
    found, following, indexed_to = _found(session, wanted, limit)
    if out.as_json:
        behind = {} if indexed_to is None else {"indexed_to": indexed_to}
        out.json({"items": found, "next_cursor": following, **behind})
    elif quiet:
        out.write("".join(f"{run.id}\n" for run in found))
    else:
        _table(session, found)
        if following is not None:
            out.note(f"There are more; `--limit` shows more than {limit}.")
        if indexed_to is not None and _age_ms(indexed_to) > WORTH_SAYING_MS:
            out.note(f"What was written since {indexed_to} is not searched yet; new runs are, by title and goal.")
        if not found and list(wanted.status) == list(ACTIVE):
            out.note("No run is active; `agentrunner ps --all` lists finished ones.")


def _age_ms(instant: str) -> int:
    from agentrunner.domain.instant import parse_rfc3339

    return int(time.time() * 1000) - parse_rfc3339(instant)


def _found(session: Session, wanted: Any, limit: int) -> tuple[list[Any], str | int | None, str | None]:
    """Up to `limit` runs, the cursor behind them where there are more, and how far text was searched if not all was."""
    from agentrunner.client import runs

    found: list[Any] = []
    following: str | int | None = None
    indexed_to: str | None = None
    while len(found) < limit:
        size = min(limit - len(found), runs.PAGE)
        page = runs.page(session.http, wanted, size, None if following is None else str(following))
        found += page.items
        indexed_to = indexed_to or page.indexed_to
        if (following := page.next_cursor) is None:
            break
    return found, following, indexed_to


def _table(session: Session, found: list[Any]) -> None:
    from agentrunner.cli import amounts
    from agentrunner.cli.output import Cell, Column
    from agentrunner.cli.results import COLOURS, state

    now = int(time.time() * 1000)
    columns = [
        Column("ID", is_number=True),
        Column("STATE"),
        Column("AGE", is_number=True),
        Column("TOOK", is_number=True),
        Column("BACKEND"),
        Column("PROJECT"),
        Column("TITLE", is_flexible=True),
    ]
    rows = [
        [
            str(run.id),
            Cell(state(run), COLOURS[run.status]),
            amounts.between(run.created_at, None, now),
            amounts.between(run.started_at, run.ended_at, now),
            run.backend,
            run.project,
            run.title,
        ]
        for run in found
    ]
    session.out.table(columns, rows)
