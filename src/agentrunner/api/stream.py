"""Streams of server-sent events: one run's timeline without gaps, and hints about all runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.api import query
from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.events import After
from agentrunner.api.feed import PAGE, Feed, Subscriber
from agentrunner.api.routes import Raw
from agentrunner.api.topics import PATTERN, Topics, parse
from agentrunner.domain.errors import InvalidCursor, Unavailable
from agentrunner.domain.token import Scope
from agentrunner.engine import events, runs
from agentrunner.engine.wakeups import Subscription, run_topic

EVENT_STREAM = "text/event-stream"
_HEAD = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
_HELLO = b"retry: 1000\n\n"


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`after`: the `seq` behind which to begin; the header `Last-Event-ID` says the same and is preferred."""

    after: After = 0


class TopicsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`topics` by commas: `runs`, and up to 16 of `run:ID@SEQ`, a timeline behind a cursor; left away: `runs`."""

    topics: Annotated[str, Meta(min_length=1, max_length=1000, extra_json_schema={"pattern": PATTERN})] | None = None


async def follow_run(context: Context, call: Call, text: str) -> None:
    """`GET /v1/runs/{run_id}/stream`."""
    asked = query.decode(call.scope["query_string"], StreamQuery)
    after = _last_event_id(call, asked.after)
    run = await runs.get(context.services, query.run_id(text))
    if after > run.last_seq:
        raise InvalidCursor(
            f"Run {run.id} has {run.last_seq} events; {after} is behind its end.", last_seq=run.last_seq
        )
    subscriber = Subscriber(after, call.exchange)
    with context.feeds.subscribe(run, subscriber) as feed:
        await send(context, call, context.feeds.follow(feed, subscriber), subscriber)


async def follow_all(context: Context, call: Call, _: str) -> None:
    """`GET /v1/stream`."""
    asked = query.decode(call.scope["query_string"], TopicsQuery)
    if asked.topics is not None:
        stream = Subscriber()
        await send(context, call, Topics(context, parse(asked.topics), stream).follow(), stream)
        return
    with context.changes.subscribe() as listener:
        await send(context, call, context.changes.follow(listener), listener)


async def follow_past_end(context: Context, feed: Feed, subscriber: Subscriber) -> AsyncIterator[bytes]:
    """What comes, and behind the run's end what comes late: for clients that know no end and would connect again."""
    async for chunk in context.feeds.follow(feed, subscriber):
        yield chunk
    framing = feed.framing
    with context.services.wakeups.subscribe(run_topic(feed.run.id)) as news:
        while feed.ended and not (subscriber.gone or context.stopping.is_set()):
            late = await events.page(context.services, feed.run.id, subscriber.after, PAGE)
            if late:
                subscriber.after = late[-1].seq
                yield b"".join(framing.event(event, feed.run) for event in late) or framing.heartbeat
            elif not await _woken(context.bounds.heartbeat_s, subscriber, news):
                yield framing.heartbeat


async def _woken(timeout_s: float, *subscriptions: Subscription) -> bool:
    """Wait until one of them is woken; False after `timeout_s`."""
    waiting = [asyncio.ensure_future(each.wait(timeout_s)) for each in subscriptions]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return any(each.done() and each.result() for each in waiting)
    finally:
        for each in waiting:
            each.cancel()


def _last_event_id(call: Call, after: int) -> int:
    text = call.header(b"last-event-id")
    if not text:
        return after
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > query.MAX_ID:
        raise InvalidCursor(f"The header Last-Event-ID is {text[:50]!r}; it has to be the `id:` of an event.")
    return int(text)


async def send(
    context: Context, call: Call, chunks: AsyncIterator[bytes], subscriber: Subscriber, hello: bytes = _HELLO
) -> None:
    """Send chunks until they end, the client goes, the server stops, or the reader takes no byte for too long."""
    if context.stopping.is_set():
        raise Unavailable("The server is stopping; connect again shortly.")
    await call.send({"type": "http.response.start", "status": 200, "headers": list(_HEAD)})
    watch = asyncio.ensure_future(call.gone())
    watch.add_done_callback(lambda _: subscriber.leave())
    context.figures.streams.inc()
    context.figures.open_streams += 1
    try:
        if await _push_all(context, call, chunks, hello) and not watch.done():
            await call.send({"type": "http.response.body", "body": b""})
    finally:
        context.figures.streams.dec()
        context.figures.open_streams -= 1
        watch.cancel()


async def _push_all(context: Context, call: Call, chunks: AsyncIterator[bytes], hello: bytes) -> bool:
    """Send every chunk; False where the reader was cut."""
    async with aclosing(chunks):  # type: ignore[type-var]
        taken = await push(context, call, hello)
        async for chunk in chunks:
            if not (taken := await push(context, call, chunk)):
                break
    return taken


async def push(context: Context, call: Call, chunk: bytes) -> bool:
    """Send a chunk; False, with the connection cut, where the reader took no byte for `stall_s`."""
    message = {"type": "http.response.body", "body": chunk, "more_body": True}
    if not call.waiting_bytes():
        await call.send(message)
        return True
    sending = asyncio.ensure_future(call.send(message))
    untaken = call.untaken_bytes()
    while True:
        done, _ = await asyncio.wait({sending}, timeout=context.bounds.stall_s)
        if done:
            sending.result()
            return True
        if (now := call.untaken_bytes()) >= untaken:
            call.abort()
            sending.cancel()
            await asyncio.wait({sending})
            return False
        untaken = now


ROUTES = [
    Raw(
        "GET",
        "/v1/runs/{run_id}/stream",
        Scope.READ,
        follow_run,
        "Follow a run: every event behind a cursor as it comes (`pruned` for what is gone), then `end` with the run",
        query=StreamQuery,
        answers={200: None},
        answer_type=EVENT_STREAM,
        header={
            "name": "Last-Event-ID",
            "description": "The `id:` of the last event that was received.",
            "schema": {"type": "string", "pattern": "^[0-9]{0,19}$"},
        },
    ),
    Raw(
        "GET",
        "/v1/stream",
        Scope.READ,
        follow_all,
        "Hints about all runs (`run` with a changed run, `resync` where all is to be read again) and, by `topics`, "
        "timelines: `event`, `pruned`, `lagged`, `resync`, `gone`, `end`, each with its `run_id`",
        query=TopicsQuery,
        answers={200: None},
        answer_type=EVENT_STREAM,
    ),
]
