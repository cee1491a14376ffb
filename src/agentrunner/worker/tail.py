"""From a run directory's raw files to the parts of `record`: output framed, redacted, parsed; facts in their place.

A part always ends where a line ends, so that a new worker goes on from the stored offset with the stored state.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentrunner.agents.base import Backend, Ending, Line, Parser, TextParser, Verdict
from agentrunner.domain.control import NULL, Offsets, Part, States
from agentrunner.domain.event import MAX_LOG_BYTES, NewEvent
from agentrunner.domain.state import StreamName
from agentrunner.process.journal import Fact, read_facts
from agentrunner.process.redaction import Redactor
from agentrunner.process.spool import Chunk, Framer, RawLine, SpoolReader, Stream
from agentrunner.worker.facts import event_of

BATCH_BYTES = 1 << 20
"""Raw output in one `record` call."""
BATCH_LINES = 16_384
"""About how many lines of it: parsing a flood of empty lines must not keep the worker from its heartbeat."""
_SLICE_BYTES = 1 << 17
_MANY_FACTS = 4096
_MUCH_JOURNAL = 1 << 19
"""A read of the journal that gives this much (it reads a MiB at once) may not have been its end."""
OUTPUTS: tuple[Stream, Stream] = ("out", "err")


class _State(msgspec.Struct, frozen=True):
    """What is stored with a stream's offset."""

    framer: msgspec.Raw = NULL
    parser: msgspec.Raw = NULL


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts for one call; `is_all` where nothing more can be read now; `delivered` are the inputs that they confirm."""

    parts: list[Part]
    is_all: bool
    delivered: list[int] = field(default_factory=list)


class Tail:
    """Reads one attempt from stored offsets; `reset` goes back to what the server has."""

    def __init__(self, reader: SpoolReader, backend: Backend, redactor: Redactor) -> None:
        self._reader = reader
        self._backend = backend
        self._redactor = redactor
        self.recorded = Offsets()
        self.reset(Offsets(), States())

    def reset(self, offsets: Offsets, states: States) -> None:
        """Go on from here: everything behind it is read again."""
        self.recorded = offsets
        kept = {stream: _kept(getattr(states, stream)) for stream in OUTPUTS}
        self._parser: Parser = self._backend.parser(_plain(kept["out"].parser), _plain(kept["err"].parser))
        together = MAX_LOG_BYTES if isinstance(self._parser, TextParser) else None
        self._framers = {
            stream: Framer(getattr(offsets, stream), _plain(kept[stream].framer), self._redactor.safe_cut, together)
            for stream in OUTPUTS
        }
        self._read: dict[Stream, int] = {"out": offsets.out, "err": offsets.err}
        self._sent: dict[StreamName, int] = {"out": offsets.out, "err": offsets.err, "journal": offsets.journal}
        self._facts: deque[Fact] = deque()
        self._journal_read = offsets.journal

    def verdict(self, ending: Ending) -> Verdict:
        """What the backend makes of the end, once everything is read."""
        return self._parser.verdict(ending)

    def read(self, sizes: Offsets | None = None) -> Batch:
        """What can be recorded now. `sizes` are the final ones, once the attempt is over: then nothing is held back.

        The last batch of an ended attempt may hold events without bytes: it has to go with the outcome.
        """
        limit, is_whole = self._limit(sizes)
        parts: list[Part] = []
        delivered: list[int] = []
        budget, lines = BATCH_BYTES, BATCH_LINES
        while budget > 0 and lines > 0:
            fact = self._facts[0] if self._facts else None
            bound = limit if fact is None else _lower(limit, fact)
            if not self._is_read(bound):
                count, found = self._read_output(parts, bound, min(budget, _SLICE_BYTES))
                budget, lines = budget - count, lines - found
            elif fact is not None and (sizes is not None or _is_within(fact, limit)):
                self._place_fact(parts, self._facts.popleft(), delivered)
                lines -= 1
            else:
                break
        # A fact that is held back here is within the limits of the next read, so reading on always gets further.
        is_all = is_whole and not self._facts and self._is_read(limit)
        if is_all and sizes is None:
            # More may have come, and of a long index only a part is held at once.
            is_all = self._is_read(self._reader.sizes())
        if sizes is not None and is_all:
            self._flush(parts, sizes)
        return Batch(self._with_states(parts), is_all, delivered)

    def _limit(self, sizes: Offsets | None) -> tuple[dict[Stream, int], bool]:
        """How far output may be given now, and whether the journal is read as far.

        The sizes come before the journal: a fact that is true below them is then in the journal already. What a fact
        that was read earlier says of the sizes holds too, and is needed where the index could not be written any more.
        """
        limit = self._reader.sizes() if sizes is None else _bound(sizes)
        if sizes is None and self._facts and self._is_read(limit):
            last = self._facts[-1]
            limit = {"out": max(limit["out"], last.at_out), "err": max(limit["err"], last.at_err)}
        is_whole = self._read_journal(None if sizes is None else sizes.journal)
        return (limit, True) if is_whole else (_lower(limit, self._facts[-1]), False)

    def _read_journal(self, end: int | None) -> bool:
        """Read on in the journal; False where there are facts behind those that are held now."""
        if len(self._facts) >= _MANY_FACTS:
            return False
        before = self._journal_read
        facts, self._journal_read = read_facts(self._reader.directory, before, end)
        self._facts.extend(facts)
        return self._journal_read - before < _MUCH_JOURNAL

    def _is_read(self, bound: dict[Stream, int]) -> bool:
        return all(self._read[stream] >= bound[stream] for stream in OUTPUTS)

    def _read_output(self, parts: list[Part], bound: dict[Stream, int], budget: int) -> tuple[int, int]:
        """Give some of what is there; answers how many bytes and lines that was."""
        chunks = self._reader.chunks(self._read, bound, budget)
        lines = 0
        for chunk in chunks:
            self._read[chunk.stream] = chunk.start + len(chunk.data)
            lines += self._feed(parts, chunk)
        if not chunks:
            # Nothing there although the size says so: the spool is shorter than it was, which the shim never makes it.
            self._read = {stream: max(self._read[stream], bound[stream]) for stream in OUTPUTS}
        return sum(len(chunk.data) for chunk in chunks), lines

    def _feed(self, parts: list[Part], chunk: Chunk) -> int:
        framer = self._framers[chunk.stream]
        lines = [self._line(raw, chunk.ts) for raw in framer.feed(chunk.data)]
        if framer.offset > self._sent[chunk.stream]:
            self._add(parts, chunk.stream, framer.offset, self._parser.feed(chunk.stream, lines))
        return len(lines)

    def _line(self, raw: RawLine, ts: int) -> Line:
        return Line(data=self._redactor.redact(raw.data), offset=raw.offset, ts=ts, cut=raw.cut)

    def _flush(self, parts: list[Part], sizes: Offsets) -> None:
        """The last lines without a newline, and what a killed shim left half written.

        What is missing of a cut line may be said when its bytes are stored already: events without bytes.
        """
        now = time.time_ns() // 1_000_000
        for stream in OUTPUTS:
            framer = self._framers[stream]
            lines = [self._line(raw, now) for raw in framer.finish()]
            end = max(getattr(sizes, stream), self._sent[stream])
            if lines or end > self._sent[stream]:
                self._add(parts, stream, end, self._parser.feed(stream, lines))
        if sizes.journal > self._sent["journal"]:
            self._add(parts, "journal", sizes.journal, [])

    def _place_fact(self, parts: list[Part], fact: Fact, delivered: list[int]) -> None:
        event = event_of(fact)
        if fact.name == "input_delivered":
            delivered.append(int(fact.fields.get("id", 0)))
        self._add(parts, "journal", fact.end, [] if event is None else [event])

    def _add(self, parts: list[Part], stream: StreamName, end: int, events: list[NewEvent]) -> None:
        """A part up to `end`, joined to the one before where that is the same stream's."""
        start = self._sent[stream]
        self._sent[stream] = end
        if parts and parts[-1].stream == stream:
            before = parts.pop()
            start, events = before.start, before.events + events
        parts.append(Part(stream=stream, start=start, end=end, events=events))

    def _with_states(self, parts: list[Part]) -> list[Part]:
        for stream in OUTPUTS:
            mine = [index for index, part in enumerate(parts) if part.stream == stream]
            if mine:
                parts[mine[-1]] = msgspec.structs.replace(parts[mine[-1]], state=self._state(stream))
        return parts

    def _state(self, stream: Stream) -> msgspec.Raw:
        framer, parser = self._framers[stream].state(), self._parser.state(stream)
        return msgspec.Raw(msgspec.json.encode({"framer": framer, "parser": parser}))


def _kept(raw: msgspec.Raw) -> _State:
    return _State() if raw == NULL else msgspec.json.decode(raw, type=_State)


def _plain(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


def _bound(sizes: Offsets) -> dict[Stream, int]:
    return {"out": sizes.out, "err": sizes.err}


def _lower(limit: dict[Stream, int], fact: Fact) -> dict[Stream, int]:
    return {"out": min(limit["out"], fact.at_out), "err": min(limit["err"], fact.at_err)}


def _is_within(fact: Fact, limit: dict[Stream, int]) -> bool:
    return fact.at_out <= limit["out"] and fact.at_err <= limit["err"]
