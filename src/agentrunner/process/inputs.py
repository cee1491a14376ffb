"""Text for the agent's stdin: journalled before it is written, and never written twice. Stand-alone."""

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
        self._waiting: list[tuple[int, bytes]] = []
        if pipe >= 0:
            os.set_blocking(pipe, False)

    def take(self, number: int, text: str) -> dict[str, Any]:
        """Take a text with its id; the answer says where it was known already or cannot be taken."""
        if number in self._known:
            return {"known": True}
        if self.pipe < 0:
            return {"refused": "no stdin"}
        data = text.encode()
        if sum(len(other) for _, other in self._waiting) + len(data) > _MAX_WAITING_BYTES:
            return {"refused": "full"}
        self._known.add(number)
        self._journal.note("input", id=number)
        self._waiting.append((number, data if data.endswith(b"\n") else data + b"\n"))
        if len(self._waiting) == 1:
            self._epoll.register(self.pipe, select.EPOLLOUT)
        return {}

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
                self._journal.note("input_delivered", id=number)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._epoll.unregister(self.pipe)

    def close(self) -> None:
        """The agent reads no more: what waits was not delivered, or only its beginning."""
        if self.pipe < 0:
            return
        if self._waiting:
            self._epoll.unregister(self.pipe)
        os.close(self.pipe)
        self.pipe = -1
        for number, _ in self._waiting:
            self._journal.note("input_undelivered", id=number)
        self._waiting.clear()
