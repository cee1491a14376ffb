"""What was received of a run: every event once, in order, and the run itself at the end; pure."""

import msgspec

from agentrunner.client.sse import Frame
from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView

_END = "end"
_PRUNED = "pruned"
_event = msgspec.json.Decoder(EventView)
_run = msgspec.json.Decoder(RunView)


class _Pruned(msgspec.Struct, frozen=True):
    """Where a timeline goes on whose events before that are gone; an event of this type has no such field."""

    pruned_before: int | None = None


_pruned = msgspec.json.Decoder(_Pruned)


class Broken(Exception):
    """The stream went on where it must not, or cannot be read; connecting again behind `last` mends it."""


class Timeline:
    """Takes the frames of one run's stream, over as many connections as it needs; `last` is the last event's `seq`."""

    def __init__(self, after: int = 0) -> None:
        self.last = after

    def take(self, frame: Frame) -> EventView | RunView | None:
        """The event, the run where it is the end, None for what was received before. Raises Broken."""
        try:
            if frame.event == _END:
                return self._end(_run.decode(frame.data))
            if frame.event == _PRUNED and (first := _pruned.decode(frame.data).pruned_before) is not None:
                self.last = max(self.last, first - 1)
                return None
            event = _event.decode(frame.data)
        except msgspec.DecodeError as error:
            raise Broken(f"a frame cannot be read: {error}") from error
        if event.seq <= self.last:
            return None
        if event.seq != self.last + 1:
            raise Broken(f"event {event.seq} came after {self.last}")
        self.last = event.seq
        return event

    def _end(self, run: RunView) -> RunView:
        if run.last_seq > self.last:
            raise Broken(f"the end came after event {self.last} of {run.last_seq}")
        return run
