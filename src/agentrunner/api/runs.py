"""Runs over HTTP: create, list, look at, wish for, retry, send input."""

from collections.abc import Awaitable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody
from msgspec import Meta

from agentrunner.api import query
from agentrunner.api.auth import permit
from agentrunner.api.call import Call, decode
from agentrunner.api.context import Context
from agentrunner.api.pages import gather
from agentrunner.api.routes import Given, Raw, RunId
from agentrunner.domain import decision
from agentrunner.domain.decision import InputView, NewInput
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.query import MAX_LENGTH, parse
from agentrunner.domain.run import MAX_BATCH, NewRun, RunView, view
from agentrunner.domain.state import Status
from agentrunner.domain.token import Scope
from agentrunner.engine import explain as explanations
from agentrunner.engine import inputs, runs, search
from agentrunner.engine.runs import EXTERNAL, Wished
from agentrunner.store.runs import RunRow

CREATE_BYTES = 8 * 1024 * 1024
MOST_DEPTH = 100
_MOST_KEY = 200
_NOUN = "runs"


class NewRuns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several runs to create, all or none."""

    runs: Annotated[list[NewRun], Meta(min_length=1, max_length=MAX_BATCH)]


class CreatedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that were created, in the order asked for."""

    items: list[RunView]


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, the newest first. `next_cursor` goes into `cursor` for the next page; null on the last.

    `indexed_to` comes only with a search for text that may lack some: what was written behind this instant. Title and
    goal of new runs are searched at once.
    """

    items: list[RunView]
    next_cursor: str | None
    indexed_to: str | msgspec.UnsetType = msgspec.UNSET


class _Shape(msgspec.Struct, frozen=True):
    runs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


async def create(context: Context, call: Call, _: str) -> None:
    """`POST /v1/runs`."""
    query.check(call.scope["query_string"], (), ())
    key = checked_key(call.header(b"idempotency-key"))
    call.expect_json()
    content = await call.body(CREATE_BYTES)
    with call.decoding():
        several = decode(content, _Shape).runs is not msgspec.UNSET
        requests = msgspec.json.decode(content, type=NewRuns).runs if several else [decode(content, NewRun)]
    for index, request in enumerate(requests):
        check_depth(request, f"runs[{index}]." if several else "")
    if any(request.backend != EXTERNAL for request in requests):
        permit(call, Scope.ADMIN, context.services)
    created = [view(run) for run in await runs.create(context.services, requests, key)]
    await call.json(CreatedRuns(items=created) if several else created[0], 201)


def checked_key(key: str | None) -> str | None:
    """The header Idempotency-Key as it was sent. Raises InvalidField."""
    if key is not None and not (0 < len(key) <= _MOST_KEY and key.isascii() and key.isprintable()):
        raise InvalidField(f"The header Idempotency-Key takes 1 to {_MOST_KEY} printable ASCII characters.")
    return key


def check_depth(request: NewRun, where: str = "") -> None:
    """Refuse what could be stored but not read back: NUL, and values nested deeper than any reader follows."""
    for name in ("project", "title", "goal", "agent", "external_id", "options", "labels", "metadata", "secrets"):
        todo: list[tuple[Any, int]] = [(getattr(request, name), 0)]
        while todo:
            value, depth = todo.pop()
            if depth > MOST_DEPTH:
                raise InvalidField(f"`{where}{name}` is nested deeper than {MOST_DEPTH} levels.")
            if isinstance(value, str) and "\x00" in value:
                raise InvalidField(f"`{where}{name}` contains a NUL character; leave it out.")
            if isinstance(value, dict):
                todo.extend((item, depth + 1) for pair in value.items() for item in pair)
            elif isinstance(value, list):
                todo.extend((item, depth + 1) for item in value)


_QUERY = """A query: terms that have to match all. A word is looked for in title, goal, messages, errors and
how a run ended, without case and accents (`log*`: words that begin so; `"two words"`: one behind the other);
`field:value` narrows:
`status:failed,stopped`, `agent:`, `backend:`, `project:`, `worker:`, `label:name=value`, `reason:`, `phase:`, `hold:`,
`id:12`, `since:24h`, `until:2026-11-20`, `cost:>1.5`, `took:>10m`, `is:active` (`terminal`, `held`, `unreachable`).
`-` in front negates a term; text with blanks or a colon goes in double quotes."""


Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="The same key with the same request answers the same; for seven days.",
        schema_extra={"minLength": 1, "maxLength": _MOST_KEY, "pattern": "^[ -~]+$"},
    ),
]


class RunsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs; all that is said has to match, several values of one are alternatives."""

    status: Annotated[list[Status], Meta(max_length=50, description="These statuses.")] = []
    project: Annotated[list[str], Meta(max_length=50, description="Projects by name.")] = []
    backend: Annotated[list[str], Meta(max_length=50, description="These backends.")] = []
    agent: Annotated[list[str], Meta(max_length=50, description="These agents.")] = []
    worker: Annotated[list[str], Meta(max_length=50, description="Workers by id.")] = []
    label: Annotated[list[str], Meta(max_length=50, description="`name=value`; all have to be there.")] = []
    q: Annotated[str, Meta(max_length=MAX_LENGTH, description=_QUERY)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=100)] | None = None


