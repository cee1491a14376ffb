"""Use cases of looking through one run: where a text is, and everything that was printed."""

import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from agentrunner.domain.text import contains, kept_as_is
from agentrunner.engine.runs import find
from agentrunner.engine.services import Services
from agentrunner.store import search_events
from agentrunner.store.base import Tx
from agentrunner.store.search_events import Printed

WITHIN_S = 2.0
_SPAN = 5000
_ROWS = 100
"""An event may have a MiB; so many are in memory at once."""


class Hits(NamedTuple):
    """The first `seq`s that contain a text, how many do in all up to `searched_to`, and the run's last `seq`."""

    seqs: list[int]
    total: int
    searched_to: int
    last_seq: int


class Sought(NamedTuple):
    """A text in lower case, behind which `seq` to look for it, and how many of those that contain it to name."""

    text: str
    after: int
    limit: int


async def search(s: Services, run_id: int, sought: str, after: int, limit: int) -> Hits:
    """Look behind a cursor, for two seconds at most. Raises RunNotFound, QueryTimeout where none was free for long."""
    return await s.db.search(look, run_id, Sought(sought.lower(), after, limit), WITHIN_S)


async def look(tx: Tx, run_id: int, sought: Sought, within_s: float) -> Hits:
    """The same on a snapshot, for so long. Raises RunNotFound."""
    last_seq = (await find(tx, run_id)).last_seq
    deadline = time.monotonic() + within_s
    after, part = sought.after, kept_as_is(sought.text)
    seqs, count = list[int](), 0
    while after < last_seq and time.monotonic() < deadline:
        span = (after, min(after + _SPAN, last_seq))
        found = await search_events.candidates(tx, run_id, span, part, _ROWS)
        for each in found:
            if contains(sought.text, each.type, each.payload.encode()):
                count += 1
                if len(seqs) < sought.limit:
                    seqs.append(each.seq)
        after = found[-1].seq if len(found) == _ROWS else span[1]
    return Hits(seqs, count, after, last_seq)


class _Log(msgspec.Struct, frozen=True):
    """Of a `log` event's payload what was printed, where it is as workers write it."""

    stream: str = ""
    lines: list[str] = []


_log = msgspec.json.Decoder(_Log)


async def last_seq(s: Services, run_id: int) -> int:
    """The newest event of a run. Raises RunNotFound."""
    return (await s.db.read(find, run_id)).last_seq


async def output(s: Services, run_id: int, last: int, stream: str | None, attempt: int | None) -> AsyncIterator[bytes]:
    """What a run has printed up to event `last`, a few events at a time; of one stream and attempt where they are said.

    Lines end in newlines, whatever the last one had.
    """
    after = 0
    while after < last:
        span = (after, min(after + _SPAN, last))
        found = await s.db.read(search_events.printed, run_id, span, _ROWS)
        after = found[-1].seq if len(found) == _ROWS else span[1]
        if text := b"".join(_lines(each, stream) for each in found if attempt in (None, each.attempt)):
            yield text


def _lines(event: Printed, stream: str | None) -> bytes:
    try:
        log = _log.decode(event.payload)
    except msgspec.DecodeError:  # a reporter's own idea of a log
        return b""
    if stream not in (None, log.stream) or not log.lines:
        return b""
    return ("\n".join(log.lines) + "\n").encode("utf-8", "backslashreplace")
