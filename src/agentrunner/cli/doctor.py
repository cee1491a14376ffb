"""`agentrunner doctor`: what this host can do, and what to do about what it cannot."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from agentrunner.cli import failures
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.domain.check import Check

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command(short_help="Check what this host can do.")
@server_options
@pass_session
def doctor(session: Session) -> int:
    """Check agents' programs, process trees, limits, directories, server and worker. Exit code 1 where a check fails.

    A backend whose program is missing is only a warning: nobody needs them all.
    """
    from agentrunner.app.doctor import checks
    from agentrunner.cli.busy import Busy

    busy = Busy(session.out)
    try:
        with busy.waiting("Looking at this host"):
            found = [*checks(session.settings), *_server_checks(session)]
    finally:
        busy.close()
    show(session, found)
    return failures.FAILURE if any(check.status == "fail" for check in found) else failures.OK


def show(session: Session, found: "list[Check]") -> None:
    """Print what was found, a line each."""
    if session.out.as_json:
        session.out.json({"items": found, "next_cursor": None})
        return
    for check in found:
        _print(session, check)


def _print(session: Session, check: "Check") -> None:
    from agentrunner.cli.terminal import one_line

    out = session.out
    mark, colour = _MARKS[check.status]
    out.line(f"{out.paint(mark, colour)} {out.paint(one_line(check.name), bold=True)}: {one_line(check.detail)}")
    if check.advice and check.status != "ok":
        out.line(f"    {one_line(check.advice)}")


def _server_checks(session: Session) -> Iterator["Check"]:
    """Whether a server answers, knows our token, and has a worker."""
    from agentrunner.client import workers
    from agentrunner.domain.check import Check
    from agentrunner.domain.errors import AgentRunnerError, ServerUnreachable

    try:
        http = session.http
        found = list(workers.every(http))
    except ServerUnreachable as error:
        yield Check(name="server", status="warn", detail=error.detail, advice="`agentrunner up` starts one.")
        return
    except AgentRunnerError as error:
        yield Check(name="server", status="fail", detail="it refuses this command", advice=error.detail)
        return
    yield Check(name="server", status="ok", detail=f"answers at {http.target.words}")
    online = [worker for worker in found if worker.online]
    advice = "`agentrunner up` or `agentrunner worker` starts one; until then runs stay queued."
    names = ", ".join(f"{worker.name} ({worker.running} of {worker.slots} slots)" for worker in online)
    if online:
        yield Check(name="worker", status="ok", detail=f"online: {names}")
    else:
        yield Check(name="worker", status="warn", detail=f"none of {len(found)} is online", advice=advice)
