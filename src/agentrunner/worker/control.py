"""The worker's side of the protocol: six calls over HTTP, on a Unix socket or to a URL.

Every call may be repeated, so a lost answer costs nothing: transport errors and 5xx are tried again until answered.
"""

import asyncio
import random
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import msgspec
import structlog

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
from agentrunner.domain.errors import (
    AgentRunnerError,
    InvalidRequest,
    OffsetMismatch,
    ServerUnreachable,
    StaleEpoch,
    Unauthorized,
    WorkerInUse,
    WorkerNotFound,
)
from agentrunner.worker.connection import Answer, Connection, HttpConnection

log = structlog.get_logger("agentrunner.worker")
T = TypeVar("T")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_ANSWER_WITHIN_S = 15.0
_HEARTBEAT_WITHIN_S = 4.0
"""Less than a third of a lease: one that hangs must leave time for the next."""
_SILENT_S = 5.0
_MOST_RECORDING = 16
"""Records under way at once: what waits here gathers output meanwhile. Other calls never wait for records."""
_ERRORS = {kind.code: kind for kind in (OffsetMismatch, StaleEpoch, WorkerInUse, WorkerNotFound, Unauthorized)}


_UNLIMITED: AbstractAsyncContextManager[object] = nullcontext()


class _Problem(msgspec.Struct):
    code: str = "internal"
    detail: str = ""


class Control:
    """A connection to one server. Raises the server's own errors; ServerUnreachable only where retrying is off."""

    def __init__(self, connection: Connection, silent_s: float = _SILENT_S) -> None:
        self._connection = connection
        self._silent_s = silent_s
        self._silent_since: float | None = None
        self._is_told = False
        self._recording = asyncio.Semaphore(_MOST_RECORDING)

    @classmethod
    def connect(cls, url: str, socket: str | None, token: str, silent_s: float = _SILENT_S) -> "Control":
        """Talk to `url`, through the Unix socket where one is given; logs a silence of `silent_s`."""
        return cls(HttpConnection(url, socket, token), silent_s)

    async def close(self) -> None:
        """Close every connection."""
        await self._connection.close()

    async def register(self, request: RegisterRequest) -> RegisterAnswer:
        """Take over this worker's identity and runs."""
        return await self._insist("register", request, RegisterAnswer)

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Take runs, waiting for some."""
        return await self._insist("claim", request, ClaimAnswer, request.wait_s)

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Give one sign of life; not repeated by itself, for what counts is when the answered one was sent."""
        return await self._call("heartbeat", request, HeartbeatAnswer, _HEARTBEAT_WITHIN_S)

    async def wishes(self, request: WishesRequest) -> WishesAnswer:
        """Learn wishes, waiting for one."""
        return await self._insist("wishes", request, WishesAnswer, request.wait_s)

    async def record(self, request: RecordRequest) -> RecordAnswer:
        """Store output and facts."""
        return await self._insist("record", request, RecordAnswer, limit=self._recording)

    async def decisions(self, request: DecisionsRequest) -> DecisionsAnswer:
        """Learn inputs to deliver, waiting for one."""
        return await self._insist("decisions", request, DecisionsAnswer, request.wait_s)

    async def _insist(
        self,
        call: str,
        request: msgspec.Struct,
        kind: type[T],
        wait_s: float = 0.0,
        limit: AbstractAsyncContextManager[object] = _UNLIMITED,
    ) -> T:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with limit:
                    return await self._call(call, request, kind, _ANSWER_WITHIN_S + wait_s)
            except ServerUnreachable as error:
                self._note_silence(error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _call(self, call: str, request: msgspec.Struct, kind: type[T], within_s: float) -> T:
        try:
            response = await self._connection.post(f"/v1/control/{call}", msgspec.json.encode(request), within_s)
        except ServerUnreachable as error:
            raise ServerUnreachable(f"{call}: {error.detail}") from error
        if response.status >= 300:
            raise _error(call, response)
        try:
            answer = msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise ServerUnreachable(f"{call}: the answer cannot be read: {error}") from error
        self._note_answer()
        return answer

    def _note_silence(self, error: ServerUnreachable) -> None:
        """Say once, for all calls together, that nothing is answered for a while."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if not self._is_told and now - self._silent_since >= self._silent_s:
            self._is_told = True
            log.warning("the server does not answer; trying on, agents go on", error=error.detail)

    def _note_answer(self) -> None:
        if self._is_told:
            log.info("the server answers again")
        self._silent_since, self._is_told = None, False


def _error(call: str, response: Answer) -> AgentRunnerError:
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem(detail=response.content[:200].decode(errors="replace"))
    known = _ERRORS.get(problem.code)
    if known is not None:
        extra = msgspec.json.decode(response.content, type=dict[str, Any])
        return known(problem.detail, **{name: value for name, value in extra.items() if name not in _STANDARD})
    if response.status >= 500 or response.status in {408, 429}:
        return ServerUnreachable(f"{call}: {response.status} {problem.detail}")
    return InvalidRequest(f"{call}: {response.status} {problem.code}: {problem.detail}")


_STANDARD = {"type", "title", "status", "code", "detail", "request_id", "instance"}
