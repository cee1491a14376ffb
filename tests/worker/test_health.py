"""Signs of life."""

import asyncio
from dataclasses import dataclass, field

import pytest

from agentrunner.domain.control import HeartbeatAnswer, HeartbeatRequest
from agentrunner.domain.errors import ServerUnreachable, StaleEpoch
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.health import Health
from agentrunner.worker.lease import MARGIN_S, Lease, boottime
from worker.wire import Nobody


class Server(Control):
    """Answers heartbeats, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(Nobody())
        self.error = error

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """A lease of 20 s."""
        if self.error is not None:
            raise self.error
        return HeartbeatAnswer(lease_s=20.0)


@dataclass
class Supervised:
    """The part of an execution that learns of deadlines."""

    deadlines: list[float] = field(default_factory=list)
    directory: None = None

    def move_deadline(self, boottime: float) -> None:
        """Keep it."""
        self.deadlines.append(boottime)


class Deaf(Server):
    """Answers from the third heartbeat on."""

    asked = 0

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Silence first."""
        self.asked += 1
        if self.asked < 3:
            raise ServerUnreachable("no")
        return await super().heartbeat(request)


@dataclass
class Worker:
    """What is supervised."""

    executions: list[Execution]


async def test_an_answer_moves_every_deadline() -> None:
    """From when it was sent, by the lease of the answer, less the margin."""
    supervised, lease = Supervised(), Lease(0.0, 15.0)
    health = Health(Server(), ("w", 1), Worker([supervised]), lease)  # type: ignore[list-item]
    before = boottime()
    await health.beat()
    assert supervised.deadlines == [lease.until]
    assert before + 20 - MARGIN_S <= lease.until <= boottime() + 20 - MARGIN_S
    assert health.answered.is_set()


async def test_silence_moves_nothing() -> None:
    """No answer is no permission to live on."""
    supervised, lease = Supervised(), Lease(0.0, 15.0)
    health = Health(Server(ServerUnreachable("no")), ("w", 1), Worker([supervised]), lease)  # type: ignore[list-item]
    await health.beat()
    assert supervised.deadlines == []
    assert lease.until == pytest.approx(12.0)
    assert not health.answered.is_set()


async def test_a_refusal_is_not_silence() -> None:
    """Another process has taken over: this one has to end."""
    health = Health(Server(StaleEpoch()), ("w", 1), Worker([]), Lease(0.0, 15.0))
    with pytest.raises(StaleEpoch):
        await health.run(1.0)


async def test_a_lost_beat_is_made_up_for_before_the_next_is_due() -> None:
    """Three of them fit into the time of one, or a server that restarts would cost a lease most of its time."""
    server = Deaf()
    health = Health(server, ("w", 1), Worker([]), Lease(0.0, 15.0))
    beating = asyncio.create_task(health.run(60.0))
    async with asyncio.timeout(5):
        await health.answered.wait()
    assert server.asked == 3
    beating.cancel()
    await asyncio.wait({beating})
