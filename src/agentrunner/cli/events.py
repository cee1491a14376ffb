"""Events as lines for a person: when, what, and the agent's own words made safe."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from agentrunner.cli import amounts
from agentrunner.cli.output import Output
from agentrunner.cli.terminal import cropped, one_line
from agentrunner.domain.event import EventType, EventView
from agentrunner.domain.instant import parse_rfc3339
from agentrunner.domain.run import Usage

MOST_CHARACTERS = 200
MOST_LINES = 5
"""Lines shown of what a tool answered and of thoughts; `--json` has them all."""
_LEVELS = {"warning": "yellow", "error": "red"}
_MARGIN = " " * 10
_NOT_TOLD = frozenset({"attempt", "revision", "start_time", "waited_ms", "what_to_do", "worker"})
_HIDDEN = frozenset({EventType.MESSAGE_DELTA, EventType.TURN_STARTED, EventType.INPUT_DELIVERED})

Payload = dict[str, Any]


class Timeline:
    """Turns the events of one run into lines; times are seconds since the run was created."""

    def __init__(self, out: Output, created_at: str) -> None:
        self._out = out
        self._zero = parse_rfc3339(created_at)

    def text(self, event: EventView) -> str:
        """The lines of an event, each with its line end; empty for what only programs read."""
        if event.type in _HIDDEN:
            return ""
        payload = payload_of(event)
        show = _SHOWN.get(event.type, _of_run if event.type.startswith("run.") else _other)
        lines = list(show(self._out, event, payload))
        if not lines:
            return ""
        when = f"{(parse_rfc3339(event.ts) - self._zero) / 1000:8.2f}s "
        margin = [self._out.paint(when, dim=True), *([_MARGIN] * (len(lines) - 1))]
        return "".join(f"{left}{line}\n" for left, line in zip(margin, lines, strict=True))


def payload_of(event: EventView) -> Payload:
    """The payload; what is no object, as a reporter may send, is under `value`."""
    value = msgspec.json.decode(event.payload)
    return value if isinstance(value, dict) else {"value": value}


def raw_lines(event: EventView) -> tuple[str, list[str]] | None:
    """The stream and the lines of a `log` event, None for any other."""
    if event.type != EventType.LOG:
        return None
    payload = payload_of(event)
    lines = payload.get("lines")
    return str(payload.get("stream", "stdout")), [str(line) for line in lines] if isinstance(lines, list) else []


def _log(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    found = raw_lines(event)
    assert found is not None
    stream, lines = found
    bar = out.paint("│", "red") if stream == "stderr" else out.paint("│", dim=True)
    for line in lines:
        yield f"{bar} {out.safe(line)}"


def _message(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    mark = out.paint("»" if payload.get("role") == "user" else "●", "cyan")
    yield from _block(out, mark, str(payload.get("text", "")), None)


def _thinking(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    text = str(payload.get("text", ""))
    if text.strip():
        yield from _block(out, out.paint("…", dim=True), text, MOST_LINES, is_dim=True)


def _called(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    given = payload.get("input")
    words = _fields(given) if isinstance(given, dict) else ""
    # The second is how clients of the Agent Ops surface call it.
    name = out.paint(one_line(str(payload.get("name") or payload.get("toolName") or "tool")), bold=True)
    yield f"{out.paint('▸', 'blue')} {name} {words}".rstrip()


def _result(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    mark = out.paint("✗", "red") if payload.get("ok") is False else out.paint("✓", "green")
    yield from _block(out, mark, str(payload.get("output", "")), MOST_LINES)


def _tool_output(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    yield from _block(out, out.paint("│", dim=True), str(payload.get("text", payload.get("output", ""))), None)


def _usage(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    known = {name: payload[name] for name in Usage.__struct_fields__ if type(payload.get(name)) is int}
    yield out.paint(f"∑ {amounts.tokens(Usage(**known)) or 'no tokens'}", dim=True)


def _cost(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    usd = payload.get("usd")
    yield out.paint(f"∑ {amounts.money(usd) if isinstance(usd, int | float) else one_line(str(usd))}", dim=True)


def _error(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    yield from _block(out, out.paint("✗", "red"), str(payload.get("message") or _fields(payload)), MOST_LINES)


def _input(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    yield from _block(out, out.paint("»", "cyan"), str(payload.get("text", "")), MOST_LINES)


def _raw(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    yield out.paint(f"? {_fields(payload)}", dim=True)


def _of_run(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    """A change of the run: what only programs need is left to `--json`."""
    told = {name: value for name, value in payload.items() if name not in _NOT_TOLD}
    yield from _other(out, event, told)


def _other(out: Output, event: EventView, payload: Payload) -> Iterator[str]:
    name = out.paint(one_line(event.type), _LEVELS.get(event.level), bold=event.type.startswith("run."))
    late = " (late)" if event.late else ""
    yield f"{name}{late} {out.paint(_fields(payload), dim=True)}".rstrip()


_Show = Callable[[Output, EventView, Payload], Iterator[str]]
_SHOWN: dict[str, _Show] = {
    EventType.LOG: _log,
    EventType.MESSAGE: _message,
    EventType.THINKING: _thinking,
    EventType.TOOL_CALLED: _called,
    EventType.TOOL_OUTPUT: _tool_output,
    EventType.TOOL_RESULT: _result,
    EventType.USAGE: _usage,
    EventType.COST: _cost,
    EventType.ERROR: _error,
    EventType.INPUT_RECEIVED: _input,
    EventType.RAW: _raw,
}


def _block(out: Output, mark: str, text: str, most: int | None, *, is_dim: bool = False) -> Iterator[str]:
    """A text of several lines behind a mark, at most so many of them."""
    lines = text.rstrip("\n").split("\n")
    shown = lines if most is None else lines[:most]
    for index, line in enumerate(shown):
        safe = out.safe(line)
        yield f"{mark if index == 0 else ' '} {out.paint(safe, dim=True) if is_dim else safe}".rstrip()
    if len(shown) < len(lines):
        yield out.paint(f"  … {len(lines) - len(shown)} more lines", dim=True)


def _fields(payload: Payload) -> str:
    """`name=value` pairs on one line, cut where it gets long."""
    pairs = (f"{name}={_value(value)}" for name, value in payload.items() if value is not None)
    return cropped(one_line(" ".join(pairs)), MOST_CHARACTERS)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value and " " not in value[:MOST_CHARACTERS] else f'"{value[:MOST_CHARACTERS]}"'
    return msgspec.json.encode(value).decode()
