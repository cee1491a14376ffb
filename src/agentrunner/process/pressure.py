"""That an agent has to wait for room in its spools, said without flooding its timeline. Stand-alone."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agentrunner.process.facts import Journal

SAY_EVERY_S = 60.0
"""That the agent has to wait is said at once, and then at most this often, with counts."""


class Pressure:
    """How often and how long the agent had to wait, as facts `limit` of the limit `spool_cap`.

    The first wait is said at once, then what is new at most every `SAY_EVERY_S`, and the rest at the end. `words` are
    the states of waiting and of going on.
    """

    def __init__(self, journal: Journal, words: tuple[str, str]) -> None:
        self._journal = journal
        self._words = words
        self._times = 0
        self._waited = self._since = 0.0
        self._said: tuple[int, bool] = (0, False)
        self._said_at = -SAY_EVERY_S

    def begin(self) -> None:
        """The agent waits from now on."""
        if not self._since:
            self._times += 1
            self._since = time.monotonic()
            self.say()

    def end(self) -> None:
        """It goes on."""
        if self._since:
            self._waited += time.monotonic() - self._since
            self._since = 0.0
            self.say()

    def left(self) -> float | None:
        """Seconds until there is something to say; None where there is nothing."""
        if self._said == (self._times, self._since > 0):
            return None
        return max(0.0, self._said_at + SAY_EVERY_S - time.monotonic())

    def say(self, at_once: bool = False) -> None:
        """Say what is new, where it is time for that or nobody could later."""
        if (left := self.left()) is None or (left > 0 and not at_once):
            return
        self._said, self._said_at = (self._times, self._since > 0), time.monotonic()
        waited = self._waited + (self._said_at - self._since if self._since else 0.0)
        state = self._words[0 if self._since else 1]
        self._journal.note("limit", limit="spool_cap", state=state, times=self._times, waited_s=round(waited, 3))
