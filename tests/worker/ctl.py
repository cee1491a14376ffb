"""A shim's `ctl` that answers as it is told, on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Answer = Callable[[dict[str, Any]], Any]


class Ctl:
    """Every command that came, in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.commands: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation. An answer of None ends it, one of ... is none at all."""
        try:
            while line := await reader.readline():
                command = json.loads(line)
                self.commands.append(command)
                answer = self._answer(command)
                if answer is None:
                    return
                if answer is not ...:
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    @property
    def names(self) -> list[str]:
        """What was commanded."""
        return [command["cmd"] for command in self.commands]


def agrees(_command: dict[str, Any]) -> dict[str, Any]:
    """A shim that does everything."""
    return {"ok": True}


@asynccontextmanager
async def shim(directory: Path, answer: Answer = agrees) -> AsyncIterator[Ctl]:
    """Such a shim in a run directory."""
    ctl = Ctl(answer)
    server = await asyncio.start_unix_server(ctl.serve, directory / "ctl")
    try:
        yield ctl
    finally:
        server.close()
        (directory / "ctl").unlink(missing_ok=True)
