"""Run directories as a shim writes them, a small stand-in for the server's rule of offsets, and assignments."""

import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agentrunner.domain.control import Assignment, Offsets, Part, States
from agentrunner.domain.errors import OffsetMismatch
from agentrunner.domain.event import NewEvent
from agentrunner.domain.run import Limits
from agentrunner.domain.state import Desired, OnLost, Status

_IDX = struct.Struct("<BxxxxxxxQQ")
_STREAMS = ("out", "err")


class Spools:
    """Appends to `out`, `err` and `journal` in the order in which a shim does."""

    def __init__(self, directory: Path, indexed: bool = True) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self._indexed = indexed
        self.sizes = {"out": 0, "err": 0}
        for name in (*_STREAMS, "journal", "idx"):
            (directory / name).touch()

    def write(self, stream: str, data: bytes, indexed: bool = True) -> None:
        """Output, then where it ends in the index; `indexed` false: the disk was full for the index."""
        self._append(stream, data)
        self.sizes[stream] += len(data)
        if self._indexed and indexed:
            self._append("idx", _IDX.pack(_STREAMS.index(stream), self.sizes[stream], 1_000_000))

    def note(self, fact: str, **fields: Any) -> dict[str, int]:
        """A fact, true of what was written so far; answers that."""
        line = {"fact": fact, "t": 1, "at": self.sizes, **fields}
        self._append("journal", json.dumps(line).encode() + b"\n")
        return dict(self.sizes)

    def final(self) -> Offsets:
        """What an exit record says."""
        return Offsets(**self.sizes, journal=os.stat(self.directory / "journal").st_size)

    def _append(self, name: str, data: bytes) -> None:
        with (self.directory / name).open("ab") as file:
            file.write(data)


@dataclass
class Stored:
    """What a server has of one attempt, by the server's rule."""

    offsets: Offsets = field(default_factory=Offsets)
    states: States = field(default_factory=States)
    events: list[NewEvent] = field(default_factory=list)

    def record(self, parts: list[Part], final: bool = False) -> None:
        """All or none. Raises OffsetMismatch; a part that is stored already is done."""
        offsets, states, events = self.offsets, self.states, []
        for part in parts:
            stored = getattr(offsets, part.stream)
            assert part.end > part.start or not part.events or final, "events without bytes, and no outcome"
            if part.end <= stored and part.start < part.end:
                continue
            if part.start != stored:
                raise OffsetMismatch
            offsets = msgspec.structs.replace(offsets, **{part.stream: part.end})
            states = msgspec.structs.replace(states, **{part.stream: part.state})
            events += part.events
        self.offsets, self.states = offsets, states
        self.events += events

    def timeline(self) -> list[tuple[str, Any]]:
        """Every line as (stream, text), every pause as (paused, revision), in order."""
        found: list[tuple[str, Any]] = []
        for event in self.events:
            payload = msgspec.json.decode(event.payload)
            if event.type == "log":
                found += [(payload["stream"].removeprefix("std"), line) for line in payload["lines"]]
            elif event.type == "run.paused":
                found.append(("paused", payload["revision"]))
            else:
                found.append((event.type, payload))
        return found


def assignment(**changes: Any) -> Assignment:
    """One attempt of a `command` run."""
    given: dict[str, Any] = {
        "run_id": 7,
        "attempt": 1,
        "uid": "0123456789abcdef",
        "epoch": 3,
        "status": Status.RUNNING,
        "desired": Desired.RUN,
        "revision": 0,
        "backend": "command",
        "title": "",
        "goal": "",
        "project": "default",
        "project_path": None,
        "options": {"argv": ["true"]},
        "secrets": {},
        "limits": Limits(),
        "on_lost": OnLost.WAIT,
        "boot_id": "boot",
    }
    return Assignment(**{**given, **changes})
