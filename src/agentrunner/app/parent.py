"""A child's side of `up`: the read end of a pipe; end of file means that the parent is gone, so end yourself."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

PARENT_FD = "AGENTRUNNER_PARENT_FD"
REFUSED = 78
"""Exit code of a child that cannot start as it is configured: EX_CONFIG of sysexits.h."""


async def until_told(parent_fd: int | None) -> str:
    """Wait for SIGTERM, SIGINT, SIGHUP, or the end of the parent; answers which."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()

    def tell(why: str) -> None:
        if not told.done():
            told.set_result(why)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, tell, number.name)
    if parent_fd is not None:
        loop.add_reader(parent_fd, tell, "the parent ended")
    try:
        return await told
    finally:
        if parent_fd is not None:
            loop.remove_reader(parent_fd)


async def until_told_or_failed(parent_fd: int | None, failing: Coroutine[Any, Any, None]) -> None:
    """Wait for the same, or for `failing` to end; raises what ended it."""
    told = asyncio.ensure_future(until_told(parent_fd))
    failed = asyncio.ensure_future(failing)
    await asyncio.wait({told, failed}, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        failed.result()


def inherited_fd() -> int | None:
    """The pipe's read end, if `up` started this process; not handed on to what this process starts."""
    text = os.environ.pop(PARENT_FD, "")
    if not text:
        return None
    descriptor = int(text)
    os.set_inheritable(descriptor, False)
    return descriptor
