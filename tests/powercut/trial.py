"""One trial: the engine at work until the power goes, then the product's own start, and every acknowledged row.

What counts as acknowledged is written down after each commit, from what the program itself could read then.
"""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog

from agentrunner.domain.errors import ConfigurationError
from agentrunner.domain.event import new_event
from agentrunner.domain.run import NewRun
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, runs
from agentrunner.store import files, soundness
from agentrunner.store.sqlite import SqliteDatabase
from engine.world import START, Clock, Held, World, begin, open_services, settings_of
from powercut.database import NAME, ApswDatabase
from powercut.disk import Disk, PowerCut

_STEPS = 25
_EVENTS = "SELECT seq, type, payload FROM events WHERE run_id = ? AND seq > ? ORDER BY seq"


@dataclass
class Ledger:
    """Rows that somebody was told are kept: events by run, and the status that went with the last of them."""

    events: dict[int, list[tuple[int, str, str]]] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)

    def note(self, database: ApswDatabase, topics: set[str]) -> None:
        """After a commit: what it changed, as it can be read now."""
        for topic in topics:
            kind, _, number = topic.partition("/")
            if kind == "run":
                known = self.events.setdefault(int(number), [])
                rows = database.connection.execute(_EVENTS, (int(number), len(known))).fetchall()
                known += [(row[0], row[1], row[2]) for row in rows]
                row = database.connection.execute("SELECT status FROM runs WHERE id = ?", (int(number),)).fetchone()
                self.status[int(number)] = row[0]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.status) + sum(map(len, self.events.values()))

    def lost(self, connection: sqlite3.Connection) -> int:
        """How many of them are not there any more, or are something else."""
        count = 0
        for run_id, known in self.events.items():
            stored = [tuple(row) for row in connection.execute(_EVENTS, (run_id, 0))]
            count += len(known) - sum(a == b for a, b in zip(known, stored, strict=False))
            row = connection.execute("SELECT status, last_seq FROM runs WHERE id = ?", (run_id,)).fetchone()
            is_later = row is not None and row[1] > len(known)
            count += row is None or (row[0] != self.status[run_id] and not is_later)
        return count


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial: rows acknowledged and lost, what is wrong with the file, what the start said of it."""

    acknowledged: int
    lost: int
    problem: str | None
    is_reported: bool
    operations: int


def prepared(directory: Path) -> bytes:
    """A database as the product makes it at its first start."""
    path = directory / "prepared.db"

    async def make() -> None:
        database = SqliteDatabase(path)
        await database.start()
        await database.write(begin, START)
        await database.stop()

    asyncio.run(make())
    return path.read_bytes()


def run(image: bytes, directory: Path, seed: int, durability: str, cut_at: int | None) -> Outcome:
    """Work on a copy of `image` until the power goes at operation `cut_at`, or right after the last; then look."""
    disk = Disk({NAME: image}, seed, cut_at)
    ledger = Ledger()
    database = None
    try:
        database = ApswDatabase(disk, durability.upper())
        opened = database
        database.acknowledge = lambda topics: ledger.note(opened, topics)
        _work(database, directory, random.Random(seed))
    except PowerCut:
        pass
    finally:
        operations = disk.operations
        if database is not None:
            database.close()
    disk.cut()
    assert disk.image is not None
    for path in directory.glob(f"{NAME}*"):
        path.unlink()
    for name, data in disk.image.items():
        (directory / name).write_bytes(data)
    with structlog.testing.capture_logs() as said:
        lost, problem = asyncio.run(_look(directory / NAME, ledger, durability))
    return Outcome(ledger.rows, lost, problem, bool(said), operations)


async def _look(path: Path, ledger: Ledger, durability: str) -> tuple[int, str | None]:
    database = SqliteDatabase(path, durability)
    try:
        await database.start()
    except ConfigurationError as error:
        return ledger.rows, f"refused: {error}"
    await database.stop()
    connection = files.open_readonly(path, is_at_rest=True)
    try:
        found = soundness.checks(connection, path, True, lambda _: None)
        wrong = [f"{check.name}: {check.detail}" for check in found if check.status != "ok"]
        return ledger.lost(connection), "; ".join(wrong) or None
    finally:
        connection.close()


def _work(database: ApswDatabase, directory: Path, chance: random.Random) -> None:
    """Use cases in random order and groups of random size."""
    world = World(open_services(database, settings_of(directory), Clock()), Clock())
    [host] = database.together(world.register())
    held: list[Held] = []
    [outside] = database.together(world.create(backend="external"))
    for step in range(_STEPS):
        bodies = [NewRun(backend="command", goal="x" * chance.randrange(1, 3000)) for _ in range(chance.randrange(4))]
        calls: list[Any] = [runs.create(world.s, [body], f"{step}-{n}") for n, body in enumerate(bodies)]
        calls += [_advance(hold, chance) for hold in held]
        calls.append(events.ingest(world.s, outside.id, list(_reported(chance))))
        database.together(*calls)
        held = [hold for hold in held if hold.at["journal"] >= 0]
        if chance.random() < 0.5:
            held += database.together(host.claim(slots=chance.randrange(1, 4)))[0]
        if chance.random() < 0.2:
            database.together(host.heartbeat())


async def _advance(hold: Held, chance: random.Random) -> None:
    """What a worker sends of an attempt next."""
    if not hold.at["journal"]:
        await hold.fact("run.started", pid=1)
    elif chance.random() < 0.8:
        text = "y" * chance.randrange(1, 6000)
        said = new_event("log", {"lines": [text]})
        await hold.record(hold.part("out", said, size=len(text)), hold.part("journal", size=1))
    else:
        status = chance.choice([Status.COMPLETED, Status.FAILED])
        await hold.end(status, Reason.EXIT_NONZERO if status is Status.FAILED else None)
        hold.at["journal"] = -1


def _reported(chance: random.Random) -> Iterator[Any]:
    for _ in range(chance.randrange(5)):
        yield msgspec.structs.replace(new_event("note", {"text": "z" * chance.randrange(2000)}))
