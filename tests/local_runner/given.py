"""Runners and small programs for the tests of the process library; every runner is closed."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrunner.local_runner import AgentConfig, LocalAgentHandle, LocalProcessRunner, ProcessRunnerConfig
from agentrunner.process import procfs
from waiting import eventually

MARK = "AGENTRUNNER_TEST_SESSION"
SHELL = "#!/bin/sh\n"
PYTHON = f"#!{sys.executable} -ISu\n"


def configured(**fields: Any) -> ProcessRunnerConfig:
    """A configuration whose agents carry the mark of these tests."""
    return ProcessRunnerConfig(pass_env=(MARK,), **fields)


def sleeping(seconds: float = 30, **fields: Any) -> AgentConfig:
    """The documents' own mock: `sleep`."""
    return AgentConfig(name="sleeper", model_backend="sleep-cli", task=str(seconds), **fields)


class Programs:
    """A folder of programs of this test's own, each a backend `<name>-cli`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()

    def write(self, text: str, name: str | None = None) -> str:
        """A program; answers its name."""
        self._count += 1
        name = name or f"program{self._count}"
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o700)
        return name

    @property
    def environment(self) -> dict[str, str]:
        """With this folder first in PATH."""
        return {"PATH": f"{self.folder}:{os.environ['PATH']}"}

    def config(self, text: str, environment: Mapping[str, str] = {}, **fields: Any) -> AgentConfig:
        """A configuration that runs a new program."""
        return AgentConfig(
            model_backend=f"{self.write(text)}-cli", environment={**self.environment, **environment}, **fields
        )

    async def start(self, runner: LocalProcessRunner, text: str, **fields: Any) -> LocalAgentHandle:
        """A new program, executing."""
        return await runner.spawn(self.config(text, **fields))


async def line_of(handle: LocalAgentHandle, timeout: float = 10.0) -> str:
    """The next line of stdout, without its newline."""
    return (await eventually(handle.read_stdout, timeout)).decode().removesuffix("\n")


async def said(handle: LocalAgentHandle) -> list[str]:
    """All that it writes on stdout, until it has ended."""
    return [line.decode().removesuffix("\n") async for line in handle.subscribe_stdout()]


def is_gone(pid: int) -> bool:
    """True once this process can act no more."""
    return not procfs.is_alive(pid)
