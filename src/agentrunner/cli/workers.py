"""`agentrunner workers`: list workers."""

import time

import click

from agentrunner.cli.session import Session, pass_session, server_options


@click.command(short_help="List workers.")
@server_options
@pass_session
def workers(session: Session) -> None:
    """List every worker that ever registered, and whether it is online."""
    from agentrunner.cli import amounts
    from agentrunner.cli.output import Cell, Column
    from agentrunner.client import workers as known

    found = list(known.every(session.http))
    out = session.out
    if out.as_json:
        out.json({"items": found, "next_cursor": None})
        return
    now = int(time.time() * 1000)
    columns = [
        Column("NAME"),
        Column("HOST"),
        Column("STATE"),
        Column("HEARD", is_number=True),
        Column("RUNNING", is_number=True),
        Column("SLOTS", is_number=True),
        Column("TREE"),
        Column("VERSION"),
        Column("BACKENDS", is_flexible=True),
    ]
    rows: list[list[Cell | str]] = [
        [
            worker.name,
            worker.host,
            Cell("online", "green") if worker.online else Cell("offline", "red"),
            f"{heard} ago" if (heard := amounts.between(worker.heard_at, None, now)) else "",
            str(worker.running),
            str(worker.slots),
            worker.tree,
            worker.version,
            ", ".join(worker.backends),
        ]
        for worker in found
    ]
    out.table(columns, rows)
    if not any(worker.online for worker in found):
        out.note("No worker is online; `agentrunner up` or `agentrunner worker` starts one.")
