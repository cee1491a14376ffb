"""From a run directory's raw files to the parts of `record`: output framed, redacted, parsed; facts in their place.

A part always ends where a line ends, so that a new worker goes on from the stored offset with the stored state.
"""

import time
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from agentrunner.agents.base import Backend, Ending, Line, Parser, Verdict
from agentrunner.domain.control import NULL, Offsets, Part, States
from agentrunner.domain.event import NewEvent
from agentrunner.process.journal import Fact, read_facts
from agentrunner.process.redaction import Redactor
from agentrunner.process.spool import Chunk, Framer, SpoolReader
from agentrunner.worker.facts import event_of

BATCH_BYTES = 1 << 20
"""Raw output in one `record` call."""
Output = Literal["out", "err"]


class _State(msgspec.Struct, frozen=True):
    """What is stored with a stream's offset."""

    framer: msgspec.Raw = NULL
    parser: msgspec.Raw = NULL


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts for one call; `is_all` where nothing more can be read now."""

    parts: list[Part]
    is_all: bool


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
        kept = {stream: _kept(getattr(states, stream)) for stream in ("out", "err")}
        self._framers = {
            stream: Framer(getattr(offsets, stream), _plain(kept[stream].framer), self._redactor.safe_cut)
            for stream in ("out", "err")
        }
        self._parser: Parser = self._backend.parser(_plain(kept["out"].parser), _plain(kept["err"].parser))
        self._read = {"out": self._framers["out"].position, "err": self._framers["err"].position}
        self._sent = {"out": offsets.out, "err": offsets.err, "journal": offsets.journal}
        self._facts: list[Fact] = []
        self._journal_read = offsets.journal

    def verdict(self, ending: Ending) -> Verdict:
        """What the backend makes of the end, once everything is read."""
        return self._parser.verdict(ending)

    def read(self, sizes: Offsets | None = None) -> Batch:
        """What can be recorded now. `sizes` are the final ones, once the attempt is over: then nothing is held back."""
        limit = self._limit(sizes)
        self._read_journal(sizes)
        parts: list[Part] = []
        budget = BATCH_BYTES
        while budget > 0:
            fact = self._facts[0] if self._facts else None
            bound = limit if fact is None else _lower(limit, fact.at_out, fact.at_err)
            budget -= self._read_output(parts, bound, budget)
            if not self._is_read(bound):
                continue
            if fact is None:
                break
            self._place_fact(parts, self._facts.pop(0))
        is_all = not self._facts and self._is_read(limit)
        if sizes is not None and is_all:
            self._flush(parts, sizes)
        return Batch(self._with_states(parts), is_all)

    def _limit(self, sizes: Offsets | None) -> Offsets:
        # The sizes come before the journal: a fact that is true below them is then in the journal already.
        return sizes if sizes is not None else self._reader.sizes()

    def _read_journal(self, sizes: Offsets | None) -> None:
        end = None if sizes is None else sizes.journal
        facts, self._journal_read = read_facts(self._reader.directory, self._journal_read, end)
        self._facts.extend(facts)

    def _is_read(self, bound: Offsets) -> bool:
        return self._read["out"] >= bound.out and self._read["err"] >= bound.err

    def _read_output(self, parts: list[Part], bound: Offsets, budget: int) -> int:
        chunks = self._reader.chunks(self._read["out"], self._read["err"], bound, budget)
        if not chunks:
            self._read = {"out": max(self._read["out"], bound.out), "err": max(self._read["err"], bound.err)}
        for chunk in chunks:
            self._read[chunk.stream] = chunk.start + len(chunk.data)
            self._feed(parts, chunk)
        return max(1, sum(len(chunk.data) for chunk in chunks))

    def _feed(self, parts: list[Part], chunk: Chunk) -> None:
        framer = self._framers[chunk.stream]
        lines = [self._line(raw, chunk.ts) for raw in framer.feed(chunk.data)]
        if framer.offset > self._sent[chunk.stream]:
            self._add(parts, chunk.stream, framer.offset, self._parser.feed(chunk.stream, lines))

    def _line(self, raw: Any, ts: int) -> Line:
        return Line(data=self._redactor.redact(raw.data), offset=raw.offset, ts=ts, cut=raw.cut)

    def _flush(self, parts: list[Part], sizes: Offsets) -> None:
        """The last lines without a newline, and what a killed shim left half written."""
        now = time.time_ns() // 1_000_000
        for stream in ("out", "err"):
            framer = self._framers[stream]
            lines = [self._line(raw, now) for raw in framer.finish()]
            if (end := getattr(sizes, stream)) > self._sent[stream]:
                self._add(parts, stream, end, self._parser.feed(stream, lines))
        if sizes.journal > self._sent["journal"]:
            self._add(parts, "journal", sizes.journal, [])

    def _place_fact(self, parts: list[Part], fact: Fact) -> None:
        event = event_of(fact)
        self._add(parts, "journal", fact.end, [] if event is None else [event])

    def _add(self, parts: list[Part], stream: Any, end: int, events: list[NewEvent]) -> None:
        """A part up to `end`, joined to the one before where that is the same stream's."""
        start = self._sent[stream]
        self._sent[stream] = end
        if parts and parts[-1].stream == stream:
            before = parts.pop()
            start, events = before.start, before.events + events
        parts.append(Part(stream=stream, start=start, end=end, events=events))

    def _with_states(self, parts: list[Part]) -> list[Part]:
        last = {part.stream: index for index, part in enumerate(parts) if part.stream != "journal"}
        for stream, index in last.items():
            parts[index] = msgspec.structs.replace(parts[index], state=self._state(stream))
        return parts

    def _state(self, stream: Any) -> msgspec.Raw:
        framer, parser = self._framers[stream].state(), self._parser.state(stream)
        return msgspec.Raw(msgspec.json.encode({"framer": framer, "parser": parser}))


def _kept(raw: msgspec.Raw) -> _State:
    return _State() if raw == NULL else msgspec.json.decode(raw, type=_State)


def _plain(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


def _lower(limit: Offsets, out: int, err: int) -> Offsets:
    return Offsets(out=min(limit.out, out), err=min(limit.err, err))
