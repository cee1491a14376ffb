"""What engine tests share: real services over a real database, a clock to move, workers that speak the protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentrunner.config import Settings, load
from agentrunner.domain.control import (
    NULL,
    Assignment,
    ClaimRequest,
    HeartbeatRequest,
    Offsets,
    Outcome,
    Part,
    RecordAnswer,
    RecordRequest,
    RegisterAnswer,
    RegisterRequest,
)
from agentrunner.domain.errors import BadOptions, InvalidField
from agentrunner.domain.event import Event, NewEvent, new_event
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.sample import Taken
from agentrunner.domain.state import STREAMS, Reason, Status, StreamName
from agentrunner.engine import events, projects, runs, schedule, workers
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import Wakeups
from agentrunner.store import meta
from agentrunner.store.base import Database, Row, Tx
from agentrunner.store.secrets import SecretFiles

START = 1_763_690_400_000
TABLES = (
    *("labels", "attempts", "events", "inputs", "tokens", "idempotency", "counts"),
    *("reported", "usage_reports", "spans", "rollups", "agent_versions", "agents"),
    *("runs", "workers", "projects", "meta", "views", "search", "samples", "sample_totals", "telemetry"),
)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * 1000)


class Plain:
    """A backend that takes every option but `bad`."""

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Refuse `bad`."""
        if "bad" in options:
            raise BadOptions("`options.bad` is bad.")


class Known:
    """The backends `command` and `other`."""

    def __init__(self) -> None:
        self._backends = {name: Plain() for name in ("command", "other")}

    def get(self, name: str) -> Plain:
        """The backend of this name."""
        if name not in self._backends:
            raise InvalidField(f"There is no backend {name!r}.")
        return self._backends[name]


class Uids:
    """Names of attempts: 1, 2, 3 …"""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        self._last += 1
        return f"uid{self._last}"


def settings_of(directory: Any, **changes: Any) -> Settings:
    """The defaults with some changed, in a directory of the test's own."""
    return load({"AGENTRUNNER_DATA_DIR": str(directory)}, changes)


def open_services(db: Database, settings: Settings, clock: Callable[[], int]) -> Services:
    """Services over a started database."""
    wakeups = Wakeups()
    db.listen(wakeups.publish)
    return Services(
        db=db,
        settings=settings,
        backends=Known(),
        secrets=SecretFiles(settings.data_path / "secrets"),
        wakeups=wakeups,
        clock=clock,
        new_uid=Uids(),
    )


async def begin(tx: Tx, now: int) -> None:
    """What a server does once its database is open."""
    await meta.put_once(tx, workers.INSTANCE, "instance")
    await projects.ensure_default(tx, now)


async def rows(db: Database, sql: str, *args: Any) -> list[Row]:
    """The rows of a query."""

    async def query(tx: Tx) -> list[Row]:
        return list(await tx.all(sql, *args))

    return await db.read(query)


@dataclass
class Held:
    """An attempt in a worker's hands: what it was given, and what it believes is stored."""

    s: Services
    worker_id: str
    given: Assignment
    at: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))

    def part(self, stream: StreamName, *said: NewEvent, size: int = 10, state: Any = None) -> Part:
        """The next `size` bytes of a stream as these events."""
        start = self.at[stream]
        self.at[stream] = start + size
        raw = NULL if state is None else msgspec.Raw(msgspec.json.encode(state))
        return Part(stream=stream, start=start, end=start + size, events=list(said), state=raw)

    def request(self, *parts: Part, outcome: Outcome | None = None, late: bool = False) -> RecordRequest:
        """A record call."""
        given = self.given
        return RecordRequest(
            worker_id=self.worker_id,
            epoch=given.epoch,
            run_id=given.run_id,
            attempt=given.attempt,
            uid=given.uid,
            parts=list(parts),
            outcome=outcome,
            late=late,
        )

    async def record(self, *parts: Part, outcome: Outcome | None = None, late: bool = False) -> RecordAnswer:
        """Send it."""
        return await events.record(self.s, self.request(*parts, outcome=outcome, late=late))

    async def fact(self, type: str, **payload: Any) -> RecordAnswer:
        """A line of the shim's journal."""
        return await self.record(self.part("journal", new_event(type, payload)))

    async def say(self, text: str = "hello", stream: StreamName = "out") -> RecordAnswer:
        """A line of output."""
        return await self.record(self.part(stream, new_event("log", {"lines": [text]})))

    def sizes(self) -> Offsets:
        """What there is in all."""
        return Offsets(**self.at)

    def outcome(self, status: Status, reason: Reason | None = None, **fields: Any) -> Outcome:
        """An outcome with the right sizes."""
        return Outcome(**{"status": status, "reason": reason, "sizes": self.sizes(), **fields})

    async def end(self, status: Status, reason: Reason | None = None, **fields: Any) -> RecordAnswer:
        """The end, with everything stored."""
        return await self.record(outcome=self.outcome(status, reason, **fields))


