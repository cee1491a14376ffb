"""`AsyncClient`: what a program with an event loop can ask of a server."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any

from agentrunner.client import run_calls, stream
from agentrunner.client.absence import PATIENCE_S
from agentrunner.client.async_http import AsyncHttp, T
from agentrunner.client.call import Call
from agentrunner.client.client import target_of
from agentrunner.client.run_calls import Filter, Stored, Wished
from agentrunner.client.runs import PAGE
from agentrunner.client.wanted import Wanted
from agentrunner.domain.decision import InputView
from agentrunner.domain.event import EventView
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.run import NewRun, RunView


class AsyncClient:
    """`Client` with the same names, arguments, guarantees and errors, for the tasks of one event loop."""

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.http = AsyncHttp(target_of(server, token, data_dir))

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; more than once is harmless."""
        await self.http.close()

    async def call(self, call: Call[T]) -> T:
        """Make a call that has no method here."""
        return await self.http.call(call)

    async def create(self, goal: str = "", *, key: str | None = None, **wanted: Any) -> RunView:
        """Create a run; `wanted` are the fields of `NewRun`. The same `key` answers the same run."""
        return await self.call(run_calls.create(Wanted(goal, wanted).request(), key))

    async def create_all(self, new: Sequence[NewRun], *, key: str | None = None) -> list[RunView]:
        """Create up to 1,000 runs, all or none."""
        return await self.call(run_calls.create_all(new, key))

    async def run(self, run_id: int) -> RunView:
        """A run as it is now."""
        return await self.call(run_calls.get(run_id))

    async def runs(self, wanted: Filter | str = "") -> AsyncIterator[RunView]:
        """Every run that a filter or a query finds, the newest first."""
        asked, cursor = Filter(text=wanted) if isinstance(wanted, str) else wanted, None
        while True:
            page = await self.call(run_calls.page(asked, PAGE, cursor))
            for run in page.items:
                yield run
            if (cursor := page.next_cursor) is None:
                return

    async def events(self, run_id: int, after: int = 0, types: Sequence[str] = ()) -> AsyncIterator[EventView]:
        """Every stored event behind `seq` `after`, in order, of all types or some."""
        cursor: str | int | None = after
        while cursor is not None:
            page = await self.call(run_calls.events(run_id, int(cursor), types))
            for event in page.items:
                yield event
            cursor = page.next_cursor

    def follow(
        self,
        run_id: int,
        after: int = 0,
        *,
        patience_s: float = PATIENCE_S,
        notice: Callable[[bool], None] = lambda _: None,
    ) -> AsyncGenerator[EventView | RunView, None]:
        """Every event behind `after` as it comes, then the run as it ended: no gap and no double."""
        return stream.follow_async(self.http, run_id, after, patience_s=patience_s, notice=notice)

    async def wait(self, run_id: int, timeout: float | None = None) -> RunView:
        """Wait until a run has ended; answers it as it ended. Raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            run = await self.run(run_id)
            while not run.status.is_terminal:
                async for item in self.follow(run_id, run.last_seq):
                    run = item if isinstance(item, RunView) else run
        return run

    async def pause(self, run_id: int) -> Wished:
        """Freeze a run with every process of its; `is_fact` says whether it stands still already."""
        return await self.call(run_calls.wish(run_id, "pause"))

    async def resume(self, run_id: int) -> Wished:
        """Let a paused run go on."""
        return await self.call(run_calls.wish(run_id, "resume"))

    async def stop(self, run_id: int) -> Wished:
        """End a run and every process of its."""
        return await self.call(run_calls.wish(run_id, "stop"))

    async def retry(self, run_id: int) -> RunView:
        """A new run with the request of a finished one."""
        return await self.call(run_calls.retry(run_id))

    async def send(self, run_id: int, text: str) -> InputView:
        """Text for a run's agent, stored first and delivered once."""
        return await self.call(run_calls.send_input(run_id, text))

    async def explain(self, run_id: int) -> Explanation:
        """Why a run is where it is."""
        return await self.call(run_calls.explain(run_id))

    async def report(self, run_id: int, events: Sequence[dict[str, Any]]) -> Stored:
        """Store events of a program that runs elsewhere, all or none, once however often they have to be sent."""
        return await self.call(run_calls.report(run_id, events))
