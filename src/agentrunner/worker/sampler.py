"""Samples of what the supervised runs use, taken when a heartbeat is due: no other timer wakes anything for them."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from agentrunner.domain.control import MAX_SAMPLES
from agentrunner.domain.sample import Taken
from agentrunner.process import usage
from agentrunner.process.adopt import Proc
from agentrunner.process.usage import Usage
from agentrunner.worker.execution import Execution

log = structlog.get_logger("agentrunner.worker")

_SAME_S = 60.0
"""An idle run whose figures are as before is told so seldom."""
_Key = tuple[int, int]


class Sampler:
    """Remembers what was told last, so that what has not changed is told about once a minute."""

    def __init__(self) -> None:
        self._told: dict[_Key, tuple[Usage, float]] = {}

    async def take(self, executions: Sequence[Execution]) -> list[Taken]:
        """A sample of each run that has something new to tell. A fault costs the samples, never the heartbeat."""
        try:
            found = [(self._key(execution), started) for execution in executions if (started := _started(execution))]
            if not found:
                return []
            # In a thread: the more runs, the longer, and while their files are read agents go on writing.
            measured = await asyncio.to_thread(usage.measure, [started for _, started in found])
        except (OSError, ValueError) as error:
            log.warning("no samples could be taken", error=str(error))
            return []
        return self._news({key: used for (key, _), used in zip(found, measured, strict=True) if used is not None})

    def _key(self, execution: Execution) -> _Key:
        return execution.assignment.run_id, execution.assignment.attempt

    def _news(self, measured: dict[_Key, Usage]) -> list[Taken]:
        now = time.monotonic()
        news = {key: used for key, used in measured.items() if self._is_news(key, used, now)}
        news = dict(list(news.items())[:MAX_SAMPLES])
        kept = {key: told for key, told in self._told.items() if key in measured}
        self._told = kept | {key: (used, now) for key, used in news.items()}
        return [
            Taken(
                run_id=key[0],
                attempt=key[1],
                cpu_us=used.cpu_us,
                memory_bytes=used.memory_bytes,
                processes=used.processes,
            )
            for key, used in news.items()
        ]

    def _is_news(self, key: _Key, used: Usage, now: float) -> bool:
        told = self._told.get(key)
        return told is None or told[0] != used or now - told[1] >= _SAME_S


def _started(execution: Execution) -> tuple[Proc, Path] | None:
    """Who runs it; None before that is known, and for a directory that cannot be read, which its execution says."""
    directory = execution.directory
    try:
        proc = None if directory is None else directory.proc()
    except (OSError, msgspec.MsgspecError):
        return None
    return None if directory is None or proc is None or proc.pid <= 0 else (proc, directory.path)
