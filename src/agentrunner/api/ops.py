"""The Agent Ops surface (`/api/runs`): runs that programs report, and what their spans and usage say.

It answers as the server does for which those programs were written: its shapes, its success codes, `{"error": …}` for
whatever is refused. What a query says that is not understood is ignored, as there.
"""

from collections.abc import Awaitable, Sequence
from urllib.parse import urlencode

import msgspec

from agentrunner.api import ops_wire, query
from agentrunner.api.call import BODY_BYTES, JSON, Call, decode
from agentrunner.api.context import Context
from agentrunner.api.ops_wire import OpsAmendment, OpsCreatedRun, OpsNewRun, OpsRun, OpsSpan, OpsTrace, OpsUsage
from agentrunner.api.pages import gather
from agentrunner.api.routes import Raw
from agentrunner.api.runs import check_depth, checked_key
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.report import Amendment, NewReport, Report
from agentrunner.domain.run import NewRun
from agentrunner.domain.token import Scope
from agentrunner.domain.trace import Trace
from agentrunner.domain.usage import RunUsage
from agentrunner.engine import reports, traces

MOST_RUNS = 1000
MOST_SPANS = 10_000
AMEND_BYTES = 128 * 1024
"""What is amended comes back with every list, a thousand times where each run has so much."""
KEY_HEADER = {
    "name": "Idempotency-Key",
    "description": "The same key with the same body is done once; for seven days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
NAME = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^/\\x00-\\x1f\\x7f]+$"}
_NOUN = "reports"


class OpsRunsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs: the newest `limit`; `cursor` is what the header Link of the page before says."""

    limit: int = MOST_RUNS
    cursor: str | None = None


class OpsSpansQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which spans: those that began at `since` (ms) or later, the first `limit`."""

    limit: int = 5000
    since: int = 0


def said(call: Call) -> dict[str, str]:
    """The query parameters, of one that comes twice the first."""
    return dict(reversed(query.pairs(call.scope["query_string"])))


def number(text: str | None, default: int, name: str, most: int) -> int:
    """A parameter between 1 and `most`, moved there where it is not; the default where it is not given.

    Raises InvalidField.
    """
    if text is None:
        return default
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise InvalidField(f"`{name}`: {text[:50]!r} is not a whole number.")
    return most if len(text) > 19 else min(max(1, int(text)), most)


async def page(context: Context, call: Call, _: str) -> None:
    """`GET /api/runs`: at most `limit` runs and 4 MiB of them; Link names the rest."""
    asked = said(call)
    limit = number(asked.get("limit"), MOST_RUNS, "limit", MOST_RUNS)
    before = query.position(_NOUN, asked.get("cursor"))
    began: list[int] = []

    def show(report: Report) -> bytes:
        began.append(report.run.started_at or report.run.created_at)
        return msgspec.json.encode(ops_wire.run(report))

    def read(seen: Sequence[Report], count: int) -> Awaitable[list[Report]]:
        return reports.page(context.services, seen[-1].run.id if seen else before, count)

    items, seen = await gather(read, show, limit)
    order = sorted(range(len(items)), key=began.__getitem__, reverse=True)
    link = ""
    if seen:
        link = "/api/runs?" + urlencode({"limit": limit, "cursor": query.cursor(_NOUN, seen[-1].run.id)})
    await answer_page(call, b"[%b]" % b",".join(items[n] for n in order), link)


async def answer_page(call: Call, content: bytes, link: str) -> None:
    """A bare array; what follows it is named by the header Link, which clients that know no pages leave unread."""
    if not link:
        await call.answer(content)
        return
    head = [(b"content-type", JSON), (b"content-length", b"%d" % len(content))]
    head.append((b"link", f'<{link}>; rel="next"'.encode()))
    await call.send({"type": "http.response.start", "status": 200, "headers": head})
    await call.send({"type": "http.response.body", "body": content})