@lru_cache(maxsize=128)
def _asked(query_string: bytes) -> tuple[RunsQuery, Mapping[str, Any]]:
    """What a query string asks for, and the filters it means; consoles and programs ask the same all day."""
    asked = query.decode(query_string, RunsQuery)
    return asked, {
        "status": asked.status,
        "project": asked.project,
        "backend": asked.backend,
        "agent": asked.agent,
        "worker_id": asked.worker,
        "labels": [_label(text) for text in asked.label],
        "query": parse(asked.q),
    }


async def page(context: Context, call: Call, _: str) -> None:
    """`GET /v1/runs`: at most `limit` runs and 4 MiB of them."""
    asked, wanted = _asked(call.scope["query_string"])
    reached = await search.indexed_to(context.services, wanted["query"])
    before = query.position(_NOUN, asked.cursor)

    def read(seen: Sequence[RunRow], count: int) -> Awaitable[list[RunRow]]:
        return runs.page_rows(context.services, wanted, seen[-1][0] if seen else before, count)

    shown, last = await gather(read, context.wire_runs.of, asked.limit)
    following = b'"%b"' % query.cursor(_NOUN, last[-1][0]).encode() if last else b"null"
    items = b",".join(shown)
    behind = b"" if reached is None else b',"indexed_to":"%b"' % rfc3339(reached).encode()
    await call.answer(b'{"items":[%b],"next_cursor":%b%b}' % (items, following, behind))


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidField(f"`label`: {text[:100]!r} has to be `name=value`.")
    return name, value


@get("/v1/runs/{run_id:int}", opt={"scope": Scope.READ}, summary="One run")
async def show(context: Given, run_id: RunId) -> RunView:
    """A run as it is now."""
    return view(await runs.get(context.services, run_id))


@get("/v1/runs/{run_id:int}/explain", opt={"scope": Scope.READ}, summary="Why a run is where it is")
async def explain(context: Given, run_id: RunId) -> Explanation:
    """A sentence, the facts behind it, and what can be done."""
    return await explanations.explain(context.services, run_id)


_LATER = {202: ResponseSpec(RunView, description="Wished; not fact yet.", generate_examples=False)}


async def _answer(wish: Awaitable[Wished]) -> Response[RunView]:
    run, is_fact = await wish
    return Response(view(run), status_code=200 if is_fact else 202)


@post("/v1/runs/{run_id:int}/pause", status_code=200, opt={"scope": Scope.ADMIN}, responses=_LATER, summary="Pause")
async def pause(context: Given, run_id: RunId) -> Response[RunView]:
    """Freeze a run's processes, or hold it in the queue."""
    return await _answer(runs.pause(context.services, run_id))


@post("/v1/runs/{run_id:int}/resume", status_code=200, opt={"scope": Scope.ADMIN}, responses=_LATER, summary="Resume")
async def resume(context: Given, run_id: RunId) -> Response[RunView]:
    """Let a paused run go on."""
    return await _answer(runs.resume(context.services, run_id))


@post("/v1/runs/{run_id:int}/stop", status_code=200, opt={"scope": Scope.ADMIN}, responses=_LATER, summary="Stop")
async def stop(context: Given, run_id: RunId) -> Response[RunView]:
    """End a run and every process of it."""
    return await _answer(runs.stop(context.services, run_id))


@post("/v1/runs/{run_id:int}/retry", opt={"scope": Scope.ADMIN}, summary="Retry a finished run as a new one")
async def retry(context: Given, run_id: RunId, key: Key = None) -> RunView:
    """A new run with the same request; its `retry_of` names the old one."""
    return view(await runs.retry(context.services, run_id, checked_key(key)))


@post("/v1/runs/{run_id:int}/inputs", status_code=202, opt={"scope": Scope.ADMIN}, summary="Send text to the agent")
async def send_input(context: Given, run_id: RunId, data: JSONBody[NewInput], key: Key = None) -> InputView:
    """The text reaches the agent once; the event `input.delivered` says when."""
    return decision.view(await inputs.send(context.services, run_id, data, checked_key(key)))


HANDLERS = [show, explain, pause, resume, stop, retry, send_input]
ROUTES = [
    Raw(
        "GET",
        "/v1/runs",
        Scope.READ,
        page,
        "List runs, the newest first",
        query=RunsQuery,
        answers={200: RunPage},
    ),
    Raw(
        "POST",
        "/v1/runs",
        Scope.REPORT,
        create,
        "Create a run, or up to 1,000 at once, all or none",
        bodies={"application/json": NewRun | NewRuns},
        answers={201: RunView | CreatedRuns},
        header={
            "name": "Idempotency-Key",
            "description": "The same key with the same body answers the same runs; for seven days.",
            "schema": {"type": "string", "minLength": 1, "maxLength": _MOST_KEY, "pattern": "^[ -~]+$"},
        },
    ),
]
