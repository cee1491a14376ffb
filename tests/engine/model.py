"""A small model of the engine, for the state machine: dictionaries, no database, the rules written a second time.

Every method does what the engine should, or raises the error that the engine should raise.
"""

from dataclasses import dataclass, field
from typing import Any

from agentrunner.domain.control import Outcome, Part, RecordRequest
from agentrunner.domain.errors import (
    BackendUnsupported,
    InvalidRequest,
    InvalidTransition,
    OffsetMismatch,
    StaleEpoch,
)

LEASE = 15_000
MARGIN = 3_000
TERMINAL = ("COMPLETED", "FAILED", "STOPPED")
ACTIVE = ("RUNNING", "PAUSED")
RETRYABLE = ("network", "worker_lost")


@dataclass
class Try:
    """One attempt: who has it, what is stored of it."""

    number: int
    worker: str
    uid: str = ""
    stored: dict[str, int] = field(default_factory=lambda: {"out": 0, "err": 0, "journal": 0})
    started: bool = False
    ended: bool = False


@dataclass
class Job:
    """One run."""

    id: int
    fields: dict[str, Any]
    status: str = "QUEUED"
    desired: str = "run"
    revision: int = 0
    answered: int = 0
    attempt: int = 1
    epoch: int = 0
    worker_id: str | None = None
    hold: str | None = None
    hold_until: int | None = None
    tokens: int = 0
    timeline: list[tuple[str, bool, int]] = field(default_factory=list)
    tries: dict[int, Try] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)

    @property
    def is_external(self) -> bool:
        """Reported by another program."""
        return bool(self.fields.get("backend") == "external")

    def emit(self, type: str, late: bool = False, attempt: int | None = None) -> None:
        """An event."""
        self.timeline.append((type, late, attempt or self.attempt))

    def end(self, status: str) -> None:
        """The last status."""
        self.emit(f"run.{status.lower()}")
        self.status, self.hold, self.hold_until = status, None, None

    def requeue(self, now: int, delay: int) -> None:
        """Back into the queue."""
        self.emit("run.retried")
        self.status, self.worker_id, self.attempt = "QUEUED", None, self.attempt + 1
        self.hold_until = now + delay if delay else None
        self.hold = "operator" if self.desired == "pause" else "not_before" if delay else None
        self.answered = self.revision

    def may_start(self, now: int) -> bool:
        """Nothing holds it."""
        is_due = self.hold == "not_before" and (self.hold_until or 0) <= now
        return self.status == "QUEUED" and (self.hold is None or is_due)


