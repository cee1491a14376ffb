"""Run directories that no assignment names: what is left of attempts that have ended, here or on the server.

Output that the server has not got is handed in, flagged late; what is recorded is deleted once its retention is over.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
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
_DELIVER_WITHIN_S = 60.0
"""A tree that does not end is looked at again in the next sweep, not before all others."""


class Leftovers:
    """Sweeps this instance's directories at the start and then once a minute."""

    def __init__(
        self, control: Control, host: Host, is_supervised: Callable[[str], bool], backend: Callable[[str], Backend]
    ) -> None:
        self._control = control
        self._host = host
        self._is_supervised = is_supervised
        self._backend = backend
        self._told: dict[Path, str] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.sweep()
            await asyncio.sleep(_SWEEP_S)

    async def sweep(self) -> None:
        """Look at every directory once; what is wrong with one is said once."""
        told, self._told = self._told, {}
        for path in sorted(self._host.runs.glob("*")):
            try:
                await self._look_at(path)
            except (OSError, ValueError, TypeError, msgspec.MsgspecError, AgentRunnerError) as error:
                self._told[path] = str(error) or type(error).__name__
                if told.get(path) != self._told[path]:
                    log.warning("a run directory could not be cleared up", path=str(path), error=self._told[path])

    async def _look_at(self, path: Path) -> None:
        directory = RunDirectory(path)
        if self._is_supervised(path.name.partition(".")[0]):
            return
        if not (path / "spec.json").exists():
            # A worker was killed while it made this; nothing was ever executed here, and secrets may lie in it.
            await self._remove(path, os.stat(path).st_mtime)
        elif (recorded_at := directory.recorded_at()) is None:
            await self._deliver(directory)
        else:
            await self._remove(path, recorded_at)

    async def _remove(self, path: Path, since: float) -> None:
        if time.time() - since > self._host.options.spool_retention_s:
            await asyncio.to_thread(shutil.rmtree, path)

    async def _deliver(self, directory: RunDirectory) -> None:
        spec = directory.spec()
        execution = Execution(self._control, self._host, _assignment(spec), self._backend(spec.backend))
        try:
            async with asyncio.timeout(_DELIVER_WITHIN_S):
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
