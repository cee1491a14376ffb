"""Looking through one run over HTTP: where a text is in its timeline, and its output as a file."""

from contextlib import aclosing
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agentrunner.api import query
from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.events import After
from agentrunner.api.routes import Raw
from agentrunner.api.stream import push
from agentrunner.domain.text import MAX_SOUGHT
from agentrunner.domain.token import Scope
from agentrunner.engine import search_events

TEXT = "text/plain; charset=utf-8"
_CHUNK = 256 * 1024


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`q` is one text, sought as it is but in any case; `after` the `seq` behind which to look."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_SOUGHT, extra_json_schema={"pattern": r"^[^\x00]+$"})]
    after: After = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """The `seq` of events that contain a text, at most `limit` of them.

    `count` is how many there are behind `after` up to `searched_to`, exactly; `complete` says that this is the run's
    end, else time was over before. `next_cursor` goes into `after` for what was neither answered nor searched.
    """

    items: list[int]
    next_cursor: int | None
    count: int
    searched_to: int
    complete: bool


class OutputQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which stream (else of both, as they came) and of which attempt (else of all)."""

    stream: Literal["stdout", "stderr"] | None = None
    attempt: Annotated[int, Meta(ge=1, le=query.MAX_ID)] | None = None


async def search(context: Context, call: Call, text: str) -> None:
    """`GET /v1/runs/{run_id}/search`."""
    run_id = query.run_id(text)
    asked = query.decode(call.scope["query_string"], SearchQuery)
    hits = await search_events.search(context.services, run_id, asked.q, asked.after, asked.limit)
    complete = hits.searched_to >= hits.last_seq
    following = None if complete else hits.searched_to
    if hits.total > len(hits.seqs):
        following = hits.seqs[-1]
    matches = Matches(
        items=hits.seqs,
        next_cursor=following,
        count=hits.total,
        searched_to=hits.searched_to,
        complete=complete,
    )
    await call.json(matches)


async def output(context: Context, call: Call, text: str) -> None:
    """`GET /v1/runs/{run_id}/output`."""
    run_id = query.run_id(text)
    asked = query.decode(call.scope["query_string"], OutputQuery)
    last = await search_events.last_seq(context.services, run_id)
    parts = [f"run-{run_id}", *([f"attempt-{asked.attempt}"] if asked.attempt else []), asked.stream or "output"]
    head = [
        (b"content-type", TEXT.encode()),
        (b"content-disposition", f'attachment; filename="{"-".join(parts)}.txt"'.encode()),
    ]
    await call.send({"type": "http.response.start", "status": 200, "headers": head})
    found = search_events.output(context.services, run_id, last, asked.stream, asked.attempt)
    async with aclosing(found):  # type: ignore[type-var]
        async for chunk in found:
            for start in range(0, len(chunk), _CHUNK):
                if not await push(context, call, chunk[start : start + _CHUNK]):
                    return
    await call.send({"type": "http.response.body", "body": b""})


ROUTES = [
    Raw(
        "GET",
        "/v1/runs/{run_id}/search",
        Scope.READ,
        search,
        "Find a text in a run's timeline: how many events contain it, and which",
        query=SearchQuery,
        answers={200: Matches},
    ),
    Raw(
        "GET",
        "/v1/runs/{run_id}/output",
        Scope.READ,
        output,
        "Everything a run has printed, as a file of text",
        query=OutputQuery,
        answers={200: None},
        answer_type=TEXT,
    ),
]
