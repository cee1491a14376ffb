"""Whether this server lives and is of use; open to all."""

import asyncio
from typing import Literal

import msgspec
from litestar import get

from agentrunner.api.routes import Given
from agentrunner.domain.errors import Unavailable
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta

_ANSWERS_WITHIN_S = 2.0


class Health(msgspec.Struct, frozen=True, kw_only=True):
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
async def live() -> Health:
    """Answers as long as the process handles requests."""
    return Health()


@get("/ready", opt={"scope": None}, summary="Is the server of use?")
async def ready(context: Given) -> Health:
    """503 while the server stops or its database does not answer."""
    if context.stopping.is_set():
        raise Unavailable("The server is stopping.")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            await context.services.db.read(meta.get, INSTANCE)
    except Exception as error:
        raise Unavailable("The database does not answer; the server's log says why.") from error
    return Health()


@get("/", opt={"scope": None}, summary="Where to go from here")
async def root() -> Root:
    """The addresses to begin with."""
    return Root()


HANDLERS = [live, ready, root]
