"""One try: the bytes a client sends in pieces, how it goes on after them, and the server it sends them to."""

from dataclasses import dataclass, replace
from typing import Literal

Ending = Literal["read", "half", "close", "reset"]
"""Read the answers; say first that nothing more comes; close at once; reset the connection."""


@dataclass(frozen=True, slots=True)
class Shot:
    """`pieces` are sent one by one with `pause_s` between them; at most `answers` answers may come back.

    `lasting`: a long poll, whose answer may rightly take longer than anybody waits here.
    """

    kind: str
    pieces: tuple[bytes, ...]
    ending: Ending = "read"
    pause_s: float = 0.0
    local: bool = False
    answers: int = 1
    lasting: bool = False

    @property
    def content(self) -> bytes:
        """Everything that is sent."""
        return b"".join(self.pieces)

    def but(self, pieces: tuple[bytes, ...]) -> "Shot":
        """The same with other bytes."""
        return replace(self, pieces=pieces)


@dataclass(frozen=True, slots=True)
class World:
    """What the tries know of the server: where it is, tokens by scope, a worker, runs to write to or to leave alone,
    agents by the 24 digits of their ids."""

    host: str
    port: int
    socket_path: str
    tokens: dict[str, str]
    targets: tuple[int, ...]
    kept: tuple[int, ...]
    worker_id: str
    assignments: tuple[dict[str, object], ...]
    agents: tuple[str, ...] = ()
