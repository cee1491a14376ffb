"""Following a run: every event once, in order, over as many connections as that takes, then the run as it ended."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

from agentrunner.client.absence import PATIENCE_S, Absence
from agentrunner.client.async_http import AsyncHttp
from agentrunner.client.http import Http
from agentrunner.client.sse import FrameTooLarge, Parser
from agentrunner.client.timeline import Broken, Timeline
from agentrunner.domain.errors import AgentRunnerError, ServerUnreachable, Unavailable
from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView

Item = EventView | RunView
_BREAKS = (ServerUnreachable, Unavailable, Broken, FrameTooLarge)


def follow(
    http: Http,
    run_id: int,
    after: int = 0,
    *,
    patience_s: float = PATIENCE_S,
    notice: Callable[[bool], None] = lambda _: None,
) -> Iterator[Item]:
    """Every event behind `after` as it comes, and last the run once it is terminal: no gap and no double.

    A server that dies and comes back is found again; `notice` is told True when it goes away and False when it is
    back.
    Raises ServerUnreachable after `patience_s` seconds without it, and the server's own errors at once.
    """
    following = _Following(run_id, after, Absence(patience_s, notice))
    while not following.is_over:
        error: Exception | None = None
        try:
            yield from _one_connection(http, following)
        except _BREAKS as broken:
            error = broken
        if not following.is_over:
            time.sleep(following.pause(error))


def _one_connection(http: Http, following: "_Following") -> Generator[Item, None, None]:
    with http.stream(following.path, following.timeline.last) as chunks:
        following.absence.connected()
        parser = Parser()
        for chunk in chunks:
            for item in following.take(parser, chunk):
                yield item
                if following.is_over:
                    return


async def follow_async(
    http: AsyncHttp,
    run_id: int,
    after: int = 0,
    *,
    patience_s: float = PATIENCE_S,
    notice: Callable[[bool], None] = lambda _: None,
) -> AsyncGenerator[Item, None]:
    """The same for an event loop."""
    following = _Following(run_id, after, Absence(patience_s, notice))
    while not following.is_over:
        error: Exception | None = None
        try:
            async for item in _one_async_connection(http, following):
                yield item
        except _BREAKS as broken:
            error = broken
        if not following.is_over:
            await asyncio.sleep(following.pause(error))


async def _one_async_connection(http: AsyncHttp, following: "_Following") -> AsyncIterator[Item]:
    async with http.stream(following.path, following.timeline.last) as chunks:
        following.absence.connected()
        parser = Parser()
        async for chunk in chunks:
            for item in following.take(parser, chunk):
                yield item
                if following.is_over:
                    return


class _Following:
    """Where one who follows is; it neither waits nor connects. `is_over` once the run itself came."""

    def __init__(self, run_id: int, after: int, absence: Absence) -> None:
        self.path = f"/v1/runs/{run_id}/stream"
        self.timeline = Timeline(after)
        self.absence = absence
        self.is_over = False
        self._run_id = run_id

    def take(self, parser: Parser, chunk: bytes) -> Iterator[Item]:
        """What some bytes bring that was not received before."""
        for frame in parser.feed(chunk):
            if (item := self.timeline.take(frame)) is None:
                continue
            self.absence.ended()
            self.is_over = isinstance(item, RunView)
            yield item
            if self.is_over:
                return
        self.absence.heard()

    def pause(self, error: Exception | None) -> float:
        """Seconds until the next connection, after one that ended by itself or broke. Raises what it broke by."""
        return self.absence.pause(self._told(error))

    def _told(self, error: Exception | None) -> AgentRunnerError:
        if isinstance(error, AgentRunnerError):
            return error
        if error is None:
            return ServerUnreachable(f"The stream of run {self._run_id} ended before the run did.")
        return AgentRunnerError(f"The stream of run {self._run_id} is not usable: {error}.")
