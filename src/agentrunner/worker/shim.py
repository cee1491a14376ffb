"""A connection to a shim's `ctl` that never blocks: a shim that hangs keeps nobody waiting but its own run."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

_ANSWER_WITHIN_S = 5.0


class Shim:
    """One conversation: `async with Shim(directory) as shim: await shim.ask({…})`. Raises OSError."""

    def __init__(self, directory: Path, within_s: float = _ANSWER_WITHIN_S) -> None:
        self._directory = directory
        self._within_s = within_s
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> "Shim":
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A socket's path may have 107 bytes; through the descriptor it is always short.
            async with asyncio.timeout(self._within_s):
                self._reader, self._writer = await asyncio.open_unix_connection(f"/proc/self/fd/{descriptor}/ctl")
        finally:
            os.close(descriptor)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    async def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send one command and return its answer. Raises OSError where the shim is gone or does not answer in time."""
        try:
            async with asyncio.timeout(self._within_s):
                self._writer.write(msgspec.json.encode(command) + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
            return msgspec.json.decode(line, type=dict[str, Any])
        except (ValueError, msgspec.MsgspecError) as error:
            raise ConnectionResetError("the shim has ended, or does not speak this protocol") from error
