"""What every use case is given: the database, the settings, the clock, and the doors to backends and secrets."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agentrunner.config import Settings
from agentrunner.domain.check import Check
from agentrunner.engine.wakeups import Wakeups
from agentrunner.store.base import Database


class Checkable(Protocol):
    """A backend, as far as the engine asks it."""

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions where a run with these options can never start."""
        ...


class Backends(Protocol):
    """The known backends."""

    @property
    def names(self) -> Sequence[str]:
        """Their names, sorted."""
        ...

    def get(self, name: str) -> Checkable:
        """The backend of this name; raises InvalidField naming those there are."""
        ...


class Secrets(Protocol):
    """Where the secrets of runs are kept."""

    def put(self, run_id: int, secrets: dict[str, str]) -> None:
        """Store them durably."""
        ...

    def get(self, run_id: int) -> dict[str, str]:
        """Answer them; empty where there are none any more."""
        ...

    def kept(self) -> list[int]:
        """The runs whose secrets are there."""
        ...

    def delete(self, run_id: int) -> None:
        """Forget them."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """One per server process. `clock` answers milliseconds and never steps back; `new_uid` answers a random name.

    `checks` is what `doctor` finds of this server and its host; it takes seconds, and a thread.
    """

    db: Database
    settings: Settings
    backends: Backends
    secrets: Secrets
    wakeups: Wakeups
    clock: Callable[[], int]
    new_uid: Callable[[], str]
    checks: Callable[[], Sequence[Check]] = tuple


def steady_clock() -> Callable[[], int]:
    """Wall time in milliseconds at the first call, monotonic from there: a clock that is set moves no lease."""
    origin = time.time_ns() - time.monotonic_ns()
    return lambda: (origin + time.monotonic_ns()) // 1_000_000
