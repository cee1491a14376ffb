"""`Client`: what a program can ask of a server, each call answered when it is done."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from agentrunner.client import run_calls, runs, stream
from agentrunner.client.absence import PATIENCE_S
from agentrunner.client.call import Call
from agentrunner.client.events import each_event
from agentrunner.client.http import Http, T
from agentrunner.client.request import pauses
from agentrunner.client.run_calls import Filter, Stored, Wished
from agentrunner.client.target import Target, find
from agentrunner.client.wanted import Wanted
from agentrunner.config import load
from agentrunner.domain.decision import InputView
from agentrunner.domain.event import EventView
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.run import NewRun, RunView

_LONGEST_POLL_S = 0.5


def target_of(server: str | None, token: str | None, data_dir: str | os.PathLike[str] | None) -> Target:
    """The server asked for, else the one that a command of this user would find. Raises BadSetting."""
    directory = None if data_dir is None else os.fspath(data_dir)
    return find(load(os.environ, {"server_url": server, "token": token, "data_dir": directory}))


class Client:
    """A server, found as the command line finds it; `server`, `token` and `data_dir` say otherwise.

    Used by one thread at a time. Requests that can do no harm twice are repeated while a server restarts; a create
    carries an Idempotency-Key of its own. Raises the server's errors (`agentrunner.domain.errors`), ServerUnreachable
    among them. Close it, or use it in a `with` block.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.http = Http(target_of(server, token, data_dir))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; more than once is harmless."""
        self.http.close()

    def call(self, call: Call[T]) -> T:
        """Make a call that has no method here."""
        return self.http.call(call)

    def create(self, goal: str = "", *, key: str | None = None, **wanted: Any) -> RunView:
        """Create a run; `wanted` are the fields of `NewRun`. The same `key` answers the same run.

        Without a `backend` but with `options={"argv": …}` it is a command. Raises InvalidField.
        """
        return self.call(run_calls.create(Wanted(goal, wanted).request(), key))

    def create_all(self, new: Sequence[NewRun], *, key: str | None = None) -> list[RunView]:
        """Create up to 1,000 runs, all or none."""
        return self.call(run_calls.create_all(new, key))

    def run(self, run_id: int) -> RunView:
        """A run as it is now."""
        return self.call(run_calls.get(run_id))

    def runs(self, wanted: Filter | str = "") -> Iterator[RunView]:
        """Every run that a filter or a query finds, the newest first."""
        return runs.every(self.http, Filter(text=wanted) if isinstance(wanted, str) else wanted)

    def events(self, run_id: int, after: int = 0, types: Sequence[str] = ()) -> Iterator[EventView]:
        """Every stored event behind `seq` `after`, in order, of all types or some."""
        return each_event(self.http, run_id, after, types)

    def follow(
        self,
        run_id: int,
        after: int = 0,
        *,
        patience_s: float = PATIENCE_S,
        notice: Callable[[bool], None] = lambda _: None,
    ) -> Iterator[EventView | RunView]:
        """Every event behind `after` as it comes, then the run as it ended: no gap and no double.

        A server that is killed and started again is found again; `notice` is told True when it goes away and False
        when it is back. Raises ServerUnreachable after `patience_s` seconds without it.
        """
        return stream.follow(self.http, run_id, after, patience_s=patience_s, notice=notice)

    def wait(self, run_id: int, timeout: float | None = None) -> RunView:
        """Wait until a run has ended; answers it as it ended. Raises TimeoutError after `timeout` seconds."""
        run = self.run(run_id)
        if timeout is None and not run.status.is_terminal:
            for item in self.follow(run_id, run.last_seq):
                if isinstance(item, RunView):
                    return item
        deadline, waiting = time.monotonic() + (timeout or 0.0), pauses(lambda: 1.0, _LONGEST_POLL_S)
        while not run.status.is_terminal:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"Run {run_id} is {run.status} after {timeout} s.")
            time.sleep(min(next(waiting), left))
            run = self.run(run_id)
        return run

    def pause(self, run_id: int) -> Wished:
        """Freeze a run with every process of its; `is_fact` says whether it stands still already."""
        return self.call(run_calls.wish(run_id, "pause"))

    def resume(self, run_id: int) -> Wished:
        """Let a paused run go on."""
        return self.call(run_calls.wish(run_id, "resume"))

    def stop(self, run_id: int) -> Wished:
        """End a run and every process of its."""
        return self.call(run_calls.wish(run_id, "stop"))

    def retry(self, run_id: int) -> RunView:
        """A new run with the request of a finished one."""
        return self.call(run_calls.retry(run_id))

    def send(self, run_id: int, text: str) -> InputView:
        """Text for a run's agent, stored first and delivered once."""
        return self.call(run_calls.send_input(run_id, text))

    def explain(self, run_id: int) -> Explanation:
        """Why a run is where it is."""
        return self.call(run_calls.explain(run_id))

    def report(self, run_id: int, events: Sequence[dict[str, Any]]) -> Stored:
        """Store events of a program that runs elsewhere, all or none, once however often they have to be sent."""
        return self.call(run_calls.report(run_id, events))
