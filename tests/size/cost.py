"""What a run costs from its creation to its end, with however many runs beside it."""

import math
import time
import uuid
from dataclasses import replace
from pathlib import Path

from agentrunner.domain.project import NewProject
from agentrunner.domain.state import Status
from agentrunner.engine import projects, search
from agentrunner.store import search as stored
from agentrunner.store.sqlite import SqliteDatabase
from engine.world import World, begin, open_services, settings_of

BATCH = 100
ROUNDS = 7
_LIMIT_S = 60.0


async def open_world(place: Path) -> World:
    """The engine on the database of a data directory, in this process."""
    database = SqliteDatabase(place / "agentrunner.db", search_s=_LIMIT_S)
    await database.start()
    services = replace(open_services(database, settings_of(place), _now), new_uid=lambda: uuid.uuid4().hex)
    world = World(services, None)  # type: ignore[arg-type]
    await database.write(begin, _now())
    return world


async def prepare(place: Path) -> int:
    """A database with one finished run, after which all others are made; its id."""
    world = await open_world(place)
    await projects.create(world.s, NewProject(name="web"))
    worker = await world.register("worker-0")
    run = await world.create(goal="template", labels={"team": "template"})
    held = await worker.start()
    await held.end(Status.COMPLETED)
    await world.s.db.stop()
    return run.id


def _now() -> int:
    return time.time_ns() // 1_000_000


async def per_run(world: World) -> float:
    """CPU milliseconds of this process for one run: create, claim, start, one line, end. The best of some batches."""
    worker = await world.register("worker-0")
    best = math.inf
    for _ in range(ROUNDS):
        await worker.heartbeat()
        began = time.process_time()
        for _ in range(BATCH):
            await world.create(goal="cost", labels={"team": "cost"})
            held = await worker.start()
            await held.say()
            await held.end(Status.COMPLETED)
        best = min(best, (time.process_time() - began) / BATCH * 1000)
    return best


async def index(world: World) -> tuple[float, int]:
    """Index all text as a server does, without its rests: seconds, and how many documents."""
    began, count = time.perf_counter(), 0
    while (step := await world.s.db.search(stored.gather)) is not None:
        found = stored.documents(step)
        await world.s.db.write(stored.put, step, found)
        count += len(found)
    await search.index(world.s)
    return time.perf_counter() - began, count


def slope(costs: dict[int, float]) -> float:
    """How much dearer a run becomes with ten times as many beside it: 0.1 is ten percent per tenfold."""
    xs = [math.log10(count) for count in costs]
    ys = [math.log10(cost) for cost in costs.values()]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    found = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    return 10**found - 1
