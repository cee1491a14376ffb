"""Signs of life: to the server that this worker lives, to the shims that the server has answered."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from agentrunner.domain.control import HeartbeatRequest, Program
from agentrunner.domain.errors import ServerUnreachable
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.lease import Lease, boottime
from agentrunner.worker.sampler import Sampler

log = structlog.get_logger("agentrunner.worker")

_AGAIN_S = 0.5
_SHORTEST_PAUSE_S = 0.1


class Supervising(Protocol):
    """Who knows what is being supervised."""

    @property
    def executions(self) -> Sequence[Execution]:
        """The executions of now."""
        ...


class Health:
    """Heartbeats; after each answered one the deadlines of the runs that do not wait for a lost worker move on."""

    def __init__(self, control: Control, me: tuple[str, int], worker: Supervising, lease: Lease) -> None:
        self._control = control
        self._worker_id, self._epoch = me
        self._worker = worker
        self._lease = lease
        self._sampler = Sampler()
        self.programs: dict[str, Program] | None = None
        """What was found of the backends, until the server knows it."""
        self.answered = asyncio.Event()
        """Set once the server has answered: before that nothing new can be given a deadline."""

    async def run(self, every_s: float) -> None:
        """For ever; raises WorkerNotFound or StaleEpoch where the server refuses this worker."""
        while True:
            begun = boottime()
            # One that was lost is made up for at once: waiting for the next would cost the lease a whole beat, and a
            # worker that has just come would claim nothing until then.
            pause_s = every_s if await self.beat() else min(every_s, _AGAIN_S)
            await asyncio.sleep(max(_SHORTEST_PAUSE_S, pause_s - (boottime() - begun)))

    async def beat(self) -> bool:
        """One heartbeat; answers whether the server did."""
        sent, programs = boottime(), self.programs
        executions = self._worker.executions
        request = HeartbeatRequest(
            worker_id=self._worker_id,
            epoch=self._epoch,
            running=len(executions),
            samples=await self._sampler.take(executions),
            programs=programs,
        )
        try:
            answer = await self._control.heartbeat(request)
        except ServerUnreachable as error:
            log.debug("heartbeat not answered", error=error.detail)
            return False
        if self.programs is programs:
            self.programs = None
        self._lease.answered(sent, answer.lease_s)
        self.answered.set()
        for execution in self._worker.executions:
            execution.move_deadline(self._lease.until)
        return True
