"""Use cases of samples: keep what workers take, within bounds, and show it."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.sample import Sample, SamplePage, Taken, Totals, Used, view
from agentrunner.engine.runs import find
from agentrunner.engine.services import Services
from agentrunner.store import samples
from agentrunner.store.base import Tx

_FIRST_STEP_MS = 8000
"""Behind the first halving: more than one heartbeat, less than two."""


async def keep(tx: Tx, worker_id: str, taken: Sequence[Taken], now: int) -> None:
    """Keep what a worker has sampled of its own runs; of others, or of attempts that are over, nothing."""
    if not taken:
        return
    mine = await samples.sampled(tx, worker_id)
    current = {item.run_id: item for item in taken if mine.get(item.run_id) == item.attempt}
    known = await samples.totals(tx, sorted(current))
    kept: list[Taken] = []
    updated: list[Totals] = []
    for run_id, item in sorted(current.items()):
        totals = known.get(run_id, Totals(run_id=run_id, attempt=item.attempt)).plus(item)
        if totals.is_full:
            totals = await _halved(tx, totals)
        if now - totals.sampled_at >= totals.step_ms and now > totals.sampled_at:
            totals = msgspec.structs.replace(totals, points=totals.points + 1, sampled_at=now)
            kept.append(item)
        updated.append(totals)
    await samples.put_totals(tx, updated)
    await samples.add(tx, kept, now)


async def _halved(tx: Tx, totals: Totals) -> Totals:
    dropped = await samples.thin(tx, totals.run_id)
    step_ms = 2 * totals.step_ms or _FIRST_STEP_MS
    return msgspec.structs.replace(totals, points=totals.points - dropped, step_ms=step_ms)


async def finish(tx: Tx, run_id: int, attempt: int, used: Used | None) -> None:
    """Take over what the end of an attempt says that it has used."""
    if used is None:
        return
    known = (await samples.totals(tx, [run_id])).get(run_id, Totals(run_id=run_id, attempt=attempt))
    await samples.put_totals(tx, [known.ended(attempt, used)])


async def show(s: Services, run_id: int) -> SamplePage:
    """What a run has used and its samples. Raises RunNotFound."""
    totals, found = await s.db.read(_show, run_id)
    return view(totals, found)


async def _show(tx: Tx, run_id: int) -> tuple[Totals, list[Sample]]:
    totals, found = await samples.of_run(tx, run_id)
    if totals is None:
        run = await find(tx, run_id)
        totals = Totals(run_id=run_id, attempt=run.attempt)
    return totals, found
