"""The workers on the Runs API surface (`/worker`): all of them as one, and a push for those that wait."""

import asyncio

from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.routes import Raw
from agentrunner.api.runner_wire import RunnerProcessed, RunnerWorkers
from agentrunner.domain.errors import Conflict
from agentrunner.domain.instant import optional_rfc3339
from agentrunner.domain.state import TERMINAL, Status
from agentrunner.domain.token import Scope
from agentrunner.domain.worker import Worker
from agentrunner.engine import runs, stats, workers
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC

PUSH_S = 1.0
"""How long a push waits for the runs that it is for."""
_MOST_PUSHED = 100


async def show(context: Context, call: Call, _: str) -> None:
    """`GET /worker/status`."""
    found = await workers.all_with_lease(context.services)
    counts = await stats.by_status(context.services)
    interval = round(float(context.services.settings.worker_check_interval))
    shown = RunnerWorkers(
        running=bool(_alive(found)),
        check_interval=interval,
        check_interval_seconds=interval,
        last_check=optional_rfc3339(max((worker.heard_at for worker, _ in found), default=None)),
        active_runs=await stats.active(context.services),
        queued_runs=counts[Status.QUEUED],
        total_processed=sum(counts[status] for status in TERMINAL),
        workers=len(_alive(found)),
    )
    await call.json(shown)


def _alive(found: list[tuple[Worker, bool]]) -> list[Worker]:
    return [worker for worker, lives in found if lives]


async def process(context: Context, call: Call, _: str) -> None:
    """`POST /worker/process`: wake the workers, and see for up to `PUSH_S` how many waiting runs they begin."""
    s = context.services
    if not _alive(await workers.all_with_lease(s)):
        raise Conflict("No worker is online; start one with `agentrunner up` or `agentrunner worker`.")
    waiting = await _waiting(s)
    left = waiting
    with s.wakeups.subscribe(RUNS_TOPIC) as news:
        s.wakeups.publish(QUEUE_TOPIC)
        deadline = asyncio.get_running_loop().time() + PUSH_S
        while left and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            await news.wait(left_s)
            left = waiting & await _waiting(s)
    await call.json(RunnerProcessed(runs_claimed=len(waiting - left)))


async def _waiting(s: Services) -> set[int]:
    """The newest of the runs that could begin."""
    found = await runs.page(s, {"status": [Status.QUEUED]}, None, _MOST_PUSHED)
    return {run.id for run in found if run.hold is None}


ROUTES = [
    Raw(
        "GET",
        "/worker/status",
        Scope.READ,
        show,
        "Runs API: whether a worker is there, and what it does",
        answers={200: RunnerWorkers},
    ),
    Raw(
        "POST",
        "/worker/process",
        Scope.ADMIN,
        process,
        "Runs API: wake the workers",
        answers={200: RunnerProcessed},
    ),
]
