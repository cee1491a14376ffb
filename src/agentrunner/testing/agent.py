"""Scripted agents: processes that do exactly what a test or a drill wants of an agent."""

import json
from pathlib import Path
from typing import Any, Self

from agentrunner.agents.scenario import compile_scenario
from agentrunner.agents.script import program_argv


class ScriptedAgent:
    """Builds a scenario step by step: `ScriptedAgent().emit("hello", repeat=3).wait(1).exit(2)`.

    Each method adds one step and takes the fields that the step has in a scenario (`agentrunner.agents.scenario`);
    mistakes raise BadOptions when the scenario is used.
    """

    def __init__(self) -> None:
        self._steps: list[Any] = []

    @property
    def scenario(self) -> list[Any]:
        """The steps as data, for `options.scenario` of backend `script`."""
        return list(self._steps)

    def options(self) -> dict[str, Any]:
        """The options of a run with backend `script`."""
        compile_scenario(self._steps)
        return {"scenario": self.scenario}

    def argv(self, file: Path) -> list[str]:
        """How to run it as any other command, its scenario written to `file`; stdin stays free for inputs."""
        file.write_text(json.dumps(compile_scenario(self._steps)), encoding="utf-8")
        return list(program_argv(str(file)))

    def step(self, word: str, /, **fields: Any) -> Self:
        """Any step by its word."""
        self._steps.append({word: fields})
        return self

    def emit(self, text: str, **fields: Any) -> Self:
        """Write a line; `repeat`, `every`, `stream`, `numbered`."""
        return self.step("emit", text=text, **fields)

    def wait(self, seconds: float) -> Self:
        """Do nothing for a while."""
        return self.step("sleep", seconds=seconds)

    def write(self, path: str, text: str, **fields: Any) -> Self:
        """Write a file; `append`."""
        return self.step("write", path=path, text=text, **fields)

    def spawn(self, count: int = 1, **fields: Any) -> Self:
        """Leave children behind; `double_fork`, `setsid`, `ignore`, `lifetime`, `pids`, `quiet`."""
        return self.step("spawn", count=count, **fields)

    def setsid(self) -> Self:
        """Leave the session."""
        return self.step("setsid")

    def ignore(self, *signals: str) -> Self:
        """Ignore signals by name."""
        return self.step("ignore", signals=list(signals))

    def flood(self, size: int, **fields: Any) -> Self:
        """Write `size` bytes; `line`, `stream`."""
        return self.step("flood", bytes=size, **fields)

    def close(self, *streams: str) -> Self:
        """Close stdout or stderr."""
        return self.step("close", streams=list(streams))

    def crash(self, signal: str) -> Self:
        """Die by a signal."""
        return self.step("crash", signal=signal)

    def exit(self, code: int = 0) -> Self:
        """Exit with a code."""
        return self.step("exit", code=code)

    def read(self, prefix: str = "") -> Self:
        """Read a line of stdin and say it."""
        return self.step("read", prefix=prefix)

    def ledger(self, path: str, **fields: Any) -> Self:
        """Numbered lines to stdout and a file; `lines`, `every`, `width`."""
        return self.step("ledger", path=path, **fields)
