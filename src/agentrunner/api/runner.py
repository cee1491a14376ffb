"""The Runs API surface (`/projects`, `/runs`): projects, runs with integer ids, and what a person wishes for them.

It answers as the server does for which its clients were written: its shapes, its success codes, `{"detail": …}` for
whatever is refused. What a query says that is not understood is ignored, as there. Wishes are real: each is answered
once it is fact.
"""

import re
from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from agentrunner.api import query, runner_wire
from agentrunner.api.call import BODY_BYTES, Call, decode
from agentrunner.api.context import Context
from agentrunner.api.ops import KEY_HEADER, answer_page, number, said
from agentrunner.api.pages import gather
from agentrunner.api.routes import Raw
from agentrunner.api.runner_wire import (
    DEFAULT_TYPE,
    DEMO,
    RUN_TYPE,
    RunnerDirective,
    RunnerEvent,
    RunnerNewProject,
    RunnerNewRun,
    RunnerProject,
    RunnerProjectQuery,
    RunnerRun,
    RunnerRunQuery,
)
from agentrunner.api.runs import CREATE_BYTES, check_depth, checked_key
from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import InvalidField, InvalidRequest, ProjectNotFound, RunNotFound
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.project import NewProject, Project
from agentrunner.domain.run import Limits, NewRun, Run
from agentrunner.domain.token import Scope
from agentrunner.engine import facts, inputs, projects, runs
from agentrunner.engine.facts import Wish
from agentrunner.engine.services import Services

MOST = 1000
_RUNS = "runner_runs"
_PROJECTS = "runner_projects"
_MOST_SECONDS = 31_536_000
_INTEGER = re.compile(r"-?[0-9]+")
_DIGITS = 19
_WISHES: dict[str, Wish] = {"pause": runs.pause, "resume": runs.resume, "stop": runs.stop}
RUN_ID = {"type": "integer"}
"""Any whole number may be asked for."""

T = TypeVar("T")


class RunnerPageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which: the first `limit`; `cursor` is what the header Link of the page before says."""

    limit: int = MOST
    cursor: Annotated[str, msgspec.Meta(max_length=100)] | None = None


async def asked(call: Call, kind: type[T], limit: int = BODY_BYTES) -> T:
    """What query and body say together; the body decides where both do. Raises InvalidRequest, InvalidField."""
    given: dict[str, Any] = {name: _scalar(name, text) for name, text in said(call).items()}
    content = await call.body(limit)
    with call.decoding():
        if content.strip():
            given |= decode(content, dict[str, Any])
        return msgspec.convert(given, kind)


def _scalar(name: str, text: str) -> str | int:
    is_number = name == "project_id" and len(text.lstrip("-")) <= _DIGITS and _INTEGER.fullmatch(text)
    return int(text) if is_number else text


def run_id(text: str) -> int:
    """The id of a run in a path. Raises InvalidField, RunNotFound for one that no run can have."""
    if not _INTEGER.fullmatch(text):
        raise InvalidField(f"`run_id`: {text[:50]!r} is not a whole number.")
    if len(text) > _DIGITS or not 1 <= int(text) <= query.MAX_ID:
        raise RunNotFound
    return int(text)


async def page_of_projects(context: Context, call: Call, _: str) -> None:
    """`GET /projects`."""
    wanted = said(call)
    limit = number(wanted.get("limit"), MOST, "limit", MOST)
    after = query.position(_PROJECTS, wanted.get("cursor")) or 0
    found = await projects.page(context.services, after, limit + 1)
    link = ""
    if len(found) > limit:
        link = f"/projects?limit={limit}&cursor={query.cursor(_PROJECTS, found[limit - 1].id)}"
    await answer_page(call, msgspec.json.encode([runner_wire.project(each) for each in found[:limit]]), link)


async def create_project(context: Context, call: Call, _: str) -> None:
    """`POST /projects`."""
    body = await asked(call, RunnerNewProject)
    path = body.local_path or body.path
    if path is None:
        raise InvalidField("`local_path`: field required.")
    made = await projects.create(context.services, NewProject(name=body.name, path=path))
    await call.json(runner_wire.project(made))


async def create(context: Context, call: Call, _: str) -> None:
    """`POST /runs`."""
    key = checked_key(call.header(b"idempotency-key"))
    body = await asked(call, RunnerNewRun, CREATE_BYTES)
    request = _request(body, key, context.services.clock())
    check_depth(request)
    project = await _project(context.services, body.project_id)
    request = msgspec.structs.replace(request, project=project.name)
    (run,) = await runs.create(context.services, [request], key)
    await call.json(runner_wire.run(run))


def _request(body: RunnerNewRun, key: str | None, now: int) -> NewRun:
    options = dict(body.options or {})
    backend = options.pop("backend", None) or DEMO
    if not isinstance(backend, str):
        raise InvalidField("`options.backend`: has to be the name of a backend.")
    if backend == DEMO:
        options.setdefault("stdin", "pipe")
    seconds = options.pop("timeout_seconds", None)
    kind = body.run_type or DEFAULT_TYPE
    # A repeat under the same key has to be the same request, also in the minute after.
    started = key or rfc3339(now)[:16].replace("T", " ")
    return NewRun(
        goal=body.goal,
        backend=backend,
        title=body.name or f"Run - {started}",
        options=options,
        limits=Limits() if seconds is None else Limits(wall_s=_seconds(seconds)),
        labels={} if kind == DEFAULT_TYPE else {RUN_TYPE: kind},
        metadata=(body.run_metadata if body.metadata is None else body.metadata) or {},
    )


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_SECONDS:
        raise InvalidField(f"`options.timeout_seconds`: has to be a number of seconds up to {_MOST_SECONDS}.")
    return value


async def _project(s: Services, project_id: int) -> Project:
    try:
        if project_id < 1:
            raise ProjectNotFound
        return await projects.by_id(s, project_id)
    except ProjectNotFound as error:
        raise ProjectNotFound(f"Project with id {project_id} not found") from error


async def page(context: Context, call: Call, _: str) -> None:
    """`GET /runs`: at most `limit` runs and 4 MiB of them; Link names the rest."""
    wanted = said(call)
    limit = number(wanted.get("limit"), MOST, "limit", MOST)
    before = query.position(_RUNS, wanted.get("cursor"))

    def read(seen: Sequence[Run], count: int) -> Awaitable[list[Run]]:
        return runs.page(context.services, {}, seen[-1].id if seen else before, count)

    items, last = await gather(read, lambda run: msgspec.json.encode(runner_wire.run(run)), limit)
    link = f"/runs?limit={limit}&cursor={query.cursor(_RUNS, last[-1].id)}" if last else ""
    await answer_page(call, b"[%b]" % b",".join(items), link)


async def show(context: Context, call: Call, text: str) -> None:
    """`GET /runs/{run_id}`."""
    await call.json(runner_wire.run(await runs.get(context.services, run_id(text))))


async def wish(context: Context, call: Call, text: str) -> None:
    """`POST /runs/{run_id}/{action}`: answered with the run once it is so."""
    name, _, action = text.partition("/")
    found = _WISHES.get(action.lower())
    if found is None:
        raise InvalidRequest(f"Invalid action. Must be one of: {sorted(_WISHES)}")
    await call.json(runner_wire.run(await facts.become(context.services, run_id(name), found)))


async def direct(context: Context, call: Call, text: str) -> None:
    """`POST /runs/{run_id}/directive`."""
    number = run_id(text)
    content = await call.body(CREATE_BYTES)
    with call.decoding():
        body = decode(content.strip() or b"{}", RunnerDirective)
    event = await inputs.direct(context.services, number, NewInput(text=body.text))
    run = await runs.get(context.services, number)
    await call.answer(runner_wire.event(event, run))


ROUTES: Sequence[Raw] = [
    Raw(
        "GET",
        "/projects",
        Scope.READ,
        page_of_projects,
        "Runs API: projects, the oldest first",
        query=RunnerPageQuery,
        answers={200: list[RunnerProject]},
    ),
    Raw(
        "POST",
        "/projects",
        Scope.ADMIN,
        create_project,
        "Runs API: create a project",
        query=RunnerProjectQuery,
        bodies={"application/json": RunnerNewProject},
        may_be_empty=True,
        answers={200: RunnerProject},
    ),
    Raw(
        "GET",
        "/runs",
        Scope.READ,
        page,
        "Runs API: runs, the newest first",
        query=RunnerPageQuery,
        answers={200: list[RunnerRun]},
    ),
    Raw(
        "POST",
        "/runs",
        Scope.ADMIN,
        create,
        "Runs API: create a run",
        query=RunnerRunQuery,
        bodies={"application/json": RunnerNewRun},
        may_be_empty=True,
        answers={200: RunnerRun},
        header=KEY_HEADER,
    ),
    Raw(
        "GET",
        "/runs/{run_id}",
        Scope.READ,
        show,
        "Runs API: one run",
        answers={200: RunnerRun},
        parameter=RUN_ID,
    ),
    Raw(
        "POST",
        "/runs/{run_id}/directive",
        Scope.ADMIN,
        direct,
        "Runs API: send text to a run's agent",
        bodies={"application/json": RunnerDirective},
        answers={200: RunnerEvent},
        parameter=RUN_ID,
    ),
    Raw(
        "POST",
        "/runs/{run_id}/{action}",
        Scope.ADMIN,
        wish,
        "Runs API: pause, resume or stop a run, and wait until it is so",
        answers={200: RunnerRun},
    ),
]
