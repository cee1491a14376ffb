"""Run directories that no assignment names: what is left of attempts that have ended, here or on the server.

Output that the server has not got is handed in, flagged late; what is recorded goes by `retention`.
"""

import asyncio
import os
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
from agentrunner.process import groups
from agentrunner.process.adopt import RECORDED, RunDirectory, Spec
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.host import Host
from agentrunner.worker.retention import GONE, Spools, remove

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
        self._spools = Spools(host.runs)

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.sweep()
            await asyncio.sleep(_SWEEP_S)

    async def sweep(self) -> None:
        """Look at every directory once; what is wrong with one is said once."""
        told, self._told = self._told, {}
        # In a thread: a host keeps the directories of a day, and while they are looked at its agents go on writing.
        for path in await asyncio.to_thread(_to_look_at, self._host.runs):
            try:
                await self._look_at(path)
            except (OSError, ValueError, TypeError, msgspec.MsgspecError, AgentRunnerError) as error:
                self._told[path] = str(error) or type(error).__name__
                if told.get(path) != self._told[path]:
                    log.warning("a run directory could not be cleared up", path=str(path), error=self._told[path])
        for group in await asyncio.to_thread(groups.clear, self._host.runs, self._host.instance_id):
            log.info("an empty control group was removed", path=group)
        await self._delete_old()

    async def _delete_old(self) -> None:
        options, told = self._host.options, self._spools.problems
        gone = await asyncio.to_thread(
            self._spools.sweep, options.spool_retention_s, options.spool_retention_bytes, self._is_supervised
        )
        if gone:
            log.info("raw output deleted", directories=len(gone), bytes=sum(old.size for old in gone))
        for path, error in self._spools.problems.items():
            if told.get(path) != error:
                log.warning("raw output could not be deleted", path=str(path), error=error)

    async def _look_at(self, path: Path) -> None:
        directory = RunDirectory(path)
        if self._is_supervised(path.name.partition(".")[0]):
            return
        if not (path / "spec.json").exists():
            # A worker was killed while it made this; nothing was ever executed here, and secrets may lie in it.
            if time.time() - os.stat(path).st_mtime > self._host.options.spool_retention_s:
                await asyncio.to_thread(remove, path)
        elif directory.recorded_at() is None:
            await self._deliver(directory)

    async def _deliver(self, directory: RunDirectory) -> None:
        spec = directory.spec()
        execution = Execution(self._control, self._host, _assignment(spec), self._backend(spec.backend))
        try:
            async with asyncio.timeout(_DELIVER_WITHIN_S):
                await execution.deliver_late()
            directory.mark_recorded()
        finally:
            execution.close()


def _to_look_at(runs: Path) -> list[Path]:
    """The directories that are not known to be recorded."""
    try:
        names = sorted(os.listdir(runs))
    except FileNotFoundError:
        return []
    return [runs / name for name in names if not name.endswith(GONE) and not (runs / name / RECORDED).exists()]


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
