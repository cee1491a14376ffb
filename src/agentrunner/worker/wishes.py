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
    """Two long polls. Both are level-triggered: what the shim has not been told yet is asked for again."""

    def __init__(self, control: Control, me: tuple[str, int], worker: Supervising) -> None:
        self._control = control
        self._worker_id, self._epoch = me
        self._worker = worker

    async def follow_wishes(self) -> None:
        """Pass on wishes, for ever."""
        while True:
            known = {e.assignment.run_id: e.revision for e in self._worker.executions}
            request = WishesRequest(worker_id=self._worker_id, epoch=self._epoch, known=known)
            answer = await self._control.wishes(request)
            executions = {e.assignment.run_id: e for e in self._worker.executions}
            unknown = [wish for wish in answer.wishes if wish.run_id not in executions]
            for wish in answer.wishes:
                if (execution := executions.get(wish.run_id)) is not None:
                    execution.wish(wish.desired, wish.revision)
            if unknown:
                await asyncio.sleep(_SETTLE_S)

    async def follow_inputs(self) -> None:
        """Pass on inputs, for ever."""
        passed: set[int] = set()
        while True:
            request = DecisionsRequest(worker_id=self._worker_id, epoch=self._epoch, known=sorted(passed)[-1000:])
            answer = await self._control.decisions(request)
            executions = {e.assignment.run_id: e for e in self._worker.executions}
            for item in answer.inputs:
                if (execution := executions.get(item.run_id)) is not None and execution.send(item.id, item.text):
                    passed.add(item.id)
            if any(item.id not in passed for item in answer.inputs):
                await asyncio.sleep(_SETTLE_S)
