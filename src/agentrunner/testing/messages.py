"""The wire forms of the Anthropic Messages API, as far as an agent needs them to hold a conversation.

Shapes after the public API reference; checked by running Claude Code 2.1.197 against them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentrunner.domain.run import Usage
from agentrunner.testing.turn import Fault, Turn, usage_of

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Middle:
    """Stands in a stream of events where half of the text is said: the place to wait or to cut."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stands in a stream of events where it waits `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn as the `number`-th answer (from 0) of a conversation with `model`."""

    turn: Turn
    number: int
    model: str

    @property
    def usage(self) -> Usage:
        """What the answer claims to have used."""
        return usage_of(self.turn, self.number)

    @property
    def stop_reason(self) -> str:
        """`tool_use` where the model waits for results, else `end_turn`."""
        return "tool_use" if self.turn.tools else "end_turn"


def answers_before(body: Mapping[str, Any]) -> int:
    """How many answers of the model a request's conversation holds already: the number of the next one."""
    return sum(1 for message in _messages(body) if message.get("role") == "assistant")


def first_prompt(body: Mapping[str, Any]) -> str:
    """The text of the first user message."""
    for message in _messages(body):
        if message.get("role") == "user":
            content = message.get("content")
            blocks = content if isinstance(content, list) else [{"text": content}]
            return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))
    return ""


def error_body(fault: Fault) -> dict[str, Any]:
    """The body of an error response."""
    kind = _ERROR_TYPES.get(fault.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": "req_scripted"}


def whole(answer: Answer) -> dict[str, Any]:
    """The response to a request that does not stream."""
    content = [{**start, **end} for start, _, end in _blocks(answer)]
    return {**_envelope(answer), "content": content, "stop_reason": answer.stop_reason, "usage": _usage(answer.usage)}


def events(answer: Answer) -> Iterator[dict[str, Any] | Middle | Pause]:
    """The events of a streamed response in order, with its middle and its pauses marked."""
    yield {
        "type": "message_start",
        "message": {**_envelope(answer), "usage": {**_usage(answer.usage), "output_tokens": 1}},
    }
    if not answer.turn.text:
        yield Middle()
    for index, (start, deltas, _) in enumerate(_blocks(answer)):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for number, delta in enumerate(deltas):
            if delta["type"] == "text_delta" and number == len(deltas) // 2:
                yield Middle()
            if answer.turn.pace_s and number:
                yield Pause(answer.turn.pace_s)
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": answer.stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.usage.output_tokens}}
    yield {"type": "message_stop"}


def frame(event: Mapping[str, Any]) -> bytes:
    """An event as server-sent bytes."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    return [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []


def _envelope(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.number:04d}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
    }


def _blocks(answer: Answer) -> Iterator[tuple[dict[str, Any], Sequence[dict[str, Any]], dict[str, Any]]]:
    """Each content block as its empty start, its deltas, and the fields that the deltas add up to."""
    turn = answer.turn
    start: dict[str, Any]
    if turn.thinking:
        signature = "c2NyaXB0ZWQ="
        deltas = [{"type": "thinking_delta", "thinking": word} for word in _words(turn.thinking)]
        deltas.append({"type": "signature_delta", "signature": signature})
        start = {"type": "thinking", "thinking": "", "signature": ""}
        yield start, deltas, {"thinking": turn.thinking, "signature": signature}
    if turn.text:
        deltas = [{"type": "text_delta", "text": word} for word in _words(turn.text)]
        yield {"type": "text", "text": ""}, deltas, {"text": turn.text}
    for index, call in enumerate(turn.tools):
        start = {"type": "tool_use", "id": f"toolu_{answer.number:04d}_{index}", "name": call.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call.input)}
        yield start, [delta], {"input": call.input}


def _words(text: str) -> list[str]:
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]