async def create(context: Context, call: Call, _: str) -> None:
    """`POST /api/runs`."""
    key = checked_key(call.header(b"idempotency-key"))
    content = await call.body(BODY_BYTES)
    with call.decoding():
        body = decode(content, OpsNewRun) if content.strip() else OpsNewRun()
    check_depth(NewRun(backend="external", title=body.title, external_id=body.id or None, goal=body.status or ""))
    started_at = ops_wire.instant(body.started_at, "startedAt")
    new = NewReport(name=body.id or None, title=body.title or None, started_at=started_at, status=body.status or None)
    await call.json(ops_wire.created(await reports.begin(context.services, new, key)), 201)


async def amend(context: Context, call: Call, name: str) -> None:
    """`PATCH /api/runs/{run_id}`."""
    content = await call.body(AMEND_BYTES)
    with call.decoding():
        body = decode(content, OpsAmendment) if content.strip() else OpsAmendment()
    metadata = None if body.metadata is msgspec.UNSET else body.metadata or {}
    error = None if body.error_message is msgspec.UNSET else body.error_message or ""
    check_depth(NewRun(backend="external", title=body.title, goal=f"{body.status}{error}", metadata=metadata or {}))
    wanted = Amendment(title=body.title or None, status=body.status or None, error=error, metadata=metadata)
    await call.json(ops_wire.run(await reports.amend(context.services, name, wanted)))


async def spans(context: Context, call: Call, name: str) -> None:
    """`GET /api/runs/{run_id}/spans`."""
    asked = said(call)
    limit = number(asked.get("limit"), 5000, "limit", MOST_SPANS)
    since = number(asked.get("since"), 0, "since", query.MAX_ID)
    report = await reports.get(context.services, name)
    found = [] if report is None else await traces.page(context.services, report.run.id, since, limit)
    await call.json([ops_wire.span(each, name) for each in found])


async def usage(context: Context, call: Call, name: str) -> None:
    """`GET /api/runs/{run_id}/usage`."""
    report = await reports.get(context.services, name)
    found = RunUsage() if report is None else await traces.used(context.services, report.run.id)
    await call.json(ops_wire.usage(found))


async def summary(context: Context, call: Call, name: str) -> None:
    """`GET /api/runs/{run_id}/trace-summary`."""
    report = await reports.get(context.services, name)
    found = Trace() if report is None else await traces.summary(context.services, report.run.id)
    await call.json(ops_wire.trace(found))


ROUTES = [
    Raw(
        "GET",
        "/api/runs",
        Scope.READ,
        page,
        "Agent Ops: runs, the newest first",
        query=OpsRunsQuery,
        answers={200: list[OpsRun]},
    ),
    Raw(
        "POST",
        "/api/runs",
        Scope.REPORT,
        create,
        "Agent Ops: begin to report a run",
        bodies={"application/json": OpsNewRun},
        may_be_empty=True,
        answers={201: OpsCreatedRun},
        header=KEY_HEADER,
    ),
    Raw(
        "PATCH",
        "/api/runs/{run_id}",
        Scope.REPORT,
        amend,
        "Agent Ops: change title, status, error or metadata of a run",
        bodies={"application/json": OpsAmendment},
        may_be_empty=True,
        answers={200: OpsRun},
        parameter=NAME,
    ),
    Raw(
        "GET",
        "/api/runs/{run_id}/spans",
        Scope.READ,
        spans,
        "Agent Ops: the spans of a run",
        query=OpsSpansQuery,
        answers={200: list[OpsSpan]},
        parameter=NAME,
    ),
    Raw(
        "GET",
        "/api/runs/{run_id}/usage",
        Scope.READ,
        usage,
        "Agent Ops: what a run used",
        answers={200: OpsUsage},
        parameter=NAME,
    ),
    Raw(
        "GET",
        "/api/runs/{run_id}/trace-summary",
        Scope.READ,
        summary,
        "Agent Ops: where the time of a run went",
        answers={200: OpsTrace},
        parameter=NAME,
    ),
]
