"""Wishes and inputs on their way from the server to executions."""

import asyncio
from dataclasses import dataclass, field

import pytest

from agentrunner.domain.control import (
    DecisionsAnswer,
    DecisionsRequest,
    PendingInput,
    Wish,
    WishesAnswer,
    WishesRequest,
)
from agentrunner.domain.state import Desired
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.wishes import Wishes
from worker.given import assignment
from worker.wire import Nobody


class Enough(Exception):
    """The test has seen what it wanted."""


class Server(Control):
    """Answers from two lists, and says Enough when they are empty."""

    def __init__(self, wishes: list[list[Wish]], inputs: list[list[PendingInput]]) -> None:
        super().__init__(Nobody())
        self._wishes, self._inputs = wishes, inputs
        self.known_wishes: list[dict[int, int]] = []
        self.known_inputs: list[list[int]] = []

    async def wishes(self, request: WishesRequest) -> WishesAnswer:
        """The next answer."""
        self.known_wishes.append(dict(request.known))
        if not self._wishes:
            raise Enough
        return WishesAnswer(wishes=self._wishes.pop(0))

    async def decisions(self, request: DecisionsRequest) -> DecisionsAnswer:
        """The next answer."""
        self.known_inputs.append(list(request.known))
        if not self._inputs:
            raise Enough
        return DecisionsAnswer(inputs=self._inputs.pop(0))


@dataclass
class Supervised:
    """The part of an execution that wishes speak to."""

    attempt: int = 1
    revision: int = 0
    inputs: set[int] = field(default_factory=set)
    got: list[object] = field(default_factory=list)

    @property
    def assignment(self) -> object:
        """Of run 7."""
        return assignment(attempt=self.attempt)

    def wish(self, desired: Desired, revision: int) -> None:
        """Keep it."""
        self.got.append(desired)
        self.revision = revision

    def send(self, input_id: int, text: str) -> None:
        """Keep it."""
        self.got.append(text)
        self.inputs.add(input_id)


@dataclass
class Worker:
    """What is supervised."""

    executions: list[Execution]


def worker(*supervised: Supervised) -> Worker:
    """A worker with these."""
    return Worker(list(supervised))  # type: ignore[arg-type]


def wish(attempt: int, desired: Desired, revision: int) -> Wish:
    """A wish for run 7."""
    return Wish(run_id=7, attempt=attempt, epoch=3, desired=desired, revision=revision)


def text(number: int, attempt: int = 1) -> PendingInput:
    """An input for run 7."""
    return PendingInput(id=number, run_id=7, attempt=attempt, epoch=3, text=f"text {number}")


async def test_a_wish_reaches_its_attempt() -> None:
    """The newest attempt's revision counts; the one that is closing is left alone."""
    closing, now = Supervised(attempt=1, revision=5), Supervised(attempt=2, revision=5)
    server = Server([[wish(2, Desired.PAUSE, 6)], [wish(2, Desired.STOP, 7)]], [])
    with pytest.raises(Enough):
        await asyncio.wait_for(Wishes(server, ("w", 1), worker(now, closing)).follow_wishes(), 5)
    assert (now.got, closing.got) == ([Desired.PAUSE, Desired.STOP], [])
    assert server.known_wishes == [{7: 5}, {7: 6}, {7: 7}]


async def test_what_nobody_takes_yet_is_asked_for_again() -> None:
    """The wish may come before the claim's answer; it is not lost, and not asked for at full speed."""
    server = Server([[wish(1, Desired.STOP, 1)]] * 2, [[text(1)]] * 2)
    wishes = Wishes(server, ("w", 1), worker())
    started = asyncio.get_running_loop().time()
    for following in (wishes.follow_wishes(), wishes.follow_inputs()):
        with pytest.raises(Enough):
            await asyncio.wait_for(following, 5)
    assert (server.known_wishes, server.known_inputs) == ([{}] * 3, [[]] * 3)
    assert asyncio.get_running_loop().time() - started > 0.4


async def test_inputs_are_known_as_long_as_they_are_cared_for() -> None:
    """Neither asked for twice nor remembered for ever."""
    supervised = Supervised()
    server = Server([], [[text(1), text(2)], [text(3)], []])
    with pytest.raises(Enough):
        await asyncio.wait_for(Wishes(server, ("w", 1), worker(supervised)).follow_inputs(), 5)
    assert supervised.got == ["text 1", "text 2", "text 3"]
    assert server.known_inputs == [[], [1, 2], [1, 2, 3], [1, 2, 3]]
