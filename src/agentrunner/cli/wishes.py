"""`agentrunner pause`, `resume` and `stop`: wishes for runs, reported once they are facts."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from agentrunner.cli import failures
from agentrunner.cli.busy import Busy
from agentrunner.cli.ids import RUN_ID
from agentrunner.cli.session import Session, pass_session, server_options
from agentrunner.cli.where import act, where_options

if TYPE_CHECKING:
    from agentrunner.client.runs import Verb
    from agentrunner.domain.run import RunView

WAIT_S = 10.0
STOP_WAIT_S = 30.0
"""Longer than the grace (10 s) between asking an agent to end and killing its tree."""
_LONGEST_PAUSE_S = 0.5


def _options(wait_s: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        wait = click.option("--wait", "wait_s", type=click.FloatRange(0, 86_400), default=wait_s, metavar="S",
                            help=f"How long to wait for the fact; {wait_s:g} s by default, 0: not at all.")  # fmt: skip
        return wait(server_options(command))

    return decorate


@click.command(short_help="Freeze runs with every process of theirs.")
@click.argument("ids", metavar="ID…", nargs=-1, type=RUN_ID)
@where_options
@_options(WAIT_S)
@pass_session
def pause(session: Session, /, ids: tuple[int, ...], wait_s: float, where: str | None, yes: bool) -> int:
    """Freeze every process of some runs; one that is queued is held there. Paused time counts against no limit."""
    if where is not None:
        _check_alone(ids)
        return act(session, "pause", where, is_agreed=yes)
    return _Wishes(session, "pause", wait_s).all(_named(ids, "pause"))


@click.command(short_help="Let paused runs go on.")
@click.argument("ids", metavar="ID…", nargs=-1, type=RUN_ID)
@where_options
@_options(WAIT_S)
@pass_session
def resume(session: Session, /, ids: tuple[int, ...], wait_s: float, where: str | None, yes: bool) -> int:
    """Let paused runs go on where they were."""
    if where is not None:
        _check_alone(ids)
        return act(session, "resume", where, is_agreed=yes)
    return _Wishes(session, "resume", wait_s).all(_named(ids, "resume"))


@click.command(short_help="End runs and every process of theirs.")
@click.argument("ids", metavar="ID…", nargs=-1, type=RUN_ID)
@click.option("--all", "everything", is_flag=True, help="Every run that is queued or active, also without a server.")
@where_options
@_options(STOP_WAIT_S)
@pass_session
def stop(
    session: Session, /, ids: tuple[int, ...], everything: bool, wait_s: float, where: str | None, yes: bool
) -> int:
    """End runs: interrupt, terminate, after a grace kill; nothing of their trees is left.

    `--all` works without a server too: it starts one, and a worker, for as long as that takes.
    """
    if where is not None:
        _check_alone(ids, everything)
        return act(session, "stop", where, is_agreed=yes)
    if everything == bool(ids):
        raise click.UsageError("name the runs to stop, or `--all`" if not ids else "name runs or `--all`, not both")
    wishes = _Wishes(session, "stop", wait_s)
    if not everything:
        return wishes.all(ids)
    with _server(session):
        found = _active(session)
        if not found:
            session.out.note("No run is active.")
        return wishes.all(found)


def _named(ids: tuple[int, ...], verb: str) -> tuple[int, ...]:
    if not ids:
        raise click.UsageError(f"name the runs to {verb}, or say which with `--where QUERY`")
    return ids


def _check_alone(*others: object) -> None:
    if any(others):
        raise click.UsageError("--where says which runs; leave out ids and `--all`")


def _server(session: Session) -> AbstractContextManager[None]:
    """A server to ask: the one that runs, else one of our own while the block lasts."""
    from agentrunner.app.stop import serving
    from agentrunner.client.http import Http
    from agentrunner.domain.errors import ServerUnreachable

    if session.settings.server_url:
        return nullcontext()
    with Http.connect(session.settings) as probe:
        try:
            probe.get("/health", dict[str, Any])
        except ServerUnreachable:
            session.out.note("No server answers; starting one to stop what is left.")
            return serving(session.settings)
    return nullcontext()


def _active(session: Session) -> list[int]:
    from agentrunner.client.runs import Filter, every
    from agentrunner.domain.state import Status

    wanted = Filter(status=[Status.QUEUED, Status.RUNNING, Status.PAUSED])
    return sorted(run.id for run in every(session.http, wanted) if run.backend != "external")


class _Wishes:
    """One wish for some runs, and a line about each as soon as it is a fact or refused."""

    def __init__(self, session: Session, verb: "Verb", wait_s: float) -> None:
        self._session = session
        self._verb = verb
        self._wait_s = wait_s
        self._code = failures.OK
        self._busy = Busy(session.out)

    def all(self, ids: Iterable[int]) -> int:
        """Wish, wait, report; answers the exit code: that of the first run where it did not become a fact."""
        from agentrunner.client.runs import wish

        pending = []
        for run_id in dict.fromkeys(ids):
            with self._reporting():
                wished = wish(self._session.http, run_id, self._verb)
                if wished.is_fact or self._wait_s == 0:
                    self._say(wished.run, is_fact=wished.is_fact)
                else:
                    pending.append(run_id)
        plural = "" if len(pending) == 1 else "s"
        with self._busy.waiting(f"Waiting for {len(pending)} run{plural} to {self._verb} …"):
            self._wait(pending)
        self._busy.close()
        return self._code

    def _wait(self, pending: list[int]) -> None:
        deadline = time.monotonic() + self._wait_s
        pause_s = 0.02
        while pending:
            is_over = time.monotonic() >= deadline
            pending = [run_id for run_id in pending if not self._is_settled(run_id, is_over)]
            if pending:
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _is_settled(self, run_id: int, is_over: bool) -> bool:
        """Whether nothing more is to be waited for; says so where it is."""
        from agentrunner.client.runs import explain, get

        with self._reporting():
            is_fact = explain(self._session.http, run_id).pending is None
            if not is_fact and not is_over:
                return False
            self._say(get(self._session.http, run_id), is_fact=is_fact)
        return True

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Around what concerns one run: a refusal is reported and counted, and the other runs have their turn."""
        from agentrunner.domain.errors import AgentRunnerError, ServerUnreachable

        try:
            yield
        except ServerUnreachable:
            raise
        except AgentRunnerError as error:
            with self._busy.aside():
                self._note(failures.report(error))

    def _note(self, code: int) -> None:
        self._code = self._code or code

    def _say(self, run: "RunView", *, is_fact: bool) -> None:
        from agentrunner.cli.results import COLOURS, state

        out = self._session.out
        if not is_fact and self._wait_s > 0:
            self._note(failures.FAILURE)
        if out.as_json:
            out.json(run, is_line=True)
            return
        rest = (
            "" if is_fact else f"  {self._verb} is wished, not confirmed yet; `agentrunner explain {run.id}` says why"
        )
        out.line(f"{run.id:>6}  {out.paint(state(run), COLOURS[run.status])}{rest}")
