"""Watching a run to its end: events as they come, and what Ctrl-C means."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal

import click

from agentrunner.cli.busy import Busy
from agentrunner.cli.events import Timeline, raw_lines
from agentrunner.cli.interrupts import Interrupts
from agentrunner.cli.keys import keys
from agentrunner.cli.output import Output
from agentrunner.cli.results import result
from agentrunner.cli.session import Session
from agentrunner.client import runs, stream
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView

Choice = Literal["detach", "stop", "continue"]
Printer = Callable[[EventView], None]
_ANSWERS: dict[str, Choice] = {
    "d": "detach",
    "s": "stop",
    "c": "continue",
    "\x03": "detach",
    "\x04": "detach",
    "": "detach",
}
"""By key; Ctrl-C again, Ctrl-D and a terminal that went away leave as well."""


class Detached(Exception):
    """The person stopped watching; the run goes on. `is_chosen`: they said so when asked."""

    def __init__(self, is_chosen: bool) -> None:
        super().__init__()
        self.is_chosen = is_chosen


def printer(out: Output, run: RunView, *, is_raw: bool = False) -> Printer:
    """How events are printed: as JSON lines, as the program's own lines only, or as a timeline."""
    if out.as_json:
        return lambda event: out.json(event, is_line=True)
    if is_raw:
        return lambda event: print_raw(out, event)
    timeline = Timeline(out, run.created_at)
    return lambda event: out.write(timeline.text(event))


def print_raw(out: Output, event: EventView) -> None:
    """The lines of the program's stdout to ours, those of its stderr to ours."""
    if (found := raw_lines(event)) is None:
        return
    stream_name, lines = found
    if stream_name == "stderr":
        safe = out.safe if out.errors_to_terminal else str
        sys.stderr.write("".join(f"{safe(line)}\n" for line in lines))
        sys.stderr.flush()
    else:
        out.write("".join(f"{out.safe(line)}\n" for line in lines))


def watch(session: Session, run: RunView, show: Printer, after: int = 0) -> RunView:
    """Show every event behind `after` until the run is over; answers it as it ended. Raises Detached."""
    watching = _Watching(session, run, show, after)
    try:
        with Interrupts() as interrupts:
            return watching.to_the_end(interrupts)
    finally:
        watching.busy.close()


def follow(session: Session, run: RunView, show: Printer, after: int) -> None:
    """Show every event behind `after` until the run is over, then its result; Ctrl-C just ends it."""
    for item in stream.follow(session.http, run.id, after, notice=lambda is_away: _notice(session.out, is_away)):
        if isinstance(item, RunView):
            finish(session, item)
        else:
            show(item)


def finish(session: Session, run: RunView) -> None:
    """The last word about a run that was watched to its end."""
    if session.out.as_json:
        session.out.json(run, is_line=True)
    else:
        session.out.note(result(run, int(time.time() * 1000)))


def how_to_go_on(run: RunView) -> str:
    """What to tell somebody who stops watching."""
    return f"Run {run.id} goes on. `agentrunner logs -f {run.id}` shows it again, `agentrunner stop {run.id}` ends it."


def _notice(out: Output, is_away: bool) -> None:
    if is_away:
        out.note("The server does not answer; the agent is not touched by that. Waiting for it …")
    else:
        out.note("The server is back.")


class _Watching:
    """One run being watched; `after` is the last event that was shown."""

    def __init__(self, session: Session, run: RunView, show: Printer, after: int) -> None:
        self._session = session
        self._run = run
        self._show = show
        self._after = after
        self._text = f"Run {run.id} is queued; `agentrunner explain {run.id}` says why."
        self.busy = Busy(session.out)

    def to_the_end(self, interrupts: Interrupts) -> RunView:
        while True:
            items = stream.follow(self._session.http, self._run.id, self._after, notice=self._notice)
            try:
                return self._consume(items, interrupts)
            except KeyboardInterrupt:
                self.busy.end()
                items.close()  # type: ignore[attr-defined]
            self._choose()

    def _consume(self, items: Iterator[EventView | RunView], interrupts: Interrupts) -> RunView:
        while True:
            self.busy.begin(self._text)
            with interrupts.waiting():
                item = next(items)
            self.busy.end()
            if isinstance(item, RunView):
                return item
            self._show(item)
            self._after = item.seq
            self._text = f"Run {self._run.id} is at work."

    def _notice(self, is_away: bool) -> None:
        self.busy.end()
        _notice(self._session.out, is_away)

    def _choose(self) -> None:
        choice = ask(self._session.out, self._run)
        if choice is None or choice == "detach":
            raise Detached(choice is not None)
        if choice == "stop":
            self._stop()

    def _stop(self) -> None:
        try:
            runs.wish(self._session.http, self._run.id, "stop")
        except AgentRunnerError as error:
            self._session.out.note(error.detail)
        else:
            self._session.out.note(f"Asked run {self._run.id} to stop.")


def ask(out: Output, run: RunView) -> Choice | None:
    """What to do now that Ctrl-C was pressed; None where there is nobody to ask."""
    if not (sys.stdin.isatty() and out.errors_to_terminal):
        return None
    question = f"\nRun {run.id} goes on by itself: [d]etach, [s]top it, [c]ontinue watching? "
    with keys(sys.stdin.fileno()) as next_key:
        while True:
            click.echo(question, nl=False, err=True)
            if (choice := _ANSWERS.get(next_key())) is not None:
                click.echo(choice, err=True)
                return choice
