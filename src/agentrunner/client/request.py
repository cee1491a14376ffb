"""A request as data, and when it may be sent again; pure, so that a client of any kind can use it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
JSON = "application/json"
LINES = "application/x-ndjson"
TRIES = 5
"""How often one request is sent at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `key` is an Idempotency-Key; `is_repeatable` says that twice is the same as once.

    A request with a key or of a safe method is repeatable by itself. `more_headers` go beside those of every request.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    key: str | None = None
    is_repeatable: bool = False
    content_type: str = JSON
    more_headers: tuple[tuple[str, str], ...] = ()

    @property
    def may_be_repeated(self) -> bool:
        """True where sending it again can do no harm although the first may have been carried out."""
        return self.is_repeatable or self.key is not None or self.method in {"GET", "HEAD"}

    @property
    def headers(self) -> dict[str, str]:
        """What the request says of itself."""
        found = dict(self.more_headers)
        if self.body is not None:
            found["content-type"] = self.content_type
        if self.key is not None:
            found["idempotency-key"] = self.key
        return found


def stream_headers(last_id: int) -> dict[str, str]:
    """What the request for a stream behind `last_id` says."""
    return {"accept": "text/event-stream", "last-event-id": str(last_id)}


def encoded(value: Any) -> bytes:
    """A body as JSON."""
    return msgspec.json.encode(value)


def pauses(chance: Callable[[], float], longest_s: float = LONGEST_PAUSE_S) -> Iterator[float]:
    """Seconds to wait before each further try: doubling up to a bound, each between a half and all of that.

    `chance` gives numbers from 0 to 1; without it many clients of a server that restarts would come back at once.
    """
    pause = FIRST_PAUSE_S
    while True:
        yield pause * (0.5 + 0.5 * chance())
        pause = min(pause * 2, longest_s)
