"""`agentrunner doctor`: what this host can do, and what to do about what it cannot."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from agentrunner.cli import failures
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.domain.check import Check
    from agentrunner.domain.worker import WorkerView

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
    """Print what was found, a line each; where it is not well, why that matters and what mends it."""
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
    if check.status == "ok":
        return
    for text in (check.why, check.advice):
        if text:
            out.line(f"    {one_line(text)}")


def _server_checks(session: Session) -> Iterator["Check"]:
    """Whether a server answers, knows our token, is of this version, and has a worker."""
    from agentrunner.client import workers
    from agentrunner.client.http import Http
    from agentrunner.domain.check import Check
    from agentrunner.domain.errors import AgentRunnerError, ServerUnreachable

    why = "Commands ask it, workers get their runs from it; agents that run go on without it."
    try:
        http: Http = session.http
        found = list(workers.every(http))
        version = http.get("/v1/config", Versions).version
    except ServerUnreachable as error:
        advice = "`agentrunner up` starts one."
        yield Check(name="server", status="warn", detail=error.detail, why=why, advice=advice)
        return
    except AgentRunnerError as error:
        detail = "it refuses this command"
        yield Check(name="server", status="fail", detail=detail, why=why, advice=error.detail)
        return
    yield Check(name="server", status="ok", detail=f"answers at {http.target.words}", why=why)
    online = [worker for worker in found if worker.online]
    yield _versions(version, online)
    yield _workers(online, len(found))


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Of a server's configuration what matters here."""

    version: str


def _versions(server: str, online: "Sequence[WorkerView]") -> "Check":
    from agentrunner import __version__
    from agentrunner.domain.check import Check

    named = [("this command", __version__), *((f"worker {worker.name}", worker.version) for worker in online)]
    others = [f"{name} {version}" for name, version in named if version != server]
    why = "Neighbouring versions understand each other; others refuse what they do not know."
    if not others:
        return Check(name="versions", status="ok", detail=f"all {server}", why=why)
    detail = f"the server is {server}, {', '.join(others)}"
    advice = f"pip install agentrunner=={server} there, or the newest everywhere; then start it again. Agents go on."
    return Check(name="versions", status="warn", detail=detail, why=why, advice=advice)


def _workers(online: "Sequence[WorkerView]", known: int) -> "Check":
    from agentrunner.domain.check import Check

    why = "Without one runs stay queued."
    names = ", ".join(f"{worker.name} ({worker.running} of {worker.slots} slots)" for worker in online)
    if online:
        return Check(name="worker", status="ok", detail=f"online: {names}", why=why)
    advice = "`agentrunner up` or `agentrunner worker` starts one."
    return Check(name="worker", status="warn", detail=f"none of {known} is online", why=why, advice=advice)
