"""A machine that drives the real engine with whatever may happen in whatever order, beside the model.

After every step the rows are compared with the model, and the whole database with what must always be true.
"""

import asyncio
import copy
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentrunner.domain.control import Offsets, Outcome, Part
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.state import Reason, Status, StreamName
from agentrunner.engine import events, runs
from agentrunner.store.base import Database
from engine import truth
from engine.model import Model
from engine.world import Clock, Held, Host, World, begin, open_services, settings_of

CAP = 4
MOST = 6
"""Runs in one example, so that its steps go into their lives."""
COMPARED = ("status", "desired", "revision", "answered", "attempt", "epoch", "worker_id", "hold", "hold_until")
ENDS = {
    "completed": (Status.COMPLETED, None),
    "stopped": (Status.STOPPED, Reason.STOPPED_BY_USER),
    "network": (Status.FAILED, Reason.NETWORK),
    "config": (Status.FAILED, Reason.BAD_CONFIG),
    "lost": (Status.FAILED, Reason.WORKER_LOST),
}
ACTS = {"pause": runs.pause, "resume": runs.resume, "stop": runs.stop}
FACTS = ("run.started", "run.paused", "run.resumed", "limit")
recent = st.integers(0, 5)
"""Which of several things, counted from the newest."""
bodies = st.fixed_dictionaries(
    {
        "on_lost": st.sampled_from(["wait", "fail", "retry"]),
        "priority": st.integers(0, 1),
        "retry": st.sampled_from([{"attempts": 1, "backoff_s": 0}, {"attempts": 3, "backoff_s": 5}]),
        "backend": st.sampled_from(["command", "command", "command", "external"]),
    }
)
shapes = st.sampled_from(["next"] * 6 + ["again", "gap", "overlap"])
streams = st.sampled_from(["out", "err", "journal", "journal", "journal"])
ends = st.sampled_from([None, None, None, *ENDS])
fitting = st.lists(st.tuples(streams, st.just("next"), st.integers(0, 3)), max_size=3)
pieces = st.lists(st.tuples(streams, shapes, st.integers(0, 3)), max_size=3)


