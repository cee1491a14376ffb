"""One change of one run: its fields and its events, gathered first and written together.

Every status change goes through `move`, so each has exactly one event and the counters follow.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from agentrunner.domain.errors import InvalidTransition
from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.run import Run
from agentrunner.domain.state import ACTIVE, REASONS, Cause, Phase, Reason, Status, next_status
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC, run_topic
from agentrunner.store import events, runs, stats
from agentrunner.store.base import Tx


class Change:
    """What one transaction does to a run that it has locked; `run` is always the run as it will be."""

    def __init__(self, run: Run, now: int) -> None:
        self.run = run
        self.now = now
        self._stored = run
        self._events: list[events.Numbered] = []

    def set(self, **fields: Any) -> None:
        """Change fields other than the status."""
        self.run = msgspec.structs.replace(self.run, **fields)

    def enter(self, phase: Phase | None) -> None:
        """Be in another phase from now, or in none."""
        self.set(phase=phase, phase_since=None if phase is None else self.now)

    def emit(self, event: NewEvent, *, late: bool = False, attempt: int | None = None) -> None:
        """Append an event; `attempt` is the run's current one unless said."""
        seq = self.run.last_seq + 1
        number = self.run.attempt if attempt is None else attempt
        ts = self.now if event.ts is None else event.ts
        self._events.append(events.Numbered(self.run.id, seq, number, ts, late, event))
        self.run = msgspec.structs.replace(self.run, last_seq=seq)

    def move(self, cause: Cause, event: NewEvent | None = None, **fields: Any) -> None:
        """Change the status by the table, with its one event. Raises InvalidTransition."""
        status = next_status(self.run.status, cause)
        if status is None:
            raise InvalidTransition(
                f"Run {self.run.id} is {self.run.status}: {cause} is not possible.", current=self.run.status
            )
        self.emit(event or new_event(cause.event_type))
        self.set(status=status, **fields)

    async def save(self, tx: Tx) -> Run:
        """Write what was gathered; answers the run as stored."""
        await save_all(tx, [self])
        return self.run

    async def write(self, tx: Tx) -> dict[str, int]:
        """Write the row and the events; answers how the counters have to change."""
        before, after = self._stored, self.run
        changed = {
            name: value
            for name in Run.__struct_fields__
            if (value := getattr(after, name)) is not getattr(before, name) and value != getattr(before, name)
        }
        if not changed:
            return {}
        await runs.update(tx, after.id, changed)
        await events.insert(tx, self._events)
        self._announce(tx, changed)
        return counter_changes(before, after) if before.status is not after.status else {}

    def _announce(self, tx: Tx, changed: dict[str, Any]) -> None:
        tx.after_commit(run_topic(self.run.id))
        if changed.keys() - {"last_seq"}:
            tx.after_commit(RUNS_TOPIC)
        freed = self._stored.status in ACTIVE and self.run.status not in ACTIVE
        released = self.run.status is Status.QUEUED and "hold" in changed
        if freed or released:
            tx.after_commit(QUEUE_TOPIC)


async def save_all(tx: Tx, changes: Sequence[Change]) -> list[Run]:
    """Save changes of several runs, which the caller has locked all; answers the runs as stored.

    The counters come last and together: whoever holds one waits for no run any more and takes the next in the order of
    their names, so no two transactions wait for each other.
    """
    counters: Counter[str] = Counter()
    for change in changes:
        counters.update(await change.write(tx))
    await stats.add(tx, counters)
    return [change.run for change in changes]


def counter_changes(before: Run | None, after: Run) -> dict[str, int]:
    """How the counters change when a run changes its status: runs by status, active runs by what caps them."""
    changes: Counter[str] = Counter()
    for run, sign in ((before, -1), (after, 1)):
        if run is None:
            continue
        changes[f"status/{run.status}"] += sign
        if run.status in ACTIVE and run.backend != "external":
            changes["active"] += sign
            changes[f"active/project/{run.project_id}"] += sign
            changes[f"active/backend/{run.backend}"] += sign
            if run.agent is not None:
                changes[f"active/agent/{run.agent}"] += sign
    return changes


def ending_event(cause: Cause, reason: Reason | None, **payload: Any) -> NewEvent:
    """The event of an attempt's end, saying why and what to do about it."""
    advice = None if reason is None else REASONS[reason].what_to_do
    given = {**payload, "reason": reason, "what_to_do": advice}
    known = {name: value for name, value in given.items() if value is not None}
    return new_event(cause.event_type, known, level="error" if cause is Cause.FAILED else "info")
