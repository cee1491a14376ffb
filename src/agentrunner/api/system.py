"""The system itself over HTTP: versions, room, queue, streams, and what `doctor` finds of the server."""

import os
import platform
import time
from importlib.metadata import version

import msgspec
from litestar import get

from agentrunner.api.routes import Given
from agentrunner.domain.check import Check
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.state import Status
from agentrunner.domain.token import Scope
from agentrunner.engine import stats, system, workers
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta

_STARTED = time.monotonic()


class DatabaseView(msgspec.Struct, frozen=True, kw_only=True):
    """The database: `driver` is `sqlite` or `postgres`; `size_bytes` without the write-ahead log, which is null on
    PostgreSQL. `waiting` changes wait for it in this process.
    """

    driver: str
    schema: int
    size_bytes: int
    wal_bytes: int | None
    waiting: int


class DiskView(msgspec.Struct, frozen=True, kw_only=True):
    """The disk of the server's data directory."""

    free_bytes: int
    total_bytes: int


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that wait, run and pause, and the slots of the workers online."""

    queued: int
    running: int
    paused: int
    slots: int
    workers_online: int
    workers: int


class SystemView(msgspec.Struct, frozen=True, kw_only=True):
    """This server process and what it works with; `findings` are `doctor`'s, as of `checked_at`, at most a minute ago.

    `memory_bytes` is what the process has in memory.
    """

    version: str
    python: str
    host: str
    instance: str
    uptime_s: float
    memory_bytes: int
    streams: int
    database: DatabaseView
    disk: DiskView
    queue: QueueView
    findings: list[Check]
    checked_at: str


@get("/v1/system", opt={"scope": Scope.ADMIN}, summary="The server itself: versions, room, queue, findings")
async def show(context: Given) -> SystemView:
    """Versions, room, queue, open streams, and what `doctor` finds of the server."""
    services = context.services
    found = await context.findings.read(services)
    extents = await system.extents(services)
    instance = await services.db.read(meta.get, INSTANCE)
    return SystemView(
        version=version("agentrunner"),
        python=platform.python_version(),
        host=platform.node(),
        instance=instance or "",
        uptime_s=round(time.monotonic() - _STARTED, 3),
        memory_bytes=_resident(),
        streams=context.figures.open_streams,
        database=DatabaseView(
            driver=extents.driver,
            schema=extents.schema,
            size_bytes=extents.size,
            wal_bytes=extents.wal,
            waiting=services.db.waiting,
        ),
        disk=DiskView(free_bytes=extents.free, total_bytes=extents.whole),
        queue=await _queue(context),
        findings=list(found.checks),
        checked_at=rfc3339(found.at),
    )


async def _queue(context: Given) -> QueueView:
    counts = await stats.by_status(context.services)
    known = await workers.all_with_lease(context.services)
    online = [worker for worker, lives in known if lives]
    return QueueView(
        queued=counts[Status.QUEUED],
        running=counts[Status.RUNNING],
        paused=counts[Status.PAUSED],
        slots=sum(worker.slots for worker in online),
        workers_online=len(online),
        workers=len(known),
    )


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


HANDLERS = [show]
