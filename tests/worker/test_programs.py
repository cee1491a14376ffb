"""What a worker says of its backends' programs."""

import asyncio
from collections.abc import Mapping

from agentrunner.agents.base import Found
from agentrunner.agents.command import CommandBackend
from agentrunner.agents.registry import load
from agentrunner.domain.control import HeartbeatAnswer, HeartbeatRequest, Program
from agentrunner.domain.errors import ServerUnreachable
from agentrunner.worker.health import Health
from agentrunner.worker.lease import Lease
from agentrunner.worker.programs import find, look_around
from waiting import eventually
from worker.test_health import Server, Worker


class Installed(CommandBackend):
    """A backend with a program."""

    name = "installed"

    def find(self, environment: Mapping[str, str]) -> Found:
        """It is where the environment says."""
        return Found(True, program=environment["PROGRAM"], version="1.2", note="a note")


class Broken(CommandBackend):
    """A backend that cannot look."""

    name = "broken"

    def find(self, environment: Mapping[str, str]) -> Found:
        """It fails."""
        raise OSError("no such directory")


BACKENDS = load([CommandBackend(), Installed(), Broken()], [])


class Listening(Server):
    """Keeps what it is told; deaf for the first beat."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Program] | None] = []

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Lost once."""
        self.told.append(request.programs)
        if len(self.told) == 1:
            raise ServerUnreachable("no")
        return await super().heartbeat(request)


def test_what_is_found() -> None:
    """Every backend; one whose search fails is not available and keeps nobody else from being found."""
    found = find(BACKENDS, {"PROGRAM": "/opt/it"})
    assert found["installed"] == Program(available=True, program="/opt/it", version="1.2", note="a note")
    assert found["command"].available
    assert not found["broken"].available
    assert "no such directory" in str(found["broken"].advice)


async def test_it_is_told_until_it_is_known() -> None:
    """With the next sign of life, again where that was lost, and then no more."""
    server = Listening()
    health = Health(server, ("w", 1), Worker([]), Lease(0.0, 15.0))
    looking = asyncio.create_task(look_around(BACKENDS, {"PROGRAM": "p"}, health))

    async def was_found() -> bool:
        return health.programs is not None

    await eventually(was_found)
    for _ in range(3):
        await health.beat()
    assert [told is not None for told in server.told] == [True, True, False]
    assert server.told[0] == server.told[1]
    looking.cancel()
    await asyncio.wait({looking})
