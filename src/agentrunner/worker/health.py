"""Signs of life: to the server that this worker lives, to the shims that the server has answered."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from agentrunner.domain.control import HeartbeatRequest
from agentrunner.domain.errors import ServerUnreachable
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution

log = structlog.get_logger("agentrunner.worker")

MARGIN_S = 3.0
"""A shim ends its tree this long before the server acts."""


class Supervising(Protocol):
    """Who knows what is being supervised."""

    @property
    def executions(self) -> Sequence[Execution]:
        """The executions of now."""
        ...


class Health:
    """Heartbeats; after each answered one the deadlines of the runs that do not wait for a lost worker move on."""

    def __init__(self, control: Control, me: tuple[str, int], worker: Supervising) -> None:
        self._control = control
        self._worker_id, self._epoch = me
        self._worker = worker

    async def run(self, every_s: float) -> None:
        """For ever; raises WorkerNotFound or StaleEpoch where the server refuses this worker."""
        while True:
            await self.beat()
            await asyncio.sleep(every_s)

    async def beat(self) -> None:
        """One heartbeat."""
        sent = time.clock_gettime(time.CLOCK_BOOTTIME)
        executions = self._worker.executions
        request = HeartbeatRequest(worker_id=self._worker_id, epoch=self._epoch, running=len(executions))
        try:
            answer = await self._control.heartbeat(request)
        except ServerUnreachable as error:
            log.debug("heartbeat not answered", error=error.detail)
            return
        for execution in executions:
            execution.move_deadline(sent + answer.lease_s - MARGIN_S)
