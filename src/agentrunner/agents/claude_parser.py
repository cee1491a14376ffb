"""Claude Code's output as events, and its word weighed against its exit status."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from agentrunner.agents.base import Ending, Line, Verdict
from agentrunner.agents.claude_failure import reason_in
from agentrunner.agents.claude_reading import MAX_NOTE, Memory, understand
from agentrunner.agents.log import STREAM_NAMES, log_events, readable, truncated
from agentrunner.agents.verdict import imposed, of_status, signal_name
from agentrunner.domain.event import EventType, NewEvent, new_event
from agentrunner.domain.state import Reason, Status

T = TypeVar("T")


class Complaints(msgspec.Struct, kw_only=True):
    """What must be remembered of stderr: its last line that says anything."""

    last_line: str = ""


class ClaudeParser:
    """See `agentrunner.agents.base.Parser`."""

    def __init__(self, out_state: Any = None, err_state: Any = None) -> None:
        self._memory = _restore(out_state, Memory)
        self._complaints = _restore(err_state, Complaints)

    def feed(self, stream: Literal["out", "err"], lines: Sequence[Line]) -> list[NewEvent]:
        """Messages of stdout one by one; stderr, and what is no message on stdout, as `log` events."""
        if stream == "err":
            self._complaints.last_line = _last_line(lines) or self._complaints.last_line
            return log_events(stream, lines)
        events: list[NewEvent] = []
        plain: list[Line] = []
        for line in lines:
            if line.data.startswith(b"{"):
                events += self._plain(plain)
                events += self._message(line)
                plain = []
            else:
                plain.append(line)
        return events + self._plain(plain)

    def state(self, stream: Literal["out", "err"]) -> Any:
        """Session, totals and last result of stdout; the last line of stderr."""
        return msgspec.to_builtins(self._memory if stream == "out" else self._complaints)

    def verdict(self, ending: Ending) -> Verdict:
        """Completed only with a result that is no error and exit code 0."""
        if (decided := imposed(ending)) is not None:
            return decided
        finished = self._memory.finished
        if finished is None:
            return self._without_result(ending)
        if finished.is_error:
            return Verdict(Status.FAILED, finished.reason or Reason.EXIT_NONZERO, finished.text or None)
        by_status = of_status(ending)
        if by_status.status is Status.COMPLETED:
            return Verdict(Status.COMPLETED, None, self._refusals())
        return Verdict(by_status.status, by_status.reason, f"Its result was a success, but then: {by_status.message}")

    def _without_result(self, ending: Ending) -> Verdict:
        if ending.signal is not None:
            message = f"The program was killed by {signal_name(ending.signal)} before its result."
            return Verdict(Status.FAILED, Reason.SIGNAL, message)
        if ending.exit_code == 0:
            message = "The program exited with code 0 but gave no result."
            return Verdict(Status.FAILED, Reason.UNPARSEABLE_OUTPUT, message)
        by_status = of_status(ending)
        if (failure := self._memory.failure) is not None:
            return Verdict(Status.FAILED, failure.reason or by_status.reason, failure.text)
        last = self._complaints.last_line or self._memory.last_line
        return Verdict(Status.FAILED, reason_in(last) or by_status.reason, last or by_status.message)

    def _refusals(self) -> str | None:
        if not self._memory.refusals:
            return None
        names = ", ".join(f"{name} ({count})" for name, count in sorted(self._memory.refusals.items()))
        return f"The program refused its agent these tools: {names}. `permission_mode` bypass allows them."

    def _plain(self, lines: Sequence[Line]) -> list[NewEvent]:
        self._memory.last_line = _last_line(lines) or self._memory.last_line
        return log_events("out", lines)

    def _message(self, line: Line) -> list[NewEvent]:
        try:
            made = understand(self._memory, line.data)
            return [new_event(type, payload, level=level, ts=line.ts) for type, payload, level in made]
        # Whatever a message holds, it must not end the run's record. ValueError is any misfit, OverflowError a number
        # beyond what JSON is written with here, RecursionError nesting beyond reason.
        except (ValueError, OverflowError, RecursionError):
            return _raw(line)


def _raw(line: Line) -> list[NewEvent]:
    payload = {"stream": STREAM_NAMES["out"], "offset": line.offset, "line": readable(line.data)}
    event = new_event(EventType.RAW, payload, level="debug", ts=line.ts)
    return [event, truncated("out", line)] if line.cut else [event]


def _last_line(lines: Sequence[Line]) -> str:
    """The last of some lines that says anything, shortened."""
    for line in reversed(lines):
        if text := readable(line.data[: MAX_NOTE * 4]).strip():
            return text[:MAX_NOTE]
    return ""


def _restore(state: Any, shape: type[T]) -> T:
    """What was remembered; a state that does not fit (another version's) is forgotten rather than fatal."""
    try:
        data = msgspec.json.decode(state) if isinstance(state, msgspec.Raw | bytes) else state
        return shape() if data is None else msgspec.convert(data, shape)
    except ValueError:
        return shape()
