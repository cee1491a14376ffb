"""Attempts run by the real worker code under real shims; what it would record over HTTP is handed to a sink."""

import logging
import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import structlog

from agentrunner.agents.command import CommandBackend
from agentrunner.domain.control import Assignment, Offsets, Part, RecordAnswer, RecordRequest, States
from agentrunner.domain.run import Limits
from agentrunner.domain.state import Desired, OnLost, Status
from agentrunner.worker import identity
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.hints import Hints
from agentrunner.worker.host import Host, WorkerOptions
from agentrunner.worker.lease import Lease, boottime
from bench.spawn import zygote


class Sink:
    """Stands where the server is: takes every record at once, and shows each to `look`."""

    def __init__(self, look: Callable[[RecordRequest], None]) -> None:
        self._look = look
        self._offsets = {"out": 0, "err": 0, "journal": 0}

    async def record(self, request: RecordRequest) -> RecordAnswer:
        """Everything is stored."""
        self._look(request)
        for part in request.parts:
            assert part.start == self._offsets[part.stream], part
            self._offsets[part.stream] = part.end
        offsets = Offsets(**self._offsets)
        ended = request.outcome is not None
        return RecordAnswer(offsets=offsets, states=States(), status=Status.RUNNING, last_seq=0, ended=ended)


def output_of(request: RecordRequest) -> list[Part]:
    """The parts of standard output."""
    return [part for part in request.parts if part.stream == "out"]


@asynccontextmanager
async def host(state_dir: Path) -> AsyncIterator[Host]:
    """What the executions of one worker share."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    me = identity.take(state_dir)
    with zygote(state_dir) as link:
        hints = Hints()
        try:
            yield Host(
                instance_id="bench",
                identity=me,
                options=_options(state_dir),
                lease=Lease(boottime(), 3600.0),
                hints=hints,
                zygote=link,
            )
        finally:
            hints.close()
            me.release()


def _options(state_dir: Path) -> WorkerOptions:
    return WorkerOptions(
        state_dir=state_dir,
        name="bench",
        version="0",
        slots=1,
        grace_s=3.0,
        spool_cap_bytes=256 << 20,
        spool_retention_s=0.0,
        tree=None,
        pass_env=[],
        environment={"PATH": os.environ.get("PATH", os.defpath)},
    )


def execution(where: Host, argv: list[str], sink: Sink, secrets: dict[str, str] | None = None) -> Execution:
    """An execution of a program; `run` supervises it to its end."""
    assignment = Assignment(
        run_id=1,
        attempt=1,
        uid=uuid.uuid4().hex[:16],
        epoch=1,
        status=Status.RUNNING,
        desired=Desired.RUN,
        revision=0,
        backend="command",
        title="bench",
        goal="",
        project="default",
        project_path=None,
        options={"argv": argv},
        secrets=secrets or {},
        limits=Limits(),
        on_lost=OnLost.WAIT,
        boot_id=where.identity.boot_id,
    )
    return Execution(cast(Control, sink), where, assignment, CommandBackend())
