"""Wishes of callers who wait for the fact."""

import asyncio
from collections.abc import Awaitable, Callable

from agentrunner.domain.errors import Conflict, InvalidTransition
from agentrunner.domain.run import Run
from agentrunner.domain.state import Desired, Hold, Status
from agentrunner.engine.runs import Wished, get
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import run_topic

WAIT_S = 2.0

Wish = Callable[[Services, int], Awaitable[Wished]]
"""One of `runs.pause`, `runs.resume` and `runs.stop`."""


async def become(s: Services, run_id: int, wish: Wish, wait_s: float = WAIT_S) -> Run:
    """Wish something for a run and wait up to `wait_s` until it is fact; answers the run as it then is.

    Raises what `wish` does, InvalidTransition where the run ended in another way first, and Conflict where somebody
    has wished otherwise since, or nothing is fact in time: then the wish stands all the same.
    """
    now = asyncio.get_running_loop().time
    with s.wakeups.subscribe(run_topic(run_id)) as subscription:
        wished, is_fact = await wish(s, run_id)
        if is_fact:
            return wished
        run, deadline = wished, now() + wait_s
        while not _is_decided(run, wished) and (left_s := deadline - now()) > 0:
            await subscription.wait(left_s)
            run = await get(s, run_id)
    if not _is_so(run, wished):
        raise _refusal(run, wished.desired)
    return run


def _is_so(run: Run, wished: Run) -> bool:
    """True where a run is what was wished, by a fact that answers that wish or a later one."""
    if wished.desired is Desired.STOP:
        return run.status is Status.STOPPED
    is_paused = run.status is Status.PAUSED or run.hold is Hold.OPERATOR
    is_right = is_paused is (wished.desired is Desired.PAUSE)
    return is_right and not run.status.is_terminal and run.answered >= wished.revision


def _is_decided(run: Run, wished: Run) -> bool:
    return run.status.is_terminal or run.desired is not wished.desired or _is_so(run, wished)


_VERBS = {Desired.RUN: "go on", Desired.PAUSE: "pause", Desired.STOP: "stop"}


def _refusal(run: Run, wished: Desired) -> Conflict:
    """Why a run is not what was wished."""
    if run.status.is_terminal:
        return InvalidTransition(f"Run {run.id} was {run.status} before it could {_VERBS[wished]}.", current=run.status)
    if run.desired is wished:
        detail = f"that it is to {_VERBS[wished]} is recorded but not fact yet; look again."
    else:
        detail = f"somebody has wished it to {_VERBS[run.desired]} since it was to {_VERBS[wished]}."
    return Conflict(f"Run {run.id} is {run.status}: {detail}", current=run.status, pending=run.desired)
