"""How long somebody who follows a run waits for a server that is away; whoever uses it does the waiting."""

import random
import time
from collections.abc import Callable

from agentrunner.client.request import pauses
from agentrunner.domain.errors import AgentRunnerError

PATIENCE_S = 600.0
"""How long a server may be away before following it is given up."""
LONGEST_PAUSE_S = 2.0
_STEADY_S = 5.0


class Absence:
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

    def pause(self, error: AgentRunnerError) -> float:
        """Seconds to wait before the next connection. Raises `error` once patience is over."""
        now = time.monotonic()
        self._began_at = now if self._began_at is None else self._began_at
        left = self._began_at + self._patience_s - now
        if left <= 0:
            raise error
        if not self._is_told:
            self._is_told = True
            self._notice(True)
        return min(next(self._waiting), left)
