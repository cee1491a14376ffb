"""What a worker finds of its backends' programs, told with a heartbeat: people choose from it where they make runs."""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress

import structlog

from agentrunner.agents.registry import Registry
from agentrunner.domain.control import Program
from agentrunner.worker.health import Health

log = structlog.get_logger("agentrunner.worker")

EVERY_S = 3600.0
"""To ask a program for its version means to start it."""


async def look_around(backends: Registry, environment: Mapping[str, str], health: Health) -> None:
    """Look at once and then every hour, off the loop; what was found goes with the next sign of life."""
    loop = asyncio.get_running_loop()
    while True:
        found: asyncio.Future[dict[str, Program]] = loop.create_future()
        # Not of the loop's own threads, which it waits for at its end: a program that hangs would hold the worker up.
        threading.Thread(target=_look, args=(backends, environment, found), daemon=True, name="programs").start()
        health.programs = await found
        await asyncio.sleep(EVERY_S)


def _look(backends: Registry, environment: Mapping[str, str], future: "asyncio.Future[dict[str, Program]]") -> None:
    found = find(backends, environment)
    with suppress(RuntimeError):  # the loop is closed by now
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else future.set_result(found))


def find(backends: Registry, environment: Mapping[str, str]) -> dict[str, Program]:
    """What is found of each backend; one whose search fails is not available, and its own fault."""
    found = {}
    for backend in backends:
        try:
            seen = backend.find(environment)
        except Exception as error:
            log.exception("looking for a program failed", backend=backend.name)
            found[backend.name] = Program(available=False, advice=f"looking for it failed: {error}"[:2000])
            continue
        found[backend.name] = Program(
            available=seen.available,
            program=seen.program,
            version=seen.version,
            advice=seen.advice,
            note=seen.note,
        )
    return found
