"""Replays: which recorded attempt one means, and which worker has it."""

import msgspec

from agentrunner.domain.errors import BadOptions
from agentrunner.domain.recording import REPLAY, Recorded, recorded
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.worker import Worker
from agentrunner.store import attempts, runs, workers
from agentrunner.store.attempts import Attempt
from agentrunner.store.base import Tx

_EXTERNAL = "external"
_MOST_TITLE = 200


async def resolve(tx: Tx, request: NewRun, oldest: int) -> tuple[NewRun, str]:
    """The request with `options.recorded` and a title, and the id of the worker that has the raw output.

    A worker counts that was heard of since `oldest`. Raises BadOptions saying why the run cannot be replayed.
    """
    run_id = int(request.options["run"])
    run = await runs.get(tx, run_id)
    if run is None:
        raise BadOptions(f"`options.run`: there is no run {run_id}.")
    backend = _backend(run)
    attempt = await _attempt(tx, run, request.options.get("attempt"))
    worker = await workers.get(tx, attempt.worker_id)
    if worker is None or worker.heard_at < oldest:
        raise BadOptions(_absent(run, attempt, worker))
    what = Recorded(attempt=attempt.number, uid=attempt.uid, backend=backend, worker=attempt.worker_id)
    title = request.title or f"Replay of run {run.id}: {run.title}"[:_MOST_TITLE]
    options = {**request.options, "recorded": msgspec.to_builtins(what)}
    return msgspec.structs.replace(request, options=options, title=title), attempt.worker_id


def _backend(run: Run) -> str:
    """Whose parser the output needs: a replay has written what its own original wrote."""
    if run.backend == _EXTERNAL:
        raise BadOptions(f"`options.run`: run {run.id} was only reported here; there is no raw output to replay.")
    return recorded(run.options).backend if run.backend == REPLAY else run.backend


async def _attempt(tx: Tx, run: Run, number: int | None) -> Attempt:
    """The attempt to replay; it has to be over, or its output has no end."""
    found = await attempts.get(tx, run.id, run.attempt if number is None else number)
    if found is None or (found.ended_at is not None and found.started_at is None):
        which = "" if number is None else f" in attempt {number}"
        raise BadOptions(f"`options.run`: run {run.id} was not executed{which}; there is no raw output to replay.")
    if found.ended_at is None:
        raise BadOptions(f"`options.run`: run {run.id} is {run.status}; replay it once it has ended.")
    return found


def _absent(run: Run, attempt: Attempt, worker: Worker | None) -> str:
    name = attempt.worker_id if worker is None else f"{worker.name} on host {worker.host}"
    return (
        f"`options.run`: the raw output of run {run.id} is with worker {name}, which is not heard of. Start "
        "`agentrunner worker` there again, then create the replay."
    )
