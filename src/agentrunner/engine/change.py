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
from agentrunner.domain.span import SPAN_TYPES
from agentrunner.domain.state import ACTIVE, REASONS, Cause, Phase, Reason, Status, next_status
from agentrunner.engine import rollups, spans
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC, run_topic
from agentrunner.store import events, runs, stats
from agentrunner.store.base import Tx


class Change:
    """What one transaction does to a run that it has locked; `run` is always the run as it will be."""

    def __init__(self, run: Run, now: int) -> None:
        self.now = now
        self._run = run
        self._stored = run
        self._last_seq = run.last_seq
        self._events: list[events.Row] = []
        self._told: list[spans.Told] = []

    @property
    def run(self) -> Run:
        """The run with what was gathered; made once for many events, as making one costs more than an event."""
        if self._run.last_seq != self._last_seq:
            self._run = msgspec.structs.replace(self._run, last_seq=self._last_seq)
        return self._run

    @property
    def status(self) -> Status:
        """The run's status as it will be."""
        return self._run.status

    @property
    def has_ended(self) -> bool:
        """True where this change ends the run."""
        return self.status.is_terminal and not self._stored.status.is_terminal

    def set(self, **fields: Any) -> None:
        """Change fields other than the status."""
        self._run = msgspec.structs.replace(self._run, **fields)

    def enter(self, phase: Phase | None) -> None:
        """Be in another phase from now, or in none."""
        self.set(phase=phase, phase_since=None if phase is None else self.now)

    def emit(self, event: NewEvent, *, late: bool = False, attempt: int | None = None) -> None:
        """Append an event; `attempt` is the run's current one unless said."""
        self._last_seq += 1
        number = self._run.attempt if attempt is None else attempt
        ts = self.now if event.ts is None else event.ts
        self._events.append(events.row(event, (self._run.id, self._last_seq, number), ts, late=late))
        if event.type in SPAN_TYPES and not late:
            self._told.append(spans.Told(self._last_seq, ts, event))

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

    def gathered(self, tx: Tx) -> tuple[dict[str, Any], list[events.Row], dict[str, int]]:
        """What is to be written: the fields of the row, the events, and how the counters have to change."""
        before, after = self._stored, self.run
        fields = {
            name: value
            for name in Run.__struct_fields__
            if (value := getattr(after, name)) is not getattr(before, name) and value != getattr(before, name)
        }
        if not fields:
            return {}, [], {}
        self._announce(tx, fields)
        return fields, self._events, counter_changes(before, after) if before.status is not after.status else {}

    async def trace(self, tx: Tx) -> None:
        """Begin and end the spans that the events told of."""
        if self._told:
            await spans.derive(tx, self.run.id, self._told)
        if self.has_ended:
            await spans.close(tx, self.run, self.now)

    def _announce(self, tx: Tx, changed: dict[str, Any]) -> None:
        tx.after_commit(run_topic(self.run.id))
        if changed.keys() - {"last_seq"}:
            tx.after_commit(RUNS_TOPIC)
        freed = self._stored.status in ACTIVE and self.run.status not in ACTIVE
        released = self.run.status is Status.QUEUED and "hold" in changed
        if freed or released:
            tx.after_commit(QUEUE_TOPIC)


async def append(tx: Tx, run_id: int, reported: Sequence[NewEvent], now: int) -> int | None:
    """Append events that change nothing of a run but their counter; its last `seq` then, None where it is over.

    No row is read for it, which is most of what a single event would cost.
    """
    found = await runs.advance(tx, run_id, len(reported))
    if found is None:
        return None
    last_seq, attempt = found
    first = last_seq - len(reported) + 1
    rows = [
        events.row(event, (run_id, seq, attempt), now if event.ts is None else event.ts)
        for seq, event in enumerate(reported, first)
    ]
    await events.insert(tx, rows)
    tx.after_commit(run_topic(run_id))
    return last_seq


async def save_all(tx: Tx, changes: Sequence[Change]) -> list[Run]:
    """Save changes of several runs, which the caller has locked all; answers the runs as stored.

    Counters and roll-ups come last and together: whoever holds one waits for no run any more and takes the next in the
    order of their names, so no two transactions wait for each other.
    """
    updates: list[tuple[int, dict[str, Any]]] = []
    rows: list[events.Row] = []
    counters: Counter[str] = Counter()
    for change in changes:
        fields, emitted, counted = change.gathered(tx)
        if fields:
            updates.append((change.run.id, fields))
        rows += emitted
        counters.update(counted)
    await runs.update(tx, updates)
    await events.insert(tx, rows)
    for change in changes:
        await change.trace(tx)
    await stats.add(tx, counters)
    if ended := [change.run for change in changes if change.has_ended]:
        await rollups.grow(tx, ended)
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
