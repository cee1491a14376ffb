"""What the shim is to be told: wishes, inputs, deadlines, how much is recorded.

Everything is remembered until the shim is there and sent again where a connection broke; the shim takes nothing twice.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from agentrunner.domain.control import Assignment, Offsets
from agentrunner.domain.state import Desired
from agentrunner.process.adopt import ShimLink

log = structlog.get_logger("agentrunner.worker")

_TELL_EVERY = 8
"""The shim hears of recorded bytes each time they have grown by this part of its cap."""
_COMMANDS = {Desired.PAUSE: "pause", Desired.RUN: "resume", Desired.STOP: "stop"}


class Steering:
    """One attempt's commands, each with the attempt's epoch."""

    def __init__(self, assignment: Assignment, cap_bytes: int) -> None:
        self._epoch = assignment.epoch
        self._run_id = assignment.run_id
        self._cap = cap_bytes
        self.desired = assignment.desired
        self.revision = assignment.revision
        self._told_revision = 0
        self._told_recorded = 0
        self._path: Path | None = None
        self._link: ShimLink | None = None

    def attach(self, path: Path) -> None:
        """The shim of this directory is there; tell it what is wished."""
        if self._path != path:
            self.close()
            self._path = path
        self._tell_wish()

    def wish(self, desired: Desired, revision: int) -> None:
        """Somebody wishes something, the newest wish counting."""
        if revision >= self.revision:
            self.desired, self.revision = desired, revision
            self._tell_wish()

    def _tell_wish(self) -> None:
        if self.revision <= self._told_revision or self._path is None:
            return
        command: dict[str, Any] = {"cmd": _COMMANDS[self.desired], "rev": self.revision}
        if self._send(command) is not None:
            self._told_revision = self.revision

    def end(self) -> None:
        """End the tree at once: its attempt is over."""
        self._send({"cmd": "stop", "rev": self.revision, "grace_s": 0})

    def send(self, input_id: int, text: str) -> bool:
        """Pass an input on; False where it did not reach the shim."""
        return self._send({"cmd": "input", "id": input_id, "text": text}) is not None

    def move_deadline(self, boottime: float) -> None:
        """Let the attempt live until then without another answer of the server."""
        self._send({"cmd": "deadline", "boottime": boottime})

    def recorded(self, offsets: Offsets) -> None:
        """These bytes are stored: the shim may give their blocks back."""
        total = offsets.out + offsets.err
        if total - self._told_recorded < self._cap // _TELL_EVERY:
            return
        if self._send({"cmd": "recorded", "out": offsets.out, "err": offsets.err}) is not None:
            self._told_recorded = total

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _send(self, command: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The shim's answer, or None where it is not there (yet, or any more) or refuses."""
        if self._path is None:
            return None
        try:
            if self._link is None:
                self._link = ShimLink(self._path)
            answer = self._link.send({**command, "epoch": self._epoch})
        except OSError:
            self.close()
            return None
        if "error" in answer:
            log.warning("the shim refuses", run=self._run_id, command=command["cmd"], answer=answer)
            return None
        return answer
