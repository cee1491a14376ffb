"""What goes to the agent's stdin. Stand-alone.

A text with an id is journalled before it is written, and never written twice. Raw bytes have neither id nor journal.
"""

from __future__ import annotations

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agentrunner.process.facts import Journal

_MAX_WAITING_BYTES = 4 << 20


class Inputs:
    """The write end of the agent's stdin, `pipe`, or -1 where it has none."""

    def __init__(self, pipe: int, epoll: select.epoll, journal: Journal) -> None:
        self.pipe = pipe
        self._epoll = epoll
        self._journal = journal
        self._known: set[int] = set()
        self._waiting: list[tuple[int | None, bytes]] = []
        self._ends = False
        if pipe >= 0:
            os.set_blocking(pipe, False)

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """A command `input`: a text with its id, or `raw` bytes as the characters below 256, with `end` the last."""
        if "raw" not in command:
            return self.take(command["id"], command["text"])
        return self._take_raw(command["raw"].encode("latin-1"), bool(command.get("end")))

    def take(self, number: int, text: str) -> dict[str, Any]:
        """Take a text with its id; the answer says where it was known already or cannot be taken."""
        if number in self._known:
            return {"known": True}
        if self.pipe < 0 or self._ends:
            return {"refused": "no stdin"}
        data = text.encode()
        if not self._has_room(data):
            return {"refused": "full"}
        self._known.add(number)
        self._journal.note("input", id=number)
        self._queue(number, data if data.endswith(b"\n") else data + b"\n")
        return {}

    def _take_raw(self, data: bytes, ends: bool) -> dict[str, Any]:
        """Written at once as far as the pipe takes it, so that a reader who is gone is known to the caller."""
        if self.pipe < 0 or self._ends:
            return {"refused": "no stdin"}
        if not self._has_room(data):
            return {"refused": "full"}
        if data:
            self._queue(None, data)
            self.feed()
            if self.pipe < 0:
                return {"refused": "closed"}
        self._ends = ends
        if ends and not self._waiting:
            self.close()
        return {}

    def _has_room(self, data: bytes) -> bool:
        return sum(len(other) for _, other in self._waiting) + len(data) <= _MAX_WAITING_BYTES

    def _queue(self, number: int | None, data: bytes) -> None:
        self._waiting.append((number, data))
        if len(self._waiting) == 1:
            self._epoll.register(self.pipe, select.EPOLLOUT)

    def feed(self) -> None:
        """Write what waits, as far as the pipe takes it."""
        try:
            while self._waiting:
                number, data = self._waiting[0]
                left = data[os.write(self.pipe, data) :]
                if left:
                    self._waiting[0] = (number, left)
                    return
                self._waiting.pop(0)
                if number is not None:
                    self._journal.note("input_delivered", id=number)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._epoll.unregister(self.pipe)
        if self._ends:
            self.close()

    def close(self) -> None:
        """The agent reads no more: what waits was not delivered, or only its beginning."""
        if self.pipe < 0:
            return
        if self._waiting:
            self._epoll.unregister(self.pipe)
        os.close(self.pipe)
        self.pipe = -1
        for number in [number for number, _ in self._waiting if number is not None]:
            self._journal.note("input_undelivered", id=number)
        self._waiting.clear()
