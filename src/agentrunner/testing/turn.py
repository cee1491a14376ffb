"""What a scripted model says: turns, the tool calls in them, and the faults that keep it from saying them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agentrunner.domain.run import Usage


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that the model asks for: its name as the agent offers it (Claude Code: `Bash`, `Write`, …), its input."""

    name: str
    input: dict[str, Any] = {}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to fail, `times` times and never again; None: for ever.

    `status` answers that HTTP status with the vendor's error body and, where given, a `retry-after` in seconds. `hang`
    takes the request and never answers. `cut` streams half of the answer and drops the connection.
    """

    kind: Literal["status", "hang", "cut"] = "status"
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    message: str = "scripted failure"
    times: Annotated[int, Meta(ge=1)] | None = None
    retry_after_s: Annotated[float, Meta(ge=0)] | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of the model: thinking, then text, then tool calls.

    A turn without tools ends the agent's turn. `usage` is what the answer claims to have used; None counts
    800 + 100 n input, 200 cached and 50 + 10 n output tokens in the n-th answer (from 0) of a conversation.
    `gate` holds the stream in the middle of the text until `ScriptedModel.open` lets it go on; `pace_s` waits that
    long between words.
    """

    text: str = ""
    thinking: str = ""
    tools: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    fault: Fault | None = None
    gate: str | None = None
    pace_s: Annotated[float, Meta(ge=0, le=60)] = 0.0


def turn_of(data: "Turn | dict[str, Any]") -> Turn:
    """A turn from plain data, such as a YAML file's; raises msgspec.ValidationError saying what is wrong."""
    return data if isinstance(data, Turn) else msgspec.convert(data, Turn)


def usage_of(turn: Turn, number: int) -> Usage:
    """What the answer with this turn claims to have used as the `number`-th of its conversation."""
    default = Usage(input_tokens=800 + 100 * number, cache_read_tokens=200, output_tokens=50 + 10 * number)
    return turn.usage or default