@dataclass
class Agent:
    """One worker identity."""

    epoch: int = 0
    heard: int = 0
    reachable: bool = True
    claim_id: str | None = None
    claimed: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Model:
    """Everything."""

    now: int
    cap: int
    jobs: dict[int, Job] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)

    def owned(self, worker: str) -> list[Job]:
        """Its active runs."""
        return [job for job in self.jobs.values() if job.worker_id == worker and job.status in ACTIVE]

    def create(self, run_id: int, fields: dict[str, Any]) -> None:
        """A new run."""
        job = self.jobs[run_id] = Job(run_id, fields)
        job.status = "RUNNING" if job.is_external else "QUEUED"
        job.emit("run.created")

    def register(self, worker: str) -> list[int]:
        """A new process of a worker."""
        agent = self.agents.setdefault(worker, Agent())
        self.agents[worker] = Agent(agent.epoch + 1, self.now)
        for job in self.owned(worker):
            job.epoch += 1
            if job.tries[job.attempt].started:
                job.emit("run.adopted")
        return [job.id for job in self.owned(worker)]

    def current(self, worker: str, epoch: int) -> Agent:
        """The present process of a worker."""
        if self.agents[worker].epoch != epoch:
            raise StaleEpoch
        return self.agents[worker]

    def claim(self, worker: str, epoch: int, claim_id: str, slots: int) -> list[int]:
        """Ids of the runs that it gets."""
        agent = self.current(worker, epoch)
        if agent.claim_id == claim_id:
            mine = [(job.id, job.attempt) for job in self.owned(worker)]
            return [run_id for run_id, number in agent.claimed if (run_id, number) in mine]
        if self.now - agent.heard > LEASE:
            return []
        active = sum(job.status in ACTIVE and not job.is_external for job in self.jobs.values())
        ready = [job for job in self.jobs.values() if job.may_start(self.now)]
        ready.sort(key=lambda job: (-job.fields.get("priority", 0), job.id))
        taken = ready[: max(0, min(slots, self.cap - active))]
        for job in taken:
            job.status, job.worker_id, job.hold, job.hold_until = "RUNNING", worker, None, None
            job.epoch += 1
            job.tries[job.attempt] = Try(job.attempt, worker)
            job.emit("run.claimed")
        if taken:
            agent.claim_id, agent.claimed = claim_id, [(job.id, job.attempt) for job in taken]
        return [job.id for job in taken]

    def heartbeat(self, worker: str, epoch: int) -> None:
        """A sign of life."""
        agent = self.current(worker, epoch)
        agent.heard = self.now
        if not agent.reachable:
            agent.reachable = True
            for job in self.owned(worker):
                job.emit("run.adopted")

    def tick(self) -> None:
        """What time demands."""
        for worker, agent in self.agents.items():
            silent = self.now - agent.heard
            if silent <= LEASE:
                continue
            newly, agent.reachable = agent.reachable, False
            for job in self.owned(worker):
                if newly:
                    job.emit("run.lost")
                if silent > LEASE + MARGIN and job.fields.get("on_lost", "wait") != "wait":
                    self.lose(job)

    def lose(self, job: Job) -> None:
        """Its shim has ended it."""
        job.epoch += 1
        job.tries[job.attempt].ended = True
        if job.desired == "stop":
            job.end("STOPPED")
        elif job.fields["on_lost"] == "retry":
            job.requeue(self.now, 0)
        else:
            job.end("FAILED")

    def record(self, asked: RecordRequest) -> dict[str, int]:
        """What is stored of the attempt afterwards."""
        job = self.jobs[asked.run_id]
        one = job.tries[asked.attempt]
        if one.ended != asked.late and not one.ended:
            raise StaleEpoch
        if not one.ended and asked.epoch != job.epoch:
            raise StaleEpoch
        if one.ended and not asked.late:
            if any(part.end > one.stored[part.stream] for part in asked.parts):
                raise StaleEpoch
            return one.stored
        for part in asked.parts:
            self.part(job, one, part, asked.late)
        if asked.outcome is not None and not asked.late:
            sizes = asked.outcome.sizes
            if one.stored != {"out": sizes.out, "err": sizes.err, "journal": sizes.journal}:
                raise OffsetMismatch
            self.finish(job, one, asked.outcome)
        return one.stored

    def part(self, job: Job, one: Try, part: Part, late: bool) -> None:
        """Bytes of a stream."""
        stored = one.stored[part.stream]
        if part.end <= stored and part.start < part.end:
            return
        if part.start != stored:
            raise OffsetMismatch
        one.stored[part.stream] = part.end
        for event in part.events:
            job.emit(event.type, late, one.number)
            if late:
                continue
            if event.type == "run.started":
                one.started = True
            elif event.type == "usage":
                job.tokens += 1
            elif event.type in ("run.paused", "run.resumed"):
                job.status = "PAUSED" if event.type == "run.paused" else "RUNNING"
                revision = int(bytes(event.payload).partition(b":")[2].rstrip(b"}"))
                job.answered = max(job.answered, min(job.revision, revision))

    def finish(self, job: Job, one: Try, outcome: Outcome) -> None:
        """The end of an attempt."""
        one.ended = True
        policy = job.fields.get("retry", {})
        if outcome.status == "FAILED" and job.desired != "stop" and outcome.reason in RETRYABLE:
            if outcome.reason == "worker_lost" and job.fields.get("on_lost") == "retry":
                return job.requeue(self.now, 0)
            if job.attempt < policy.get("attempts", 1):
                return job.requeue(self.now, policy["backoff_s"] * 1000 * 2 ** (job.attempt - 1))
        job.answered = job.revision
        return job.end(str(outcome.status))

    def wish(self, run_id: int, act: str) -> bool:
        """Whether it is fact."""
        job = self.jobs[run_id]
        if act == "stop" and job.status == "STOPPED":
            return True
        if job.status in TERMINAL or (act != "stop" and job.desired == "stop"):
            raise InvalidTransition
        if job.is_external:
            raise BackendUnsupported
        desired = {"pause": "pause", "resume": "run", "stop": "stop"}[act]
        if act == "resume" and job.desired == "run" and job.status != "PAUSED" and job.revision == 0:
            raise InvalidTransition
        if job.desired == desired and (act != "resume" or job.status != "PAUSED" or job.revision > 0):
            return job.answered >= job.revision
        job.desired, job.revision = desired, job.revision + 1
        if job.status == "QUEUED":
            job.answered = job.revision
            if act == "stop":
                job.end("STOPPED")
            elif act == "pause":
                job.hold = "operator"
            else:
                is_later = (job.hold_until or 0) > self.now
                job.hold, job.hold_until = ("not_before", job.hold_until) if is_later else (None, None)
        elif act == "stop":
            job.emit("run.stop_requested")
        return job.answered >= job.revision

    def retry(self, run_id: int) -> None:
        """Whether a person may."""
        if self.jobs[run_id].status not in TERMINAL:
            raise InvalidTransition
        if self.jobs[run_id].is_external:
            raise BackendUnsupported

    def ingest(self, run_id: int, reported: list[tuple[str, int | None]]) -> tuple[int, int]:
        """How many events are new, how many known."""
        job = self.jobs[run_id]
        fresh = []
        for type, number in reported:
            if number is None or number not in job.known:
                fresh.append(type)
            if number is not None:
                job.known.add(number)
        for type in fresh:
            if job.status in TERMINAL:
                job.emit(type, late=True)
            elif not type.startswith("run."):
                job.emit(type)
            elif job.is_external and type in ("run.completed", "run.failed"):
                job.end(type[4:].upper())
            else:
                raise InvalidRequest
        return len(fresh), len(reported) - len(fresh)