class EngineMachine(RuleBasedStateMachine):
    """One example is one fresh database; `opener` says of which kind."""

    opener: Callable[[], AbstractAsyncContextManager[Database]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = Clock()
        self.model = Model(self.clock.now, CAP)
        self.hosts: list[Host] = []
        self.helds: list[Held] = []
        self.epochs: dict[int, int] = {}
        self.claims = 0

    @initialize(first=st.lists(bodies, min_size=2, max_size=3))
    def open(self, first: list[dict[str, Any]]) -> None:
        """A database, two workers, and work for one of them."""
        self.world = self.runner.run(self._open())
        for worker in ("w0", "w1"):
            self.register(worker)
        for body in first:
            self.create(body)
        self.claim(back=0, slots=2, is_lost=False)

    async def _open(self) -> World:
        database = await self.stack.enter_async_context(type(self).opener())
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        services = open_services(database, settings_of(directory, max_running=CAP), self.clock)
        await database.write(begin, self.clock())
        return World(services, self.clock)

    def teardown(self) -> None:
        """Close it."""
        self.runner.run(self.stack.aclose())
        self.runner.close()

    def both(self, expected: Callable[[], Any], real: Awaitable[Any]) -> tuple[Any, Any] | None:
        """Do it to the model and to the engine: both refuse it with the same error, or both answer."""
        before = copy.deepcopy(self.model)
        wanted: Any = None
        try:
            answer = expected()
        except AgentRunnerError as error:
            self.model, wanted, answer = before, type(error), None
        got, refused = self.runner.run(_tried(real))
        if refused is not None:
            assert type(refused) is wanted, f"{type(refused).__name__} instead of {wanted}: {refused}"
            return None
        assert wanted is None, f"an answer instead of {wanted.__name__}: {got}"
        return answer, got

    def a_run(self, back: int) -> int:
        """The id of one of the newest runs."""
        ids = list(self.model.jobs)
        return ids[-1 - back % len(ids)]

    def a_host(self, back: int) -> Host:
        """One of the newest worker processes, mostly a current one."""
        return self.hosts[-1 - back % len(self.hosts)]

    @precondition(lambda self: len(self.model.jobs) < MOST)
    @rule(body=bodies)
    def create(self, body: dict[str, Any]) -> None:
        """A person creates a run."""
        run = self.runner.run(self.world.create(**body))
        self.model.create(run.id, body)

    @rule(worker=st.sampled_from(["w0", "w1"]))
    def register(self, worker: str) -> None:
        """A worker's process starts again."""
        expected = self.model.register(worker)
        host = self.runner.run(self.world.register(worker))
        assert [given.run_id for given in host.answer.runs] == expected
        self.hosts.append(host)
        for held in host.adopted():
            assert held.at == self.model.jobs[held.given.run_id].tries[held.given.attempt].stored
            self.helds.append(held)

    @rule(back=st.integers(0, 2), slots=st.integers(1, 3), is_lost=st.booleans())
    def claim(self, back: int, slots: int, is_lost: bool) -> None:
        """A worker asks for runs; the answer may be lost on its way."""
        self.claims += 1
        self._claim(self.a_host(back), f"c{self.claims}", slots, is_lost)

    @rule(back=st.integers(0, 1), slots=st.integers(1, 3))
    def claim_again(self, back: int, slots: int) -> None:
        """It repeats its last claim."""
        host = self.a_host(back)
        if claim_id := self.model.agents[host.id].claim_id:
            self._claim(host, claim_id, slots, is_lost=False)

    def _claim(self, host: Host, claim_id: str, slots: int, is_lost: bool) -> None:
        done = self.both(
            lambda: self.model.claim(host.id, host.epoch, claim_id, slots), host.claim(slots=slots, claim_id=claim_id)
        )
        if done is None:
            return
        expected, given = done
        assert [held.given.run_id for held in given] == expected
        for held in given:
            one = self.model.jobs[held.given.run_id].tries[held.given.attempt]
            assert held.given.uid == (one.uid or held.given.uid), "a repeated claim names another attempt"
            assert msgspec.to_builtins(held.given.offsets) == one.stored
            one.uid = held.given.uid
            held.at = dict(one.stored)
            if not is_lost:
                self.helds.append(held)

    @precondition(lambda self: self.helds)
    @rule(back=recent, pieces=pieces, end=ends, is_exact=st.booleans(), late=st.booleans())
    def record_anything(self, back: int, pieces: list[Any], end: str | None, is_exact: bool, late: bool) -> None:
        """A worker, current or not, sends parts that fit or not, and perhaps an end."""
        self._record(self.helds[-1 - back % len(self.helds)], pieces, end, is_exact, late)

    @precondition(lambda self: self.living())
    @rule(back=recent, pieces=fitting)
    def record(self, back: int, pieces: list[Any]) -> None:
        """The owner of a live attempt sends what comes next."""
        living = self.living()
        self._record(living[-1 - back % len(living)], pieces, None, is_exact=True, late=False)

    @precondition(lambda self: self.living())
    @rule(back=recent, pieces=fitting, end=st.sampled_from([*ENDS]), is_exact=st.integers(0, 3))
    def finish(self, back: int, pieces: list[Any], end: str, is_exact: int) -> None:
        """It sends the end too, mostly with everything stored."""
        living = self.living()
        self._record(living[-1 - back % len(living)], pieces, end, is_exact > 0, late=False)

    @precondition(lambda self: self.over())
    @rule(back=recent, pieces=fitting)
    def deliver_late(self, back: int, pieces: list[Any]) -> None:
        """What was left of an attempt that is over."""
        over = self.over()
        self._record(over[-1 - back % len(over)], pieces, None, is_exact=True, late=True)

    def living(self) -> list[Held]:
        """Attempts in the hands of their present owners."""
        return [
            h for h in self.helds if h.given.epoch == self.model.jobs[h.given.run_id].epoch and not self._is_over(h)
        ]

    def over(self) -> list[Held]:
        """Attempts that have ended."""
        return [held for held in self.helds if self._is_over(held)]

    def _is_over(self, held: Held) -> bool:
        return self.model.jobs[held.given.run_id].tries[held.given.attempt].ended

    def _record(self, held: Held, pieces: list[Any], end: str | None, is_exact: bool, late: bool) -> None:
        at = dict(self.model.jobs[held.given.run_id].tries[held.given.attempt].stored)
        parts = [self._part(held, at, *piece) for piece in pieces]
        sizes = at if is_exact else {**at, "out": at["out"] + 1}
        outcome = None
        if end is not None:
            status, reason = ENDS[end]
            outcome = Outcome(status=status, reason=reason, sizes=Offsets(**sizes))
        asked = held.request(*parts, outcome=outcome, late=late)
        done = self.both(lambda: self.model.record(asked), events.record(self.world.s, asked))
        if done is not None:
            expected, answer = done
            assert msgspec.to_builtins(answer.offsets) == expected

    def _part(self, held: Held, at: dict[str, int], stream: StreamName, shape: str, kind: int) -> Part:
        start = at[stream]
        end = start + 10
        if shape == "again":
            start, end = max(0, start - 10), start
        elif shape == "gap":
            start, end = start + 5, end + 5
        elif shape == "overlap":
            start = max(0, start - 5)
        if shape == "next":
            at[stream] = end
        return Part(stream=stream, start=start, end=end, events=self._said(held, stream, kind) if start < end else [])

    def _said(self, held: Held, stream: StreamName, kind: int) -> list[NewEvent]:
        if stream != "journal":
            return [new_event("log"), new_event("usage", {"output_tokens": 1})][: kind % 3]
        revision = self.model.jobs[held.given.run_id].revision
        return [new_event(FACTS[kind], {"revision": revision})]

    @precondition(lambda self: self.model.jobs)
    @rule(back=recent, act=st.sampled_from(["pause", "resume", "stop"]))
    def wish(self, back: int, act: str) -> None:
        """A person wishes something."""
        run_id = self.a_run(back)
        done = self.both(lambda: self.model.wish(run_id, act), ACTS[act](self.world.s, run_id))
        assert done is None or done[0] == done[1].is_fact

    @precondition(lambda self: 0 < len(self.model.jobs) < MOST)
    @rule(back=recent)
    def retry(self, back: int) -> None:
        """A person retries."""
        run_id = self.a_run(back)
        done = self.both(lambda: self.model.retry(run_id), runs.retry(self.world.s, run_id))
        if done is not None:
            assert done[1].retry_of == run_id
            self.model.create(done[1].id, self.model.jobs[run_id].fields)

    @precondition(lambda self: self.model.jobs)
    @rule(back=recent, said=st.lists(st.tuples(
        st.sampled_from(["note", "note", "note", "run.completed", "run.failed", "run.paused"]),
        st.none() | st.integers(0, 9)), max_size=3))  # fmt: skip
    def ingest(self, back: int, said: list[tuple[str, int | None]]) -> None:
        """A reporter sends events, some again."""
        run_id = self.a_run(back)
        reported = [
            NewEvent(type=type, client_seq=number, producer=None if number is None else "p") for type, number in said
        ]
        done = self.both(lambda: self.model.ingest(run_id, said), events.ingest(self.world.s, run_id, reported))
        assert done is None or done[0] == done[1][:2]

    @rule(back=recent)
    def heartbeat(self, back: int) -> None:
        """A worker gives a sign of life."""
        host = self.a_host(back)
        self.both(lambda: self.model.heartbeat(host.id, host.epoch), host.heartbeat())

    @rule(seconds=st.sampled_from([1, 4, 5, 11, 15, 16, 18, 19, 60]))
    def time_passes(self, seconds: int) -> None:
        """And the server looks at the clock."""
        self.model.now += seconds * 1000
        self.model.tick()
        self.runner.run(self.world.tick(seconds))

    @invariant()
    def rows_are_the_model(self) -> None:
        """Run by run, attempt by attempt, event by event; and epochs only rise."""
        self.runner.run(self._compare())

    async def _compare(self) -> None:
        db = self.world.s.db
        await truth.check(db)
        found = {row["id"]: row for row in await self.world.rows("SELECT * FROM runs ORDER BY id")}
        attempts = await self.world.rows("SELECT * FROM attempts ORDER BY run_id, number")
        told = await self.world.rows("SELECT run_id, type, late, attempt FROM events ORDER BY run_id, seq")
        assert list(found) == list(self.model.jobs)
        for job in self.model.jobs.values():
            row = found[job.id]
            wanted = {name: getattr(job, name) for name in COMPARED}
            if job.status in truth.ACTIVE or job.status == "QUEUED":
                assert {name: row[name] for name in COMPARED} == wanted
            assert row["status"] == job.status
            assert msgspec.json.decode(row["usage"])["output_tokens"] == job.tokens
            mine = [(r["type"], bool(r["late"]), r["attempt"]) for r in told if r["run_id"] == job.id]
            assert mine == job.timeline
            stored = [{name: r[f"{name}_offset"] for name in ("out", "err", "journal")}
                      for r in attempts if r["run_id"] == job.id]  # fmt: skip
            assert stored == [one.stored for one in job.tries.values()]
            assert row["epoch"] >= self.epochs.get(job.id, 0), "an epoch fell"
            self.epochs[job.id] = row["epoch"]


async def _tried(real: Awaitable[Any]) -> tuple[Any, AgentRunnerError | None]:
    try:
        return await real, None
    except AgentRunnerError as error:
        return None, error
