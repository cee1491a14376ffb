"""Limits of time, and which limits this host can enforce. Stand-alone."""

from __future__ import annotations

import os
import select
import time

from agentrunner.process import procfs, resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEADLINE_CHECK_S = 3.0


class Clock:
    """Time that counts: monotonic, without what was frozen."""

    def __init__(self) -> None:
        self._frozen_since = 0.0
        self._frozen = 0.0

    def now(self) -> float:
        """Seconds that have counted."""
        return (self._frozen_since or time.monotonic()) - self._frozen

    @property
    def is_stopped(self) -> bool:
        """True between `stop` and `go`."""
        return self._frozen_since > 0

    def stop(self) -> None:
        """Frozen from now on."""
        self._frozen_since = self._frozen_since or time.monotonic()

    def go(self) -> None:
        """Going again."""
        if self._frozen_since:
            self._frozen += time.monotonic() - self._frozen_since
            self._frozen_since = 0.0


class Limits:
    """The wall, start and idle limits of a spec, in seconds that count; none is due before `begin`."""

    def __init__(self, spec: dict[str, Any], clock: Clock) -> None:
        self.clock = clock
        self._allowed = {name: spec[name] for name in ("wall_s", "start_s", "idle_s") if spec.get(name) is not None}
        self._began: float | None = None
        self._last_output: float | None = None
        self._idle_from = 0.0
        self._idle_held = False

    def begin(self) -> None:
        """The agent executes from now on."""
        self._began = self._idle_from = self.clock.now()

    def note_output(self) -> None:
        """The agent has written something."""
        self._last_output = self._idle_from = self.clock.now()

    def hold_idle(self, hold: bool) -> None:
        """Whether a person is awaited: no idle time then, and a new start of it behind."""
        self._idle_held = hold
        self._idle_from = self.clock.now()

    def spent(self, name: str) -> dict[str, object]:
        """What a limit allows and what was used of it, in seconds."""
        since = self._idle_from if name == "idle_s" else self._began or 0.0
        return {"value": self._allowed[name], "used": round(self.clock.now() - since, 3)}

    def next(self) -> tuple[str, float] | None:
        """The limit that is hit first, and in how many seconds; None where none will be, or time stands still."""
        if self._began is None or not self._allowed or self.clock.is_stopped:
            return None
        since = {"wall_s": self._began}
        if self._last_output is None:
            since["start_s"] = self._began
        if not self._idle_held:
            since["idle_s"] = self._idle_from
        now = self.clock.now()
        left = [(self._allowed[name] - (now - at), name) for name, at in since.items() if name in self._allowed]
        return (min(left)[1], min(left)[0]) if left else None


class Deadline:
    """Until when the run may live without a worker's word, on CLOCK_BOOTTIME: a host that sleeps lets it pass too.

    Where the run has an owner, pid and start time of a process, its death is the deadline; `owner` is its pidfd.
    """

    def __init__(self, at: float | None, owner: list[int] | None = None) -> None:
        self._at = at
        self._epoll: select.epoll | None = None
        self.owner = -1
        if owner is not None:
            self._find(*owner)

    def _find(self, pid: int, started: int) -> None:
        try:
            self.owner = os.pidfd_open(pid)
        except OSError:
            self._at = 0.0
            return
        # Behind pidfd_open: whoever has the number now, it is no other later.
        if procfs.start_time(pid) != started:
            self._at = 0.0

    def watch(self, epoll: select.epoll) -> None:
        """Have the owner's death wake the caller, who then calls `pass_now`."""
        if self.owner >= 0:
            epoll.register(self.owner, select.EPOLLIN)
            self._epoll = epoll

    def pass_now(self) -> None:
        """The owner is dead."""
        self._forget_owner()
        self._at = 0.0

    def _forget_owner(self) -> None:
        if self.owner >= 0:
            if self._epoll is not None:
                self._epoll.unregister(self.owner)
            os.close(self.owner)
            self.owner = -1

    def move(self, at: float) -> None:
        """Later, never earlier; a run without one gets none."""
        if self._at is not None:
            self._at = max(self._at, at)

    def left(self) -> float | None:
        """Seconds to wait at most before asking again; 0 once it has passed.

        Waiting is on a clock that stops while the host sleeps, so it is bounded.
        """
        if self._at is None:
            return None
        return max(0.0, min(self._at - time.clock_gettime(time.CLOCK_BOOTTIME), _DEADLINE_CHECK_S))

    def clear(self) -> None:
        """It has been acted upon."""
        self._forget_owner()
        self._at = None


def enforceable() -> dict[str, str | None]:
    """Each limit of a run: None where this host enforces it, else why not."""
    own = dict.fromkeys(("wall_s", "idle_s", "start_s", "output_mb"))
    found = resources.probe()
    return {**own, **{name: found.refused.get(name) for name in resources.LIMITS}}
