"""What goes once its retention is over: secrets, timelines, whole runs, figures of single minutes; raw output goes on
its worker.

A server sweeps in the background. Each transaction deletes few rows and pauses follow it, so that whoever writes waits
for one of them at most; killed anywhere, the next sweep goes on. Only runs that have ended are ever touched.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from agentrunner.domain.retention import Pruned
from agentrunner.domain.run import Run
from agentrunner.domain.stats import MINUTES_KEPT_MS
from agentrunner.engine.change import counter_changes
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import RUNS_TOPIC
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta, retention, rollups, runs, stats
from agentrunner.store.base import Tx
from agentrunner.store.retention import Old

DAY_MS = 86_400_000.0
MOST_ROWS = 500
_FIRST_ROWS, _LEAST_ROWS = 100, 10
_AIM_S = 0.010
"""A transaction that takes longer is followed by smaller ones: rows may be 64 KiB each, or a MiB."""
_LEAST_PAUSE_S, _PAUSE_FACTOR = 0.020, 4.0
_PAGE = 200
_SECRETS = 500
_RUN_ROWS = 10
"""What a run costs beside its events, so that no piece is of very many runs."""


class Sweep:
    """One pass over what is due; `until` (of the monotonic clock) ends it early, between two transactions."""

    def __init__(self, s: Services, until: float | None = None) -> None:
        self._s = s
        self._until = until
        self._rows = _FIRST_ROWS
        self.pruned = Pruned()

    async def run(self) -> Pruned:
        """Delete everything that is past its retention now; answers what that was. Raises Late."""
        self.pruned = Pruned(secrets=await _forget_secrets(self._s), instance_id=await _instance(self._s))
        if (before := cutoff(self._s, self._s.settings.retention_runs)) is not None:
            await self._s.db.write(retention.note_deleted, before)
            spared = await self._s.db.read(retention.newest)
            async for ids in self._groups(old async for old in due(self._s, before) if old.id not in spared):
                await self._delete_runs(ids, before)
        if (before := cutoff(self._s, self._s.settings.retention_events)) is not None:
            await self._s.db.write(retention.note_pruned, before)
            async for ids in self._groups(old async for old in due(self._s, before) if old.prunable):
                await self._prune_events(ids, before)
        await self._drop_minutes()
        return self.pruned

    async def _groups(self, found: AsyncIterator[Old]) -> AsyncIterator[list[int]]:
        """Small runs together, as many as make one piece; a large one alone."""
        group: list[int] = []
        rows = 0
        async for old in found:
            if group and rows + old.prunable > self._rows:
                yield group
                group, rows = [], 0
            group.append(old.id)
            rows += old.prunable + _RUN_ROWS
        if group:
            yield group

    def _add(self, runs: int = 0, events: int = 0) -> None:
        """Count a piece. Raises Late behind it where time is over, so that every call gets further."""
        self.pruned = self.pruned.plus(Pruned(runs=runs, events=events))
        if self._until is not None and time.monotonic() >= self._until:
            self.pruned = self.pruned.plus(Pruned(is_done=False))
            raise Late(self.pruned)

    async def _prune_events(self, ids: list[int], before: int) -> None:
        is_done = False
        while not is_done:
            begun, limit = time.monotonic(), self._rows
            count = await self._s.db.write(_prune_events, ids, before, limit)
            await self._rest(time.monotonic() - begun)
            is_done = count < limit
            self._add(events=count)

    async def _drop_minutes(self) -> None:
        """Figures of single minutes; those of their hours stay for ever."""
        before, is_done = self._s.clock() - MINUTES_KEPT_MS, False
        while not is_done:
            begun, limit = time.monotonic(), self._rows
            is_done = await self._s.db.write(rollups.drop_minutes, before, limit) < limit
            if not is_done:
                await self._rest(time.monotonic() - begun)
                self._add()

    async def _delete_runs(self, ids: list[int], before: int) -> None:
        for run_id in ids:
            self._s.secrets.delete(run_id)
        is_done = False
        while not is_done:
            begun = time.monotonic()
            count, is_done = await self._s.db.write(_delete_runs, ids, before, self._rows)
            await self._rest(time.monotonic() - begun)
            self._add(runs=count)

    async def _rest(self, took_s: float) -> None:
        """Let others write; the next transaction is larger or smaller by how long this one took, waiting included."""
        factor = 0.5 if took_s > _AIM_S else 2.0
        self._rows = max(_LEAST_ROWS, min(MOST_ROWS, round(self._rows * factor)))
        await asyncio.sleep(max(_LEAST_PAUSE_S, took_s * _PAUSE_FACTOR))


class Late(Exception):
    """Time was over; `pruned` is what was done."""

    def __init__(self, pruned: Pruned) -> None:
        super().__init__()
        self.pruned = pruned


async def sweep(s: Services) -> None:
    """One whole pass; called by every server process from time to time."""
    await Sweep(s).run()


async def prune(s: Services, within_s: float) -> Pruned:
    """Go on with a pass for so long; whoever wants it whole asks until it is done."""
    try:
        return await Sweep(s, time.monotonic() + within_s).run()
    except Late as late:
        return late.pruned


async def plan(s: Services) -> Pruned:
    """What a pass would delete now; nothing is changed."""
    found = Pruned(secrets=len(await _due_secrets(s)), instance_id=await _instance(s))
    runs_before = cutoff(s, s.settings.retention_runs)
    events_before = cutoff(s, s.settings.retention_events)
    latest = max((before for before in (runs_before, events_before) if before is not None), default=None)
    if latest is None:
        return found
    spared = await s.db.read(retention.newest)
    async for old in due(s, latest):
        assert old.ended_at is not None
        if runs_before is not None and old.ended_at < runs_before and old.id not in spared:
            found = found.plus(Pruned(runs=1))
        elif events_before is not None and old.ended_at < events_before:
            found = found.plus(Pruned(events=old.prunable))
    return found


async def _instance(s: Services) -> str:
    return await s.db.read(meta.get, INSTANCE) or ""


async def pruned_before(s: Services, run_id: int, after: int) -> int | None:
    """The first `seq` that is there, where events behind `after` and before it are gone; else None."""
    return await s.db.read(_pruned_before, run_id, after)


async def _pruned_before(tx: Tx, run_id: int, after: int) -> int | None:
    first = await retention.first_seq(tx, run_id)
    if first is None:
        run = await runs.get(tx, run_id)
        first = after + 1 if run is None else run.last_seq + 1
    return first if first > after + 1 else None


def cutoff(s: Services, days: float) -> int | None:
    """Runs that had ended before this are past a retention of so many days; None where it is for ever."""
    return s.clock() - round(days * DAY_MS) if days > 0 else None


async def due(s: Services, before: int) -> AsyncIterator[Old]:
    """The runs that had ended before a time, the oldest first; read off the loop, page by page."""
    after = (-1, 0)
    while page := await s.db.search(retention.created_before, before, after, _PAGE):
        after = page[-1].created_at, page[-1].id
        for old in page:
            if old.ended_at is not None and old.ended_at < before:
                yield old


async def _prune_events(tx: Tx, ids: Sequence[int], before: int, limit: int) -> int:
    """Delete up to `limit` events of some runs, from the beginning of each; fewer once no more can go."""
    count = 0
    for run_id in ids:
        run = await _ended(tx, run_id, before)
        if run is not None and count < limit:
            count += await retention.delete_events(tx, run_id, run.last_seq, limit - count)
    return count


async def _delete_runs(tx: Tx, ids: Sequence[int], before: int, limit: int) -> tuple[int, bool]:
    """Delete up to `limit` rows of some runs, and with the last of each the run; how many, and whether all are gone."""
    gone: list[Run] = []
    left = limit
    for run_id in ids:
        if left > 0 and (run := await _ended(tx, run_id, before)) is not None:
            left -= await _delete_rows(tx, run, left)
            if left > 0:
                await retention.delete_run(tx, run_id)
                gone.append(run)
    counters: Counter[str] = Counter()
    for run in gone:
        counters.subtract(counter_changes(None, run))
    await stats.add(tx, counters)
    if gone:
        tx.after_commit(RUNS_TOPIC)
    return len(gone), left > 0


async def _delete_rows(tx: Tx, run: Run, limit: int) -> int:
    """Delete up to `limit` rows that belong to a run, answers how many; fewer once there are no more.

    Events from the beginning on, so that a timeline that is read meanwhile lacks nothing in the middle.
    """
    count = await retention.delete_events(tx, run.id, run.last_seq + 1, limit)
    while count < limit and (more := await retention.delete_rest(tx, run.id, run.labels, limit - count)):
        count += more
    return count


async def _ended(tx: Tx, run_id: int, before: int) -> Run | None:
    """The run, locked, if it is there and had ended before a time."""
    run = await runs.lock(tx, run_id)
    return run if run is not None and run.ended_at is not None and run.ended_at < before else None


async def _due_secrets(s: Services) -> list[int]:
    """Runs whose secrets are past the retention of raw output.

    A file without a run may be that of one which is just being created, so it stays.
    """
    before = s.clock() - round(s.settings.retention_spools * DAY_MS)
    kept, found = s.secrets.kept(), []
    for start in range(0, len(kept), _SECRETS):
        known = await s.db.read(runs.by_ids, kept[start : start + _SECRETS])
        found += [run.id for run in known if run.ended_at is not None and run.ended_at < before]
    return found


async def _forget_secrets(s: Services) -> int:
    found = await _due_secrets(s)
    for run_id in found:
        s.secrets.delete(run_id)
    return len(found)
