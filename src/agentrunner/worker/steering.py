"""What the shim is to be told: wishes, inputs, deadlines, how much is recorded.

Everything is remembered until the shim has taken it, and told again where a connection broke; the shim takes nothing
twice. Telling is a task of its own, so that a shim which hangs keeps nothing else waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from agentrunner.domain.control import Assignment, Offsets
from agentrunner.domain.state import Desired, OnLost
from agentrunner.process.journal import read_facts
from agentrunner.process.output import LEAST_FILE_CAP
from agentrunner.worker.shim import Shim

log = structlog.get_logger("agentrunner.worker")

_TELL_EVERY, _MOST_UNTOLD = 8, 4 << 20
"""The shim hears of recorded bytes each time they have grown by this part of its cap, or by so many."""
_LEAST_STEP = 1 << 16
_COMMANDS = {Desired.PAUSE: "pause", Desired.RUN: "resume", Desired.STOP: "stop"}
_ANSWERS = {"paused", "resumed"}
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0


class _NotNow(OSError):
    """The shim is there and cannot take this yet."""


class Steering:
    """One attempt's commands, each with the attempt's epoch. Only within `following` is anybody told."""

    def __init__(self, assignment: Assignment, cap_bytes: int) -> None:
        self._epoch = assignment.epoch
        self._run_id = assignment.run_id
        self._has_deadline = assignment.on_lost is not OnLost.WAIT
        self._step = min(_MOST_UNTOLD, max(1, cap_bytes // _TELL_EVERY))
        self._most = max(cap_bytes, LEAST_FILE_CAP) // 2
        self._is_much = self._told_much = False
        self.desired = assignment.desired
        self.revision = assignment.revision
        self._told_revision = 0
        self._deadline = self._told_deadline = 0.0
        self._recorded = Offsets()
        self._told_recorded = 0
        self._inputs: dict[int, str] = {}
        self._passed: set[int] = set()
        self._is_over = False
        self._news = asyncio.Event()

    @property
    def inputs(self) -> set[int]:
        """The inputs that need not be sent here again: waiting for the shim, or passed to it and not confirmed yet."""
        return self._passed | self._inputs.keys()

    def wish(self, desired: Desired, revision: int) -> None:
        """Somebody wishes something, the newest wish counting."""
        if revision > self.revision:
            self.desired, self.revision = desired, revision
            self._news.set()

    def end(self) -> None:
        """End the tree at once: its attempt is over."""
        self._is_over = True
        self._news.set()

    def send(self, input_id: int, text: str) -> None:
        """Pass an input on."""
        if input_id not in self.inputs:
            self._inputs[input_id] = text
            self._news.set()

    def delivered(self, input_id: int) -> None:
        """That the agent got this input is recorded."""
        self._passed.discard(input_id)

    def move_deadline(self, boottime: float) -> None:
        """Let the attempt live until then without another answer of the server; nothing for one that just waits."""
        if self._has_deadline and boottime > self._deadline:
            self._deadline = boottime
            self._news.set()

    def recorded(self, offsets: Offsets) -> None:
        """These bytes are stored: the shim may give their blocks back."""
        self._recorded = offsets
        if offsets.out + offsets.err - self._told_recorded >= self._step:
            self._news.set()

    def grown(self, size: int) -> None:
        """An agent that writes files by itself has written so much: the shim is to look when it is near the cap."""
        self._is_much = size - self._recorded.out - self._recorded.err > self._most
        if not self._is_much:
            self._told_much = False
        elif not self._told_much:
            self._news.set()

    def hurry(self) -> None:
        """The disk was full: from now on the shim hears at once of what it may give back."""
        self._step = min(self._step, _LEAST_STEP)

    @asynccontextmanager
    async def following(self, directory: Path) -> AsyncIterator[None]:
        """The shim of this directory is there, for as long as the block lasts."""
        if self.revision > self._told_revision:
            self._told_revision = max(self._told_revision, _answered(directory))
        self._news.set()
        teller = asyncio.create_task(self._tell(directory), name=f"steering of run {self._run_id}")
        try:
            yield
        finally:
            teller.cancel()
            await asyncio.wait({teller})

    async def _tell(self, directory: Path) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            pause_s = _FIRST_PAUSE_S
            while not await self._has_told(directory):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _has_told(self, directory: Path) -> bool:
        if not self._has_news():
            return True
        try:
            async with Shim(directory) as shim:
                await self._tell_all(shim)
        except OSError as error:
            log.debug("the shim was not told", run=self._run_id, error=str(error) or type(error).__name__)
            return False
        return True

    def _has_news(self) -> bool:
        return (
            self._is_over
            or self._deadline > self._told_deadline
            or self.revision > self._told_revision
            or self._has_recorded()
            or self._has_much()
            or bool(self._inputs)
        )

    def _has_recorded(self) -> bool:
        return self._recorded.out + self._recorded.err - self._told_recorded >= self._step

    def _has_much(self) -> bool:
        return self._is_much and not self._told_much

    async def _tell_all(self, shim: Shim) -> None:
        """Most urgent first; what changes meanwhile is told in the next round."""
        if self._is_over:
            await self._ask(shim, {"cmd": "stop", "rev": self.revision, "grace_s": 0})
            self._is_over = False
        if (deadline := self._deadline) > self._told_deadline:
            await self._ask(shim, {"cmd": "deadline", "boottime": deadline})
            self._told_deadline = deadline
        if (revision := self.revision) > self._told_revision:
            await self._ask(shim, {"cmd": _COMMANDS[self.desired], "rev": revision})
            self._told_revision = revision
        if self._has_much():
            await self._ask(shim, {"cmd": "cap", "on": True})
            self._told_much = True
        if self._has_recorded():
            recorded = self._recorded
            await self._ask(shim, {"cmd": "recorded", "out": recorded.out, "err": recorded.err})
            self._told_recorded = recorded.out + recorded.err
        for number in sorted(self._inputs):
            answer = await self._ask(shim, {"cmd": "input", "id": number, "text": self._inputs[number]})
            if answer.get("refused") == "full":
                raise _NotNow("the agent has not read what it was sent before")
            self._passed.add(number)
            del self._inputs[number]

    async def _ask(self, shim: Shim, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """The shim's answer. A command that it refuses is not repeated: another epoch has spoken, or it is a fault."""
        answer = await shim.ask({**command, "epoch": self._epoch})
        if "error" in answer:
            log.warning("the shim refuses", run=self._run_id, command=command["cmd"], answer=answer)
        return answer


def _answered(directory: Path) -> int:
    """The newest wish that an earlier worker told the shim, as its journal says: a fact is not made twice."""
    newest, offset = 0, 0
    while True:
        facts, end = read_facts(directory, offset)
        if end == offset:
            return newest
        answers = [fact.fields.get("rev", 0) for fact in facts if fact.name in _ANSWERS]
        newest, offset = max([newest, *answers]), end
