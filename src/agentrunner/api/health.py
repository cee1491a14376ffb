"""Whether this server lives and is of use; open to all."""

import asyncio
import time
from importlib.metadata import version
from typing import Literal

import msgspec
from litestar import get

from agentrunner.api.context import Context
from agentrunner.api.routes import Given
from agentrunner.domain.errors import Unavailable
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta

_ANSWERS_WITHIN_S = 2.0
_LIVE_WITHIN_S = 0.5
_VERSION = version("agentrunner")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """That the server lives, at `time` (ms since 1970); `degraded` where its database does not answer."""

    status: Literal["ok", "degraded"]
    time: int
    db: Literal["ok", "error"]
    version: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is `ok`, or the answer is a problem document."""

    status: Literal["ok"] = "ok"


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go from here."""

    name: str = "Agent Runner"
    openapi: str = "/openapi.json"
    api: str = "/v1/runs"
    health: str = "/health"
    documentation: str = "agentrunner --help"


@get("/health", opt={"scope": None}, summary="Does the server live?")
async def live(context: Given) -> Health:
    """Answers as long as the process handles requests, and says whether the database does."""
    is_there = await _database_answers(context, _LIVE_WITHIN_S) is None
    return Health(
        status="ok" if is_there else "degraded",
        time=time.time_ns() // 1_000_000,
        db="ok" if is_there else "error",
        version=_VERSION,
    )


async def _database_answers(context: Context, within_s: float) -> Exception | None:
    """What keeps the database from answering; None where it does."""
    try:
        async with asyncio.timeout(within_s):
            await context.services.db.read(meta.get, INSTANCE)
    except Exception as error:
        return error
    return None


@get("/ready", opt={"scope": None}, summary="Is the server of use?")
async def ready(context: Given) -> Ready:
    """503 while the server stops or its database does not answer."""
    if context.stopping.is_set():
        raise Unavailable("The server is stopping.")
    if (error := await _database_answers(context, _ANSWERS_WITHIN_S)) is not None:
        raise Unavailable("The database does not answer; the server's log says why.") from error
    return Ready()


@get("/", opt={"scope": None}, summary="Where to go from here")
async def root() -> Root:
    """The addresses to begin with."""
    return Root()


HANDLERS = [live, ready, root]
