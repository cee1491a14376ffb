"""The contract of a backend: one small file per kind of program, behind one Protocol.

A backend is stateless. Its parser turns a stream's lines into events and carries what it must remember in a small JSON
state, which is stored with the stream's offset, so that a new worker goes on in the middle of a line of thought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from agentrunner.domain.control import Assignment
from agentrunner.domain.event import NewEvent
from agentrunner.domain.state import Reason, Status

Stdio = Literal["file", "pipe"]
Stdin = Literal["null", "prompt", "pipe"]


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute: no shell, ever. `env` is added to the allow-listed environment; `prompt` is what stdin reads.

    `argv[0]` is looked up in the PATH of that environment. `stdin="prompt"` needs `prompt`. `redact` are values that
    must not appear in events, beside the run's own secrets.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stdio: Stdio = "pipe"
    stdin: Stdin = "null"
    prompt: str | None = None
    redact: Sequence[str] = ()


class Line(msgspec.Struct, frozen=True, gc=False):
    """One raw line without its newline, redacted; `offset` is where it starts in the raw stream.

    `ts` in milliseconds. `cut` counts the bytes left out behind the first MiB of a longer line.
    """

    data: bytes
    offset: int
    ts: int
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process ended, from the exit record. `limit` names the limit that ended it, `stopped` says that the
    runner ended it because somebody asked; `spawn_error` is the system's message where it never executed."""

    exit_code: int | None
    signal: int | None
    stopped: bool = False
    limit: str | None = None
    spawn_error: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the runner concludes: from the terminal message, its error flag, the exit status, and who asked to stop."""

    status: Status
    reason: Reason | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What `doctor` finds of a backend's program on this host; `note` is what everybody must know of it."""

    available: bool
    program: str | None = None
    version: str | None = None
    advice: str | None = None
    note: str | None = None


class Parser(Protocol):
    """Turns one attempt's output into events. Never raises on any input: what it does not understand is `raw`."""

    def feed(self, stream: Literal["out", "err"], lines: Sequence[Line]) -> list[NewEvent]:
        """The events of some lines of one stream, in order."""
        ...

    def state(self, stream: Literal["out", "err"]) -> Any:
        """What must be remembered of this stream, as JSON of at most 64 KiB; goes back into `Backend.parser`."""
        ...

    def verdict(self, ending: Ending) -> Verdict:
        """How the attempt ended; asked once, after the last line."""
        ...


@runtime_checkable
class TextParser(Protocol):
    """A parser to which a line means nothing by itself.

    What it is fed as one `Line` is many, newlines between them, of one moment and up to `MAX_LOG_BYTES`: output of a
    hundred lines is then redacted, decoded and written once.
    """

    reads_text: bool


class Backend(Protocol):
    """One kind of agent program."""

    @property
    def name(self) -> str:
        """The word in `run.backend`."""
        ...

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions, saying what to write instead, where a run with these options can never start."""
        ...

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """What to execute, on the worker; `environment` is what the agent will get, `directory` where it will work.

        The worker has applied `options.env`, the secrets and `options.cwd` to them; a backend adds only its own.
        Raises BackendMissing where the program is not installed, BadOptions where the options do not fit.
        """
        ...

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser that goes on from stored states (None: from the beginning)."""
        ...

    def find(self, environment: Mapping[str, str]) -> Found:
        """Look for the program on this host; may execute it to learn its version, for 10 s at most."""
        ...


@runtime_checkable
class Replayer(Protocol):
    """A backend that writes a recorded attempt's output again; what reads that is the recorded one's parser."""

    def play(self, options: Mapping[str, Any], recording: Path, stdio: Stdio) -> Command:
        """What to execute, given the recorded run directory and the kind of output that was recorded."""
        ...


@runtime_checkable
class Standalone(Protocol):
    """A backend whose programs touch no project: its runs work in an empty directory of their own, always."""

    is_standalone: bool
