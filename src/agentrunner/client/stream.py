"""Following a run: every event once, in order, over as many connections as that takes, then the run as it ended."""

import random
import time
from collections.abc import Callable, Generator, Iterator

from agentrunner.client.http import Http
from agentrunner.client.request import pauses
from agentrunner.client.sse import Frame, FrameTooLarge, Parser
from agentrunner.client.timeline import Broken, Timeline
from agentrunner.domain.errors import AgentRunnerError, ServerUnreachable, Unavailable
from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView

PATIENCE_S = 600.0
"""How long a server may be away before following it is given up."""
LONGEST_PAUSE_S = 2.0
_STEADY_S = 5.0


def follow(
    http: Http,
    run_id: int,
    after: int = 0,
    *,
    patience_s: float = PATIENCE_S,
    notice: Callable[[bool], None] = lambda _: None,
) -> Iterator[EventView | RunView]:
    """Every event behind `after` as it comes, and last the run once it is terminal: no gap and no double.

    A server that dies and comes back is found again; `notice` is told True when it goes away and False when it is
    back.
    Raises ServerUnreachable after `patience_s` seconds without it, and the server's own errors at once.
    """
    timeline = Timeline(after)
    absence = _Absence(patience_s, notice)
    error: AgentRunnerError
    while True:
        try:
            if (yield from _one_connection(http, run_id, timeline, absence)):
                return
            error = ServerUnreachable(f"The stream of run {run_id} ended before the run did.")
        except (ServerUnreachable, Unavailable) as unavailable:
            error = unavailable
        except (Broken, FrameTooLarge) as broken:
            error = AgentRunnerError(f"The stream of run {run_id} is not usable: {broken}.")
        absence.wait(error)


def _one_connection(
    http: Http, run_id: int, timeline: Timeline, absence: "_Absence"
) -> Generator[EventView | RunView, None, bool]:
    """What comes over one connection; True once the run itself came, which is the end."""
    with http.stream(f"/v1/runs/{run_id}/stream", timeline.last) as chunks:
        absence.connected()
        for frame in _frames(chunks, absence):
            if (item := timeline.take(frame)) is None:
                continue
            absence.ended()
            yield item
            if isinstance(item, RunView):
                return True
    return False


def _frames(chunks: Iterator[bytes], absence: "_Absence") -> Iterator[Frame]:
    parser = Parser()
    for chunk in chunks:
        yield from parser.feed(chunk)
        absence.heard()


class _Absence:
    """Since when nothing usable was heard, and how long to wait before asking again.

    An answer alone does not end it: a server that answers and falls silent again is asked ever less often too.
    """

    def __init__(self, patience_s: float, notice: Callable[[bool], None]) -> None:
        self._patience_s = patience_s
        self._notice = notice
        self._began_at: float | None = None
        self._connected_at = 0.0
        self._is_told = False
        self._waiting = pauses(random.random, LONGEST_PAUSE_S)

    def connected(self) -> None:
        """Somebody answers."""
        self._connected_at = time.monotonic()
        if self._is_told:
            self._is_told = False
            self._notice(False)

    def heard(self) -> None:
        """Bytes came; a connection that has lasted is a good one."""
        if self._began_at is not None and time.monotonic() - self._connected_at > _STEADY_S:
            self.ended()

    def ended(self) -> None:
        """Something of use came."""
        if self._began_at is not None:
            self._began_at = None
            self._waiting = pauses(random.random, LONGEST_PAUSE_S)

    def wait(self, error: AgentRunnerError) -> None:
        """Pause before the next connection. Raises `error` once patience is over."""
        now = time.monotonic()
        self._began_at = now if self._began_at is None else self._began_at
        left = self._began_at + self._patience_s - now
        if left <= 0:
            raise error
        if not self._is_told:
            self._is_told = True
            self._notice(True)
        time.sleep(min(next(self._waiting), left))
