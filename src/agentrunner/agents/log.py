"""Raw lines as `log` events: neighbours that arrive together are one event, each line stays a line.

Payload: `{"stream": "stdout"|"stderr", "offset": N, "lines": […]}`; `offset` is where the first line starts in the raw
stream. Invalid UTF-8 becomes `\\xNN`; the bytes stay in the spool.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from agentrunner.agents.base import Line
from agentrunner.domain.event import MAX_LOG_BYTES, EventType, NewEvent, new_event

TOGETHER_MS = 250
"""Lines further apart than this are not one event, so that a stream read late tells the same times as one read live."""
STREAM_NAMES: dict[Literal["out", "err"], str] = {"out": "stdout", "err": "stderr"}


class _Log(msgspec.Struct):
    stream: str
    offset: int
    lines: list[str]


_encode = msgspec.json.Encoder().encode


def log_events(stream: Literal["out", "err"], lines: Sequence[Line]) -> list[NewEvent]:
    """The events of some lines (each may be many, newlines between), in order: up to 64 KiB each, a longer line alone.

    A line whose end was cut off is followed by `output.truncated` with the bytes kept and left out. Where the line was
    given before its end was known, an empty one that only counts what was cut comes later, and is no line itself.
    """
    events = []
    for start, end in _groups(lines):
        last = lines[end - 1]
        if shown := lines[start : end - 1] if last.cut and not last.data else lines[start:end]:
            events.append(_log_event(stream, shown))
        if last.cut:
            events.append(truncated(stream, last))
    return events


def truncated(stream: Literal["out", "err"], line: Line) -> NewEvent:
    """The event that says how much of a line is missing."""
    payload: dict[str, str | int] = {"stream": STREAM_NAMES[stream], "offset": line.offset, "cut_bytes": line.cut}
    if line.data:
        payload["kept_bytes"] = len(line.data)
    return new_event(EventType.OUTPUT_TRUNCATED, payload, level="warning", ts=line.ts)


def readable(data: bytes) -> str:
    """Bytes as text, whatever they are."""
    return data.decode("utf-8", "backslashreplace")


def _log_event(stream: Literal["out", "err"], lines: Sequence[Line]) -> NewEvent:
    # One decode for all: the newline between two lines ends any broken sequence exactly where the line does.
    texts = readable(b"\n".join([line.data for line in lines])).split("\n")
    log = _Log(STREAM_NAMES[stream], lines[0].offset, texts)
    return NewEvent(type=EventType.LOG, payload=msgspec.Raw(_encode(log)), ts=lines[0].ts)


def _groups(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """The bounds of each event's lines; a cut line ends its group, so that what is said of it follows at once."""
    start = size = ts = 0
    for index, line in enumerate(lines):
        length = len(line.data) + 1
        if index > start and (size + length > MAX_LOG_BYTES or line.ts - ts > TOGETHER_MS):
            yield start, index
            start = index
        if index == start:
            size, ts = 0, line.ts
        size += length
        if line.cut:
            yield start, index + 1
            start = index + 1
    if start < len(lines):
        yield start, len(lines)
