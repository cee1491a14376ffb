"""The steps of a stop: interrupt, terminate, kill. Stand-alone."""

from __future__ import annotations

import time

_TERMINATE_AT = 1 / 3


class Stopping:
    """Interrupt at once, terminate after a third of the grace, kill after all of it.

    A frozen tree is not interrupted but terminated at once: it is thawed only to die, so it gets the clearer word,
    and a third less time.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[float, str]] = []
        self.has_begun = False

    def begin(self, grace_s: float, is_frozen: bool) -> None:
        """Begin; a second time it can only become quicker."""
        now = time.monotonic()
        steps = [(now, "interrupt"), (now + grace_s * _TERMINATE_AT, "terminate"), (now + grace_s, "kill")]
        if is_frozen:
            steps = [(now, "terminate"), (now + grace_s * (1 - _TERMINATE_AT), "kill")]
        if grace_s <= 0:
            steps = [(now, "kill")]
        if not self.has_begun or (self._steps and steps[-1][0] < self._steps[-1][0]):
            self._steps = steps
        self.has_begun = True

    def left(self) -> float | None:
        """Seconds until the next step; None where there is none."""
        return max(0.0, self._steps[0][0] - time.monotonic()) if self._steps else None

    def due(self) -> list[str]:
        """The steps that are due, each once."""
        steps: list[str] = []
        while self._steps and self._steps[0][0] <= time.monotonic():
            steps.append(self._steps.pop(0)[1])
        return steps
