"""The worker protocol: six calls under `/v1/control/`, only for tokens of scope `worker`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from agentrunner.api.call import Call, Gone
from agentrunner.api.context import Context
from agentrunner.api.routes import Raw
from agentrunner.domain.control import (
    ClaimAnswer,
    ClaimRequest,
    DecisionsAnswer,
    DecisionsRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    RecordAnswer,
    RecordRequest,
    RegisterAnswer,
    RegisterRequest,
    WishesAnswer,
    WishesRequest,
)
from agentrunner.domain.errors import Unavailable
from agentrunner.domain.token import Scope
from agentrunner.engine import events, workers
from agentrunner.engine.services import Services

RECORD_BYTES = 20 * 1024 * 1024
"""16 MiB of output grow when they become JSON."""
T = TypeVar("T")


async def record(context: Context, call: Call, _: str) -> None:
    """`POST /v1/control/record`."""
    request = await call.decoded(RecordRequest, RECORD_BYTES)
    with call.decoding():
        answer = await events.record(context.services, request)
    if stored := sum(len(part.events) for part in request.parts):
        context.figures.recorded.inc(stored)
    await call.json(answer)


def _at_once(kind: type[T], use: Callable[[Services, T], Awaitable[Any]]) -> Callable[..., Awaitable[None]]:
    async def serve(context: Context, call: Call, _: str) -> None:
        request = await call.decoded(kind)
        await call.json(await use(context.services, request))

    return serve


def _waiting(kind: type[T], use: Callable[[Services, T], Awaitable[Any]]) -> Callable[..., Awaitable[None]]:
    async def serve(context: Context, call: Call, _: str) -> None:
        request = await call.decoded(kind)
        await call.json(await until_gone(context, call, use(context.services, request)))

    return serve


async def until_gone(context: Context, call: Call, use: Awaitable[T]) -> T:
    """What `use` answers, unless the client closes (Gone) or this server stops (Unavailable) before that.

    Both end it where it is. That is safe: a claim whose answer is lost is answered again for its `claim_id`.
    """
    work = asyncio.ensure_future(use)
    closed = asyncio.ensure_future(call.gone())
    stopping = asyncio.ensure_future(context.stopping.wait())
    try:
        await asyncio.wait({work, closed, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        if stopping.done():
            raise Unavailable("The server is stopping; ask again shortly.")
        raise Gone
    finally:
        for task in (work, closed, stopping):
            task.cancel()
        await asyncio.wait({work, closed, stopping})
        if not work.cancelled():
            work.exception()


def _route(name: str, serve: Any, kind: type[Any], answer: type[Any], summary: str) -> Raw:
    return Raw(
        "POST",
        f"/v1/control/{name}",
        Scope.WORKER,
        serve,
        summary,
        bodies={"application/json": kind},
        answers={200: answer},
    )


ROUTES = [
    _route(
        "register",
        _at_once(RegisterRequest, workers.register),
        RegisterRequest,
        RegisterAnswer,
        "Take over a worker's identity and its runs",
    ),
    _route(
        "claim",
        _waiting(ClaimRequest, workers.claim),
        ClaimRequest,
        ClaimAnswer,
        "Take runs from the queue, waiting for some",
    ),
    _route(
        "heartbeat",
        _at_once(HeartbeatRequest, workers.heartbeat),
        HeartbeatRequest,
        HeartbeatAnswer,
        "Give a sign of life",
    ),
    _route(
        "wishes",
        _waiting(WishesRequest, workers.wishes),
        WishesRequest,
        WishesAnswer,
        "Learn what people wish for this worker's runs, waiting for news",
    ),
    _route(
        "record",
        record,
        RecordRequest,
        RecordAnswer,
        "Store output and facts of one attempt, and perhaps its end",
    ),
    _route(
        "decisions",
        _waiting(DecisionsRequest, workers.decisions),
        DecisionsRequest,
        DecisionsAnswer,
        "Learn inputs to deliver, waiting for some",
    ),
]
LASTING = {"/v1/control/claim", "/v1/control/wishes", "/v1/control/decisions"}
"""The routes that answer when there is something to say: how long they take says nothing of the server."""
