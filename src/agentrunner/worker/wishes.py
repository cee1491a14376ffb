"""What people wish for runs, and what they send into them, on its way to the shims."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from agentrunner.domain.control import DecisionsRequest, WishesRequest
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution

_SETTLE_S = 0.2


class Supervising(Protocol):
    """Who knows what is being supervised."""

    @property
    def executions(self) -> Sequence[Execution]:
        """The executions of now."""
        ...


class Wishes:
    """Two long polls. Both are level-triggered: what no execution knows yet is asked for again."""

    def __init__(self, control: Control, me: tuple[str, int], worker: Supervising) -> None:
        self._control = control
        self._worker_id, self._epoch = me
        self._worker = worker

    async def follow_wishes(self) -> None:
        """Pass on wishes, for ever."""
        while True:
            # In the order of their attempts: where one is closing and the next has begun, the newest counts.
            executions = sorted(self._worker.executions, key=lambda e: e.assignment.attempt)
            known = {e.assignment.run_id: e.revision for e in executions}
            request = WishesRequest(worker_id=self._worker_id, epoch=self._epoch, known=known)
            answer = await self._control.wishes(request)
            found = self._by_attempt()
            for wish in answer.wishes:
                if (execution := found.get((wish.run_id, wish.attempt))) is not None:
                    execution.wish(wish.desired, wish.revision)
            if any((wish.run_id, wish.attempt) not in found for wish in answer.wishes):
                await asyncio.sleep(_SETTLE_S)

    async def follow_inputs(self) -> None:
        """Pass on inputs, for ever."""
        while True:
            known = sorted(number for e in self._worker.executions for number in e.inputs)
            request = DecisionsRequest(worker_id=self._worker_id, epoch=self._epoch, known=known)
            answer = await self._control.decisions(request)
            found = self._by_attempt()
            for item in answer.inputs:
                if (execution := found.get((item.run_id, item.attempt))) is not None:
                    execution.send(item.id, item.text)
            if any((item.run_id, item.attempt) not in found for item in answer.inputs):
                await asyncio.sleep(_SETTLE_S)

    def _by_attempt(self) -> dict[tuple[int, int], Execution]:
        return {(e.assignment.run_id, e.assignment.attempt): e for e in self._worker.executions}