@dataclass
class Host:
    """A registered worker."""

    s: Services
    id: str
    epoch: int
    answer: RegisterAnswer
    _claims: int = 0

    async def claim(self, slots: int = 1, claim_id: str | None = None, wait_s: float = 0) -> list[Held]:
        """Ask for runs."""
        self._claims += 1
        name = claim_id or f"{self.id}-{self.epoch}-{self._claims}"
        asked = ClaimRequest(worker_id=self.id, epoch=self.epoch, claim_id=name, slots=slots, wait_s=wait_s)
        answer = await workers.claim(self.s, asked)
        return [Held(self.s, self.id, given) for given in answer.runs]

    async def take(self) -> Held:
        """Claim the one run that there has to be."""
        [hold] = await self.claim()
        return hold

    async def start(self) -> Held:
        """Claim it and start its program."""
        hold = await self.take()
        await hold.fact("run.started", pid=1)
        return hold

    async def heartbeat(self, running: int = 0, samples: Sequence[Taken] = ()) -> float:
        """A sign of life."""
        asked = HeartbeatRequest(worker_id=self.id, epoch=self.epoch, running=running, samples=list(samples))
        return (await workers.heartbeat(self.s, asked)).lease_s

    def adopted(self) -> list[Held]:
        """What registering answered, read on from the stored offsets."""
        return [Held(self.s, self.id, given, msgspec.to_builtins(given.offsets)) for given in self.answer.runs]


@dataclass
class World:
    """Services with their clock, and shorthand for what tests do most."""

    s: Services
    clock: Clock

    async def create(self, **fields: Any) -> Run:
        """One run of backend `command` unless said."""
        [run] = await runs.create(self.s, [msgspec.convert({"backend": "command", **fields}, NewRun)])
        return run

    async def many(self, bodies: Sequence[dict[str, Any]]) -> list[Run]:
        """Several in one request."""
        return await runs.create(self.s, [msgspec.convert({"backend": "command", **body}, NewRun) for body in bodies])

    async def register(self, id: str = "w1", **fields: Any) -> Host:
        """A worker's process starts."""
        known: dict[str, Any] = {
            "worker_id": id,
            "machine_id": "machine",
            "lock_inode": 1,
            "boot_id": "boot",
            "name": id,
            "host": f"host-of-{id}",
            "version": "1",
            "slots": 100,
            "backends": ["command", "other"],
        }
        answer = await workers.register(self.s, RegisterRequest(**{**known, **fields}))
        return Host(self.s, id, answer.epoch, answer)

    async def run(self, run_id: int) -> Run:
        """A run as it is now."""
        return await runs.get(self.s, run_id)

    async def events(self, run_id: int) -> list[Event]:
        """Its timeline."""
        return await events.page(self.s, run_id, 0, 100_000)

    async def types(self, run_id: int) -> list[str]:
        """The types in its timeline."""
        return [event.type for event in await self.events(run_id)]

    async def last(self, run_id: int) -> tuple[str, Any]:
        """Type and payload of its last event."""
        event = (await self.events(run_id))[-1]
        return event.type, msgspec.json.decode(event.payload)

    async def tick(self, seconds: float = 0) -> None:
        """Let time pass, then do what it demands."""
        self.clock.advance(seconds)
        await schedule.tick(self.s)

    async def rows(self, sql: str, *args: Any) -> list[Row]:
        """The rows of a query."""
        return await rows(self.s.db, sql, *args)

    def with_settings(self, **changes: Any) -> "World":
        """The same world under other settings."""
        values = {**self.s.settings.values, **changes}
        return World(
            Services(
                db=self.s.db,
                settings=Settings(values),
                backends=self.s.backends,
                secrets=self.s.secrets,
                wakeups=self.s.wakeups,
                clock=self.s.clock,
                new_uid=self.s.new_uid,
            ),
            self.clock,
        )
