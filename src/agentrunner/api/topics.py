"""One stream of several topics: hints about all runs, and the timelines of some, told apart by their data.

A subscriber is only a cursor for each timeline, so nothing queues for a slow reader: a topic whose reader falls far
behind is told how far, and goes on at the end; what lies between is paged in by `GET /v1/runs/{run_id}/events`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec

from agentrunner.api.changes import Listener
from agentrunner.api.context import Context
from agentrunner.api.feed import CHUNK_BYTES, HEARTBEAT, Feed, Framing, Subscriber, frame
from agentrunner.api.query import MAX_ID
from agentrunner.domain.errors import InvalidField, RunNotFound
from agentrunner.domain.event import view
from agentrunner.domain.run import RunView
from agentrunner.domain.run import view as run_view
from agentrunner.engine import runs

MOST_RUNS = 16
MOST_BEHIND = 1000
"""Events that a reader is given one after the other; beyond them paging in is faster for both sides."""
PATTERN = r"^(runs|run:[1-9][0-9]{0,17}(@[0-9]{1,18})?)(,(runs|run:[1-9][0-9]{0,17}(@[0-9]{1,18})?)){0,15}$"
"""For the OpenAPI document; what refuses says in words what is wrong."""
RUNS = "runs"
_RUN = "run:"
_encoder = msgspec.json.Encoder()


class Lagged(msgspec.Struct, frozen=True, kw_only=True):
    """Behind `after` up to `last_seq` nothing is streamed: page it in. The stream goes on behind `last_seq`."""

    run_id: int
    after: int
    last_seq: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The cursor is behind the run's end, which is `last_seq`: what was read before is of another database."""

    run_id: int
    last_seq: int


class GoneRun(msgspec.Struct, frozen=True, kw_only=True):
    """There is no such run (any more)."""

    run_id: int


class PrunedRun(msgspec.Struct, frozen=True, kw_only=True):
    """Events before this `seq` are gone, their retention being over."""

    run_id: int
    pruned_before: int


class EndedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The run is over and every event of it was sent; `run` is how it ended."""

    run_id: int
    last_seq: int
    run: RunView


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stream is to be of: hints about all runs, and timelines behind their cursors, by run."""

    hints: bool
    cursors: dict[int, int]


def parse(text: str) -> Asked:
    """`runs,run:12@345,run:13`; without a cursor from the beginning. Raises InvalidField.

    A run that is there twice counts once, from its lower cursor.
    """
    hints, cursors = False, dict[int, int]()
    for topic in text.split(","):
        name = topic.strip()
        if name == RUNS:
            hints = True
            continue
        number, at, after = name.removeprefix(_RUN).partition("@")
        run_id, cursor = _number(number), _number(after) if at else 0
        if not name.startswith(_RUN) or not run_id or cursor is None:
            raise InvalidField(f"`topics`: {name[:50]!r} is none; write `runs`, `run:12` or `run:12@345`, by commas.")
        cursors[run_id] = min(cursor, cursors.get(run_id, cursor))
    if len(cursors) > MOST_RUNS:
        raise InvalidField(f"`topics`: one stream follows {MOST_RUNS} runs at most; open another for the rest.")
    return Asked(hints, cursors)


def _number(text: str) -> int | None:
    is_one = text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID
    return int(text) if is_one else None


def framing(run_id: int) -> Framing:
    """How the timeline of one run is written among others: every datum names the run."""
    return Framing(
        name="topic",
        event=lambda event, _: frame("event", _encoder.encode(view(event))),
        pruned=lambda first: _frame("pruned", PrunedRun(run_id=run_id, pruned_before=first)),
        end=lambda run: _frame("end", EndedRun(run_id=run.id, last_seq=run.last_seq, run=run_view(run))),
    )


def _frame(name: str, value: msgspec.Struct) -> bytes:
    return frame(name, _encoder.encode(value))


class Timeline(Subscriber):
    """The cursor of one run; whoever wakes it wakes the stream."""

    def __init__(self, after: int, stream: Subscriber) -> None:
        super().__init__(after)
        self._stream = stream

    def wake(self) -> None:
        """Let the stream look."""
        self._stream.wake()


class Hints(Listener):
    """The hints of a stream; whoever gives one wakes the stream."""

    def __init__(self, stream: Subscriber) -> None:
        self._stream = stream
        super().__init__()

    def wake(self) -> None:
        """Let the stream look."""
        self._stream.wake()


@dataclass(frozen=True, slots=True)
class Topic:
    """One run of a stream, its feed, and what ends both."""

    feed: Feed
    timeline: Timeline
    stack: ExitStack


class Topics:
    """One stream's topics, entered and left with it."""

    def __init__(self, context: Context, asked: Asked, stream: Subscriber) -> None:
        self._context = context
        self._asked = asked
        self._stream = stream

    async def follow(self) -> AsyncIterator[bytes]:
        """Chunks of frames as they come, a comment where none comes for a while.

        Ends when the client or the server goes, when a feed fails, and with the last run where no hints are wanted.
        """
        with ExitStack() as everything:
            hints = Hints(self._stream) if self._asked.hints else None
            if hints is not None:
                everything.enter_context(self._context.changes.subscribe(hints))
            topics: list[Topic] = []
            for run_id, after in self._asked.cursors.items():
                yield await self._enter(run_id, after, topics, everything)
            while not self._is_over(topics):
                chunks = [hints.take()] if hints is not None else []
                chunks += [await self._next(topic) for topic in topics]
                topics = [topic for topic in topics if not _leave(topic, chunks)]
                if data := b"".join(chunks):
                    for start in range(0, len(data), CHUNK_BYTES):
                        yield data[start : start + CHUNK_BYTES]
                elif not topics and hints is None:
                    return
                elif not await self._stream.wait(self._context.bounds.heartbeat_s):
                    yield HEARTBEAT

    def _is_over(self, topics: Sequence[Topic]) -> bool:
        is_cut = any(topic.feed.failed or topic.timeline.gone for topic in topics)
        return self._stream.gone or is_cut or self._context.stopping.is_set()

    async def _enter(self, run_id: int, after: int, topics: list[Topic], everything: ExitStack) -> bytes:
        """Begin to follow a run; what is to be said of its cursor."""
        try:
            run = await runs.get(self._context.services, run_id)
        except RunNotFound:
            return _frame("gone", GoneRun(run_id=run_id))
        is_unknown = after > run.last_seq
        timeline = Timeline(run.last_seq if is_unknown else after, self._stream)
        stack = everything.enter_context(ExitStack())
        feed = stack.enter_context(self._context.feeds.subscribe(run, timeline, framing(run_id)))
        topics.append(Topic(feed, timeline, stack))
        return _frame("resync", Unknown(run_id=run_id, last_seq=run.last_seq)) if is_unknown else HEARTBEAT

    async def _next(self, topic: Topic) -> bytes:
        """What a topic's reader lacks, perhaps not all of it yet."""
        feed, timeline = topic.feed, topic.timeline
        if feed.last - timeline.after > MOST_BEHIND:
            lagged = Lagged(run_id=feed.run.id, after=timeline.after, last_seq=feed.last)
            timeline.after = feed.last
            return _frame("lagged", lagged)
        return await self._context.feeds.behind(feed, timeline)


def _leave(topic: Topic, chunks: list[bytes]) -> bool:
    """End a topic whose run is over and was given whole, with the frame that says so."""
    if not topic.feed.ended or topic.timeline.after < topic.feed.run.last_seq:
        return False
    chunks.append(topic.feed.framing.end(topic.feed.run))
    topic.stack.close()
    return True
