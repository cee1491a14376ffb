"""Events on the Runs API surface: read in pages, followed live; an event's `id` is the cursor of both."""

import re
from collections.abc import Awaitable, Sequence

import msgspec

from agentrunner.api import query, runner_wire
from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.feed import Framing, Subscriber, frame
from agentrunner.api.ops import answer_page, number, said
from agentrunner.api.pages import gather
from agentrunner.api.routes import Raw
from agentrunner.api.runner import MOST, RUN_ID, run_id
from agentrunner.api.runner_wire import RunnerEvent
from agentrunner.api.stream import EVENT_STREAM, follow_past_end, send
from agentrunner.domain.errors import InvalidField, RunNotFound
from agentrunner.domain.event import Event
from agentrunner.domain.run import Run
from agentrunner.domain.token import Scope
from agentrunner.engine import events, runs

_INTEGER = re.compile(r"-?[0-9]+")
_DIGITS = 19
_HEADER = {
    "name": "Last-Event-ID",
    "description": "The `id:` of the last event that was received; wins over `after_id`.",
    "schema": {"type": "string"},
}


class RunnerEventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: the first `limit` behind the one with the id `after_id` (or `after`); from 0 on down all."""

    after_id: int = 0
    after: int = 0
    limit: int = MOST


class RunnerStreamQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`after_id` (or `after`): the id of the event behind which to begin."""

    after_id: int = 0
    after: int = 0


def cursor(asked: dict[str, str]) -> int:
    """The id behind which to begin: `after_id`, else `after`; each is checked. Raises InvalidField."""
    texts = {name: asked[name] for name in ("after_id", "after") if name in asked}
    for name, text in texts.items():
        if not _INTEGER.fullmatch(text):
            raise InvalidField(f"`{name}`: {text[:50]!r} is not a whole number.")
    text = next(iter(texts.values()), "0")
    if text.startswith("-"):
        return 0
    return query.MAX_ID if len(text) > _DIGITS else min(int(text), query.MAX_ID)


async def page(context: Context, call: Call, text: str) -> None:
    """`GET /runs/{run_id}/events`: at most `limit` events and 4 MiB of them; Link names the rest."""
    asked = said(call)
    limit = number(asked.get("limit"), MOST, "limit", MOST)
    begins = cursor(asked)
    try:
        run = await runs.get(context.services, run_id(text))
    except RunNotFound:
        await call.answer(b"[]")
        return
    after = await events.seq_at(context.services, run.id, begins)

    def read(seen: Sequence[Event], count: int) -> Awaitable[list[Event]]:
        return events.page(context.services, run.id, seen[-1].seq if seen else after, count)

    items, last = await gather(read, lambda event: _shown(event, run), limit)
    link = f"/runs/{run.id}/events?limit={limit}&after_id={last[-1].id}" if last else ""
    await answer_page(call, b"[%b]" % b",".join(items), link)


def _frame(event: Event, run: Run) -> bytes:
    shown = _shown(event, run)
    return b"" if shown is None else frame(runner_wire.word_of(event.type), shown, event.id)


def _shown(event: Event, run: Run) -> bytes | None:
    return runner_wire.event(event, run) if runner_wire.is_shown(event) else None


FRAMING = Framing(
    name="runner",
    event=_frame,
    pruned=lambda _: b"",
    end=lambda _: b"",
    heartbeat=b": keepalive\n\n",
)


async def follow(context: Context, call: Call, text: str) -> None:
    """`GET /runs/{run_id}/events/stream`."""
    asked = cursor(said(call))
    header = call.header(b"last-event-id") or ""
    if header.isascii() and header.isdigit():
        asked = cursor({"after_id": header})
    run = await runs.get(context.services, run_id(text))
    subscriber = Subscriber(await events.seq_at(context.services, run.id, asked), call.exchange)
    with context.feeds.subscribe(run, subscriber, FRAMING) as feed:
        await send(context, call, follow_past_end(context, feed, subscriber), subscriber)


ROUTES = [
    Raw(
        "GET",
        "/runs/{run_id}/events",
        Scope.READ,
        page,
        "Runs API: the events of a run behind a cursor",
        query=RunnerEventsQuery,
        answers={200: list[RunnerEvent]},
        parameter=RUN_ID,
    ),
    Raw(
        "GET",
        "/runs/{run_id}/events/stream",
        Scope.READ,
        follow,
        "Runs API: a run's events as they come",
        query=RunnerStreamQuery,
        answers={200: None},
        answer_type=EVENT_STREAM,
        header=_HEADER,
        parameter=RUN_ID,
    ),
]
