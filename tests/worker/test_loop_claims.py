"""How a worker asks for runs: how many at once, and how long it waits for some."""

from agentrunner.domain.control import ClaimAnswer, ClaimRequest
from agentrunner.worker.connection import Connection
from agentrunner.worker.control import Control
from waiting import eventually
from worker.world import World


class Noting(Control):
    """Notes every question and how many runs it got."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.asked: list[ClaimRequest] = []
        self.got: list[int] = []

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Ask."""
        self.asked.append(request)
        answer = await super().claim(request)
        self.got.append(len(answer.runs))
        return answer


async def test_a_batch_is_a_bound(here: World) -> None:
    """What waits is taken in batches, without a pause between them, until all have run."""
    waiting = [await here.create("true") for _ in range(5)]
    await here.start_worker(Noting, claim_slots=2, claim_wait_s=20.0)
    for run_id in waiting:
        assert (await here.wait(run_id))["status"] == "COMPLETED"
    assert isinstance(here.control, Noting)
    assert here.control.got[:3] == [2, 2, 1]
    assert {request.slots for request in here.control.asked} == {2}


async def test_free_slots_are_a_bound_too(here: World) -> None:
    """A batch is never more than the worker has room for."""
    first = await here.create("echo on; exec sleep 60")
    await here.start_worker(Noting, slots=3, claim_slots=2, claim_wait_s=20.0)
    await here.wait_line(first, "on")
    assert isinstance(here.control, Noting)
    second = await here.create("echo on; exec sleep 60")
    await here.wait_line(second, "on")
    assert [request.slots for request in here.control.asked] == [2, 2, 1]


async def test_it_asks_again_after_the_interval(here: World) -> None:
    """Where the queue stays empty."""
    await here.start_worker(Noting, claim_wait_s=0.1)
    assert isinstance(here.control, Noting)
    control = here.control

    async def asked_thrice() -> bool:
        return len(control.got) >= 3

    await eventually(asked_thrice)
    assert {request.wait_s for request in control.asked} == {0.1}


async def test_a_run_does_not_wait_for_the_interval(here: World) -> None:
    """One that comes while the worker waits is told to it at once."""
    await here.start_worker(Noting, claim_wait_s=30.0)
    await here.wait_online()
    run_id = await here.create("true")
    assert (await here.wait(run_id, timeout=10))["status"] == "COMPLETED"
