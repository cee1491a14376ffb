"""What goes after its retention, what never does, and how small the pieces are; over both databases."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrunner.domain.agent import NewVersion
from agentrunner.domain.errors import RunNotFound
from agentrunner.domain.event import new_event
from agentrunner.domain.finished import Finished
from agentrunner.domain.instant import MAX_INSTANT
from agentrunner.domain.retention import Pruned
from agentrunner.domain.rollup import Grain
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.state import Status
from agentrunner.engine import agents, events, finished, retention, rollups, runs
from agentrunner.engine.finished import Target
from agentrunner.engine.rollups import Window
from agentrunner.engine.services import Services
from agentrunner.store.base import Database, Tx
from engine.test_rollups import some_ends
from engine.world import START, Clock, World, begin, open_services, rows, settings_of

DAY_S = 86_400.0
_ALL = "SELECT * FROM rollups ORDER BY grain, start, version_id, project_id"


def pruned(**counts: int) -> Pruned:
    """What went of this database."""
    return Pruned(instance_id="instance", **counts)  # type: ignore[arg-type]


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> World:
    """Services as for other tests; a timeline that was cut is not what those check at their end."""
    clock = Clock()
    services = open_services(database, settings_of(tmp_path), clock)
    await database.write(begin, clock())
    return World(services, clock)


def keeping(world: World, **days: float) -> Services:
    """The services with another retention, in days: `events`, `runs`, `spools`."""
    return world.with_settings(**{f"retention.{name}": value for name, value in days.items()}).s


async def ended(world: World, said: int = 10, **fields: Any) -> Run:
    """A reported run with `said` events between its first and its last."""
    [run] = await runs.create(world.s, [NewRun(backend="external", goal="x", **fields)])
    if said:
        await events.ingest(world.s, run.id, [new_event("log", {"lines": [str(n)]}) for n in range(said)])
    await events.ingest(world.s, run.id, [new_event("run.completed")])
    return await runs.get(world.s, run.id)


async def seqs(world: World, run_id: int) -> list[int]:
    """What is left of a timeline."""
    return [row[0] for row in await rows(world.s.db, "SELECT seq FROM events WHERE run_id = ? ORDER BY seq", run_id)]


async def test_nothing_goes_unless_it_is_asked_for(world: World) -> None:
    """Runs and timelines are kept for ever by default."""
    run = await ended(world)
    world.clock.advance(10_000 * DAY_S)
    assert await retention.plan(world.s) == pruned()
    assert await retention.prune(world.s, 60) == pruned()
    assert len(await seqs(world, run.id)) == run.last_seq


async def test_secrets_go_with_the_retention_of_raw_output(world: World) -> None:
    """Not while the run lives, not before, and then for good."""
    run = await world.create(secrets={"API_KEY": "correct horse"})
    waiting = await world.create(secrets={"API_KEY": "battery staple"})
    await runs.stop(world.s, run.id)
    world.clock.advance(world.s.settings.retention_spools * DAY_S)
    assert (await retention.plan(world.s)).secrets == 0
    world.clock.advance(0.001)
    assert (await retention.plan(world.s)).secrets == 1
    assert world.s.secrets.get(run.id) == {"API_KEY": "correct horse"}
    assert await retention.prune(world.s, 60) == pruned(secrets=1)
    assert world.s.secrets.get(run.id) == {}
    assert world.s.secrets.get(waiting.id) == {"API_KEY": "battery staple"}


async def test_timelines_lose_all_but_their_end(world: World) -> None:
    """Of runs that had ended long enough ago; what was planned is what goes, and a second pass finds nothing."""
    old = await ended(world, 1200)
    short = await ended(world, 0)
    [active] = await runs.create(world.s, [NewRun(backend="external", goal="x")])
    await events.ingest(world.s, active.id, [new_event("log")])
    world.clock.advance(30 * DAY_S + 1)
    young = await ended(world, 5)
    s = keeping(world, events=30)
    planned = await retention.plan(s)
    assert planned == pruned(events=old.last_seq - 1 + short.last_seq - 1)
    assert await retention.prune(s, 60) == planned
    assert await seqs(world, old.id) == [old.last_seq]
    assert await seqs(world, short.id) == [short.last_seq]
    assert len(await seqs(world, young.id)) == young.last_seq
    assert await seqs(world, active.id) == [1, 2]
    assert await retention.plan(s) == pruned()
    assert await retention.prune(s, 60) == pruned()
    assert (await runs.get(s, old.id)).last_seq == old.last_seq


async def test_whole_runs_go(world: World) -> None:
    """With labels, inputs, attempts and secrets, and out of the counters; whoever asks is told there is none."""
    worker = await world.register()
    made = await world.create(labels={"team": "a"}, secrets={"API_KEY": "correct horse"})
    held = await worker.start()
    await put_input(world, made.id)
    await held.end(Status.COMPLETED)
    external = await ended(world, 700, labels={"team": "a", "x": "y"})
    world.clock.advance(90 * DAY_S + 1)
    kept = await ended(world, labels={"team": "a"})
    s = keeping(world, runs=90)
    assert await retention.plan(s) == pruned(runs=2, secrets=1)
    assert await retention.prune(s, 60) == pruned(runs=2, secrets=1)
    for run_id in (made.id, external.id):
        with pytest.raises(RunNotFound):
            await runs.get(s, run_id)
        for table in ("events", "labels", "attempts", "inputs"):
            assert await rows(s.db, f"SELECT run_id FROM {table} WHERE run_id = ?", run_id) == []
    assert s.secrets.get(made.id) == {}
    counts = {row[0]: row[1] for row in await rows(s.db, "SELECT name, n FROM counts WHERE n <> 0")}
    assert counts == {"status/COMPLETED": 1}
    assert [run.id for run in await runs.page(s, {"labels": [("team", "a")]}, None, 10)] == [kept.id]


async def put_input(world: World, run_id: int) -> None:
    """An input that was never delivered."""

    async def put(tx: Tx) -> None:
        await tx.run("INSERT INTO inputs (run_id, text, created_at) VALUES (?, 'hello', 1)", run_id)

    await world.s.db.write(put)
    assert await rows(world.s.db, "SELECT 1 FROM inputs WHERE run_id = ?", run_id)


async def test_active_runs_are_never_touched(world: World) -> None:
    """However old: neither one that runs nor one that is queued."""
    worker = await world.register()
    active = await world.create()
    held = await worker.start()
    await held.say("still here")
    queued = await world.create()
    world.clock.advance(3650 * DAY_S)
    s = keeping(world, runs=1, events=1, spools=0)
    assert await retention.prune(s, 60) == pruned()
    assert len(await seqs(world, active.id)) == (await runs.get(s, active.id)).last_seq
    assert (await runs.get(s, queued.id)).status is Status.QUEUED


async def test_a_run_that_is_not_due_any_more_is_left_alone(world: World) -> None:
    """What was read before the transaction does not count, only what is true in it."""
    run = await ended(world)
    assert await world.s.db.write(retention._prune_events, [run.id], run.ended_at or 0, 500) == 0
    assert await world.s.db.write(retention._delete_runs, [run.id], run.ended_at or 0, 500) == (0, True)
    assert len(await seqs(world, run.id)) == run.last_seq


async def test_a_piece_is_small(world: World) -> None:
    """No transaction deletes more rows than asked, from the beginning, so that nothing in the middle is missing."""
    first, second = await ended(world, 1000), await ended(world, 100, labels={"a": "b"})
    ids, later = [first.id, second.id], (second.ended_at or 0) + 1
    assert await world.s.db.write(retention._prune_events, ids, later, 300) == 300
    assert await seqs(world, first.id) == list(range(301, first.last_seq + 1))
    assert await seqs(world, second.id) == list(range(1, second.last_seq + 1))
    pieces = [(0, False)]
    while not pieces[-1][1]:
        pieces.append(await world.s.db.write(retention._delete_runs, ids, later, 300))
    assert sum(count for count, _ in pieces) == 2
    assert len(pieces) == 4
    assert retention.MOST_ROWS <= 500


class Counting:
    """A database that counts its transactions."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def write(self, *args: Any) -> Any:
        """One more."""
        self.writes += 1
        return await self._db.write(*args)


