"""Why a run is where it is."""

from typing import Any

import msgspec

from agentrunner.domain.explanation import Explanation
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.run import Run
from agentrunner.domain.state import REASONS, Desired, Hold, OnLost, Phase, Status
from agentrunner.domain.worker import Worker, lacking
from agentrunner.engine.runs import EXTERNAL, find
from agentrunner.engine.schedule import room
from agentrunner.engine.services import Services
from agentrunner.store import attempts, runs, workers
from agentrunner.store.attempts import Attempt
from agentrunner.store.base import Tx


class _View:
    """What is gathered on the way: facts and the sentences made from them."""

    def __init__(self, run: Run, attempt: Attempt | None, worker: Worker | None, now: int) -> None:
        self.run, self.attempt, self.worker, self.now = run, attempt, worker, now
        self.because: list[str] = []
        self.facts: dict[str, Any] = {"attempt": run.attempt, "on_lost": run.on_lost, "last_seq": run.last_seq}

    def ago(self, then: int) -> str:
        """`12 s`, `3 min`, `2 h`."""
        seconds = max(0, self.now - then) // 1000
        if seconds < 120:
            return f"{seconds} s"
        return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


async def explain(s: Services, run_id: int) -> Explanation:
    """Say why a run is where it is, and what can be done. Raises RunNotFound."""
    return await s.db.read(_explain, s, run_id, s.clock())


async def _explain(tx: Tx, s: Services, run_id: int, now: int) -> Explanation:
    run = await find(tx, run_id)
    attempt = await attempts.get(tx, run_id, run.attempt)
    owner = None if attempt is None else await workers.get(tx, attempt.worker_id)
    view = _View(run, attempt, owner, now)
    if run.status is Status.QUEUED:
        summary, advice = await _queued(tx, s, view)
    elif run.status.is_terminal:
        summary, advice = _finished(view)
    else:
        summary, advice = _active(s, view)
    pending = run.desired if run.answered < run.revision and not run.status.is_terminal else None
    if pending is not None:
        view.because.append(f"Somebody wished it to {_VERBS[pending]}; the worker has not confirmed that yet.")
    return Explanation(
        run_id=run.id,
        status=run.status,
        phase=run.phase,
        hold=run.hold,
        reason=run.reason,
        summary=summary,
        because=view.because,
        what_to_do=advice,
        pending=pending,
        facts=view.facts,
    )


_VERBS = {Desired.RUN: "go on", Desired.PAUSE: "pause", Desired.STOP: "stop"}


async def _queued(tx: Tx, s: Services, view: _View) -> tuple[str, str | None]:
    run = view.run
    if run.hold is Hold.OPERATOR:
        return "It waits because somebody paused it.", f"`agentrunner resume {run.id}` lets it start."
    if run.hold is Hold.NOT_BEFORE and run.hold_until is not None and run.hold_until > view.now:
        view.because.append(f"Attempt {run.attempt - 1} failed; the next one is due at {rfc3339(run.hold_until)}.")
        return f"It waits {(run.hold_until - view.now) / 1000:.0f} s before attempt {run.attempt}.", None
    view.facts["position"] = ahead = await runs.position(tx, run)
    lease_start = view.now - round(s.settings.lease_s * 1000)
    online = [worker for worker in await workers.all(tx) if worker.heard_at >= lease_start]
    view.facts["workers_online"] = len(online)
    if run.worker_id is not None:
        online = [worker for worker in online if worker.id == run.worker_id]
        view.because.append(f"Only worker {run.worker_id} has what it needs.")
    able = [worker for worker in online if run.backend in worker.backends]
    if not online:
        return "No worker is online.", "Start one: `agentrunner up` or `agentrunner worker`."
    if not able:
        return f"No online worker offers the backend {run.backend!r}.", "`agentrunner doctor` on a worker says why."
    if not (willing := [worker for worker in able if not _lacks(run, worker)]):
        view.because.extend(f"{worker.name}: {why}." for worker in able for why in _lacks(run, worker).values())
        return "No online worker can enforce its limits.", "`agentrunner doctor` on a worker says how it could."
    if not (space := await room(tx, s.settings)).fits(run):
        view.because.append(f"{space.total} more runs fit in all; a cap of its project, agent or backend may be lower.")
        return "It waits for capacity: a cap is reached.", "Wait, stop another run, or raise the cap."
    if ahead:
        count = f"{ahead} or more" if ahead == runs.MOST_AHEAD else ahead
        return f"It waits for its turn: {count} runs are ahead of it.", "Wait, or start more workers or slots."
    free = sum(worker.slots - worker.running for worker in willing)
    if free <= 0:
        return "Every slot of every worker is in use and this run is next.", "Wait, or start more workers or slots."
    return "It is next and a worker is about to take it.", None


def _lacks(run: Run, worker: Worker) -> dict[str, str]:
    """Why a worker cannot enforce the run's limits, by limit."""
    return {name: why for name, why in lacking(worker).items() if getattr(run.limits, name) is not None}


def _finished(view: _View) -> tuple[str, str | None]:
    run = view.run
    if run.exit_code is not None:
        view.facts["exit_code"] = run.exit_code
    if run.message:
        view.because.append(run.message)
    if run.status is Status.COMPLETED:
        return "It finished as it should.", None
    if run.reason is None:
        return f"It is {run.status}.", None
    rule = REASONS[run.reason]
    view.facts["retryable"] = rule.retryable
    return f"It is {run.status}: {run.reason}.", rule.what_to_do


def _active(s: Services, view: _View) -> tuple[str, str | None]:
    run, worker = view.run, view.worker
    if run.backend == EXTERNAL:
        return "Another program runs it and reports here.", None
    host = worker.host if worker is not None else "?"
    view.facts["worker"] = run.worker_id
    if view.attempt is not None and view.attempt.process is not None:
        view.facts["process"] = msgspec.json.decode(view.attempt.process)
    if run.phase is Phase.UNREACHABLE:
        return _unreachable(s, view, host)
    if run.on_lost is not OnLost.WAIT:
        view.because.append(f"`on_lost` is {run.on_lost}: a worker or a server away for a lease ends its processes.")
    since = view.ago(run.phase_since) if run.phase_since is not None else None
    if run.status is Status.PAUSED:
        return f"It is frozen on {host}: no process of it runs.", f"`agentrunner resume {run.id}` lets it go on."
    sentences = {
        Phase.PREPARING: f"Worker {host} is preparing it.",
        Phase.STARTING: f"Its program was started on {host} and has not written anything yet.",
        Phase.STOPPING: f"It is being stopped on {host}.",
    }
    summary = sentences.get(run.phase or Phase.WORKING, f"It is working on {host}.")
    if since is not None:
        view.because.append(f"That has been so for {since}.")
    return summary, None


def _unreachable(s: Services, view: _View, host: str) -> tuple[str, str | None]:
    run = view.run
    since = run.phase_since or view.now
    view.because.append(f"Its worker on {host} was last heard of {view.ago(since)} ago; the agent itself may go on.")
    if run.on_lost is OnLost.WAIT:
        advice = (
            "Bring the worker back: it takes the run up where it is. Nothing is lost by waiting (`on_lost` is wait)."
        )
        return "Its worker cannot be reached.", advice
    becomes = "FAILED worker_lost" if run.on_lost is OnLost.FAIL else "QUEUED for a new attempt"
    view.because.append(f"`on_lost` is {run.on_lost}: its processes end by themselves and it becomes {becomes}.")
    left = s.settings.lease_s + 3 - (view.now - since) / 1000
    return "Its worker cannot be reached.", f"Wait {max(0, left):.0f} s more, or bring the worker back."
