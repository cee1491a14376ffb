"""Workers over HTTP, as people see them; what workers themselves call is in `control`."""

from collections.abc import Sequence

import msgspec
from litestar import get

from agentrunner.api.routes import Given
from agentrunner.domain.control import Program
from agentrunner.domain.token import Scope
from agentrunner.domain.worker import Worker, WorkerView, view
from agentrunner.engine import workers
from agentrunner.engine.runs import EXTERNAL


class WorkerPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker, the last heard first."""

    items: list[WorkerView]
    next_cursor: str | None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that takes runs of a backend; `found` is null as long as it has not looked for the program."""

    worker: str
    name: str
    host: str
    found: Program | None


class BackendView(msgspec.Struct, frozen=True, kw_only=True):
    """A backend on the wire. `usable`: some worker that is online takes its runs, as far as it knows."""

    name: str
    usable: bool
    offers: list[Offer]


class BackendPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every backend, by name, `external` last: its runs are reported by other programs."""

    items: list[BackendView]
    next_cursor: str | None


@get("/v1/workers", opt={"scope": Scope.READ}, summary="List workers")
async def page(context: Given) -> WorkerPage:
    """Every worker that ever registered, and whether its lease lives."""
    found = await workers.all_with_lease(context.services)
    return WorkerPage(items=[view(worker, lives) for worker, lives in found], next_cursor=None)


@get("/v1/backends", opt={"scope": Scope.READ}, summary="List backends, and which workers can run each")
async def backends(context: Given) -> BackendPage:
    """Every backend that this server knows, with what each worker that is online found of its program."""
    online = [worker for worker, lives in await workers.all_with_lease(context.services) if lives]
    items = [_backend(name, online) for name in [*context.services.backends.names, EXTERNAL]]
    return BackendPage(items=items, next_cursor=None)


def _backend(name: str, online: Sequence[Worker]) -> BackendView:
    offered = [
        Offer(worker=worker.id, name=worker.name, host=worker.host, found=worker.programs.get(name))
        for worker in online
        if name in worker.backends
    ]
    usable = name == EXTERNAL or any(each.found is None or each.found.available for each in offered)
    return BackendView(name=name, usable=usable, offers=offered)


HANDLERS = [page, backends]
