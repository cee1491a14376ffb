"""Wishes of callers who wait for the fact."""

from collections.abc import Awaitable, Callable

from agentrunner.domain.errors import Conflict, InvalidTransition
from agentrunner.domain.run import Run
from agentrunner.domain.state import Desired, Status
from agentrunner.engine.runs import Wished, get
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import run_topic

WAIT_S = 2.0

Wish = Callable[[Services, int], Awaitable[Wished]]


async def become(s: Services, run_id: int, wish: Wish, wait_s: float = WAIT_S) -> Run:
    """Wish something for a run and wait until it is fact; answers the run as it then is.

    Raises what `wish` does, InvalidTransition where the run ended in another way first, and Conflict where nothing is
    fact in time: the wish stands all the same.
    """
    left_s = wait_s
    with s.wakeups.subscribe(run_topic(run_id)) as subscription:
        run, is_fact = await wish(s, run_id)
        wished, revision = run.desired, run.revision
        deadline = s.clock() + round(wait_s * 1000)
        while not is_fact and left_s > 0:
            await subscription.wait(left_s)
            run = await get(s, run_id)
            is_fact = run.answered >= revision or run.status.is_terminal
            left_s = (deadline - s.clock()) / 1000
    if not is_fact:
        raise Conflict(
            f"Run {run.id} is {run.status}: that it is to {_VERBS[wished]} is recorded but not fact yet; look again.",
            current=run.status,
            pending=wished,
        )
    if run.status.is_terminal and not (wished is Desired.STOP and run.status is Status.STOPPED):
        raise InvalidTransition(f"Run {run.id} was {run.status} before it could {_VERBS[wished]}.", current=run.status)
    return run


_VERBS = {Desired.RUN: "go on", Desired.PAUSE: "pause", Desired.STOP: "stop"}
