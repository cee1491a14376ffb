"""Run directories that no assignment names: what is left of attempts that have ended, here or on the server.

Output that the server has not got is handed in, flagged late; what is recorded is deleted once its retention is over.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from agentrunner.agents.base import Backend
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.domain.run import Limits
from agentrunner.domain.state import Desired, OnLost, Status
from agentrunner.process.adopt import RunDirectory, Spec
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.host import Host

log = structlog.get_logger("agentrunner.worker")

_SWEEP_S = 60.0


class Leftovers:
    """Sweeps this instance's directories at the start and then once a minute."""

    def __init__(
        self, control: Control, host: Host, is_supervised: Callable[[str], bool], backend: Callable[[str], Backend]
    ) -> None:
        self._control = control
        self._host = host
        self._is_supervised = is_supervised
        self._backend = backend

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.sweep()
            await asyncio.sleep(_SWEEP_S)

    async def sweep(self) -> None:
        """Look at every directory once."""
        for path in sorted(self._host.runs.glob("*")):
            try:
                await self._look_at(path)
            except (OSError, AgentRunnerError) as error:
                log.warning("a run directory could not be cleared up", path=str(path), error=str(error))

    async def _look_at(self, path: Path) -> None:
        directory = RunDirectory(path)
        if self._is_supervised(path.name.partition(".")[0]):
            return
        recorded_at = directory.recorded_at()
        if recorded_at is None:
            if not (path / "spec.json").exists():
                return
            await self._deliver(directory)
        elif time.time() - recorded_at > self._host.options.spool_retention_s:
            await asyncio.to_thread(shutil.rmtree, path)

    async def _deliver(self, directory: RunDirectory) -> None:
        execution = Execution(
            self._control, self._host, _assignment(directory.spec()), self._backend(directory.spec().backend)
        )
        try:
            await execution.deliver_late()
            directory.mark_recorded()
        finally:
            execution.close()


def _assignment(spec: Spec) -> Assignment:
    """What is known of an attempt from its directory alone; enough to hand in what it wrote."""
    return Assignment(
        run_id=spec.run,
        attempt=spec.attempt,
        uid=spec.uid,
        epoch=spec.epoch,
        status=Status.RUNNING,
        desired=Desired.RUN,
        revision=0,
        backend=spec.backend,
        title="",
        goal="",
        project="",
        project_path=None,
        options={},
        secrets={},
        limits=Limits(),
        on_lost=OnLost.WAIT,
        boot_id="",
    )