async def test_small_runs_go_together(world: World) -> None:
    """A transaction each, with a pause behind it, would take days for a million of them."""
    made = [await ended(world, 1) for _ in range(60)]
    world.clock.advance(2 * DAY_S)
    counting = Counting(world.s.db)
    assert await retention.prune(replace(keeping(world, events=1), db=counting), 60) == pruned(events=2 * 60)
    assert await retention.prune(replace(keeping(world, runs=1), db=counting), 60) == pruned(runs=59)
    assert [row[0] for row in await rows(world.s.db, "SELECT id FROM runs")] == [made[-1].id]
    assert counting.writes < 60


async def test_time_that_is_over_ends_a_pass(world: World) -> None:
    """It says that it is not done, and the next one goes on; what it did is counted once."""
    run = await ended(world, 1000)
    world.clock.advance(2 * DAY_S)
    s = keeping(world, events=1)
    total, passes, is_done = 0, 0, False
    while not is_done:
        done = await retention.prune(s, 0)
        total, passes, is_done = total + done.events, passes + 1, done.is_done
        assert passes < 100
    assert passes > 2
    assert total == run.last_seq - 1


async def test_writers_hardly_wait(world: World) -> None:
    """While ten thousand events go, a report is stored at once: never behind more than one piece."""
    for _ in range(5):
        await ended(world, 2000)
    world.clock.advance(2 * DAY_S)
    [run] = await runs.create(world.s, [NewRun(backend="external", goal="x")])
    sweep = asyncio.create_task(retention.prune(keeping(world, events=1), 60))
    waits = []
    while not sweep.done():
        begun = time.monotonic()
        await events.ingest(world.s, run.id, [new_event("log")])
        waits.append(time.monotonic() - begun)
        await asyncio.wait({sweep}, timeout=0.005)
    assert (await sweep).events == 5 * 2001
    waits.sort()
    assert len(waits) > 20
    assert waits[len(waits) // 2] < 0.1, waits[-5:]


async def test_rebuild_keeps_what_retention_deleted(world: World) -> None:
    """Runs that retention has deleted stay counted: their hour is left as it is, the others are counted anew."""
    old, new = [(await world.create(backend="external")).id for _ in range(2)]
    await events.ingest(world.s, old, [new_event("cost", {"usd": 0.5}), new_event("run.completed")])
    world.clock.advance(DAY_S + 60 - world.clock() / 1000 % 60)
    gap = (await world.create(backend="external")).id
    await events.ingest(world.s, gap, [new_event("run.failed")])
    world.clock.advance(2 * 3600)
    await events.ingest(world.s, new, [new_event("run.completed")])
    grown = await rows(world.s.db, _ALL)
    await retention.Sweep(keeping(world, runs=1.0)).run()
    assert {run_id for (run_id,) in await world.rows("SELECT id FROM runs")} == {gap, new}
    steps = [step async for step in rollups.rebuild(world.s)]
    assert steps[-1].runs == 2
    assert [tuple(row) for row in await rows(world.s.db, _ALL)] == [tuple(row) for row in grown]


async def test_minutes_go(world: World) -> None:
    """The figures of minutes go after two days, those of hours and days stay; a rebuild brings none of them back."""
    await some_ends(world)
    world.clock.advance(3 * DAY_S)
    last = await world.create(backend="external")
    await events.ingest(world.s, last.id, [new_event("run.completed")])
    everything = Window(Grain.HOUR, 0, MAX_INSTANT)
    hours = await rollups.read(world.s, everything)
    for _ in range(2):
        await retention.sweep(world.s)
        minutes = await rollups.read(world.s, everything._replace(grain=Grain.MINUTE))
        assert [kept.tally.runs for kept in minutes] == [1]
        assert await rollups.read(world.s, everything) == hours
        assert [step async for step in rollups.rebuild(world.s)][-1].runs == 6
        minutes = await rollups.read(world.s, everything._replace(grain=Grain.MINUTE))
        assert [kept.tally.runs for kept in minutes] == [1]


async def test_a_repeat_of_what_is_deleted(world: World) -> None:
    """Its key is still known, so it is done neither again nor half: 404 says that it was."""
    s = keeping(world, runs=1)
    agent = await agents.register(s, "a", "")
    await agents.add_version(s, agent, NewVersion(version="1"))
    old = [Finished(status="completed", created=START - 10 * 86_400_000)]
    await finished.add(s, Target(agent.id, "1"), old, "key")
    request = [NewRun(backend="external", goal="x")]
    [run] = await runs.create(s, request, "other")
    await events.ingest(s, run.id, [new_event("run.completed")])
    world.clock.advance(2 * DAY_S)
    await ended(world)
    assert (await retention.prune(s, 60)).runs == 2
    with pytest.raises(RunNotFound, match="retention"):
        await finished.add(s, Target(agent.id, "1"), old, "key")
    with pytest.raises(RunNotFound, match="retention"):
        await runs.create(s, request, "other")
