"""Reading Claude Code's messages: each understood message as its events, with the little that must be remembered."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from agentrunner.agents.claude_failure import Failure, reason_of
from agentrunner.agents.claude_message import ApiRetry, Conclusion, Denial, Init, Kind, Result, Spoken, whole_characters
from agentrunner.domain.event import EventType, Level
from agentrunner.domain.run import Usage
from agentrunner.domain.state import REASONS, Reason

MAX_TEXT = 256 * 1024
"""Characters of one text in an event; what is beyond is cut and counted."""
MAX_NOTE = 500
"""Characters of a sentence that is remembered."""
MAX_DENIALS = 64
MAX_NAME = 64
"""Characters of an id or a name that is remembered; with the other bounds it keeps the state below 64 KiB."""
_EXIT_CODE = re.compile(r"Exit code (\d{1,3})\b")
_HTTP_STATUS = re.compile(r"(?:API Error: |rejected \()([45]\d\d)\b")
_QUIET = frozenset({"thinking_tokens", "task_started", "task_progress", "task_updated", "task_notification"})
"""Subtypes of `system` that repeat what other messages say: token counts while it thinks, and the life of a sub-agent,
which is in its tool call, its own messages and its tool result."""

Made = tuple[EventType, dict[str, Any], Level]


class Finished(msgspec.Struct, kw_only=True):
    """What is remembered of a result or of a failed request."""

    is_error: bool
    reason: Reason | None = None
    kind: str | None = None
    text: str = ""


class Memory(msgspec.Struct, kw_only=True):
    """What must be remembered of stdout, bounded to 64 KiB as JSON.

    `totals`, `models` and `cost_usd` are the program's running totals at the last result. It starts them at zero, on
    resuming a session too, so their growth is what this attempt used.
    """

    session: str | None = None
    turns: int = 0
    models: dict[str, Usage] = {}
    cost_usd: float = 0.0
    finished: Finished | None = None
    failure: Finished | None = None
    denied: list[str] = []
    refusals: dict[str, int] = {}
    last_line: str = ""


def understand(memory: Memory, data: bytes) -> list[Made]:
    """The events of one message; raises ValueError or RecursionError where it is not understood."""
    data = _decodable(data)
    kind = msgspec.json.decode(data, type=Kind)
    name = f"system/{kind.subtype}" if kind.type == "system" else kind.type
    if kind.type == "system" and kind.subtype in _QUIET:
        return []
    if name not in _MESSAGES:
        raise ValueError(f"unknown message {name}")
    shape, read = _MESSAGES[name]
    try:
        message = msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError:
        if kind.type == "result":
            _conclude(memory, msgspec.json.decode(data, type=Conclusion))
        raise
    return list(read(memory, message))


def _decodable(data: bytes) -> bytes:
    data.decode()
    return whole_characters(data) if b"\\ud" in data or b"\\uD" in data else data


def _begin(memory: Memory, init: Init) -> Iterator[Made]:
    if init.session_id[:MAX_NAME] != memory.session:
        memory.session = init.session_id[:MAX_NAME]
        started = {
            "native_session_id": init.session_id,
            "model": init.model,
            "cwd": init.cwd,
            "tools": len(init.tools),
            "version": init.claude_code_version,
            "permission_mode": init.permission_mode,
        }
        yield EventType.SESSION_STARTED, started, "info"
    memory.turns += 1
    memory.finished = memory.failure = None
    yield EventType.TURN_STARTED, {"turn": memory.turns}, "info"


def _retry(memory: Memory, retry: ApiRetry) -> Iterator[Made]:
    payload = {
        "attempt": retry.attempt,
        "max": retry.max_retries,
        "delay_ms": round(retry.retry_delay_ms),
        "http_status": retry.error_status,
        "kind": retry.error,
    }
    yield EventType.RETRY, payload, "warning"


def _speak(memory: Memory, spoken: Spoken) -> Iterator[Made]:
    if spoken.error is not None:
        text = _plain_text(spoken.message.content)
        found = _HTTP_STATUS.search(text)
        status = int(found.group(1)) if found else None
        return _fail(memory, Failure(text=text, status=status, kind=spoken.error[:MAX_NAME]))
    return _say("assistant", spoken)


def _hear(memory: Memory, spoken: Spoken) -> Iterator[Made]:
    return _say("user", spoken)


def _say(role: str, spoken: Spoken) -> Iterator[Made]:
    origin = {"parent_call_id": spoken.parent_tool_use_id} if spoken.parent_tool_use_id else {}
    content = spoken.message.content
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        event, payload = _block(role, block)
        yield event, {**payload, **origin}, "info"


def _deny(memory: Memory, denial: Denial) -> Iterator[Made]:
    if denial.tool_use_id[:MAX_NAME] in memory.denied:
        return
    if len(memory.denied) < MAX_DENIALS:
        memory.denied.append(denial.tool_use_id[:MAX_NAME])
    name = denial.tool_name[:MAX_NAME]
    if name in memory.refusals or len(memory.refusals) < 16:
        memory.refusals[name] = memory.refusals.get(name, 0) + 1
    payload = {"decision": "denied", "by": "program", "call_id": denial.tool_use_id, "tool": denial.tool_name}
    if denial.message:
        payload |= bounded("message", denial.message)
    yield EventType.DECISION_RESOLVED, payload, "warning"


def _finish(memory: Memory, result: Result) -> Iterator[Made]:
    for denial in result.permission_denials:
        yield from _deny(memory, denial)
    text = result.result or "\n".join(result.errors)
    failure = Failure(text, result.api_error_status, _kind(memory, text), result.subtype, result.terminal_reason)
    if result.is_error:
        yield from _fail(memory, failure)
    reason = reason_of(failure) if result.is_error else None
    memory.finished = Finished(is_error=result.is_error, reason=reason, text=text[:MAX_NOTE] if result.is_error else "")
    memory.failure = None
    yield from _account(memory, result)
    finished = {"stop": _stop(result, reason), "turns": result.num_turns, "duration_ms": round(result.duration_ms)}
    yield EventType.TURN_FINISHED, finished, "info"


def _conclude(memory: Memory, conclusion: Conclusion) -> None:
    """Remember how it ended although the message as a whole is not understood."""
    text = conclusion.result if isinstance(conclusion.result, str) else ""
    status = conclusion.api_error_status if isinstance(conclusion.api_error_status, int) else None
    reason = reason_of(Failure(text, status)) if conclusion.is_error else None
    memory.finished = Finished(is_error=conclusion.is_error, reason=reason, text=text[:MAX_NOTE] if reason else "")


def _kind(memory: Memory, text: str) -> str | None:
    """The program says the kind of an error beside the message, not in the result."""
    failure = memory.failure
    return failure.kind if failure is not None and failure.text == text[:MAX_NOTE] else None


def _fail(memory: Memory, failure: Failure) -> Iterator[Made]:
    """An error, once: the result of a failed request repeats the message before it."""
    known = memory.failure is not None and memory.failure.text == failure.text[:MAX_NOTE]
    reason = reason_of(failure)
    memory.failure = Finished(is_error=True, reason=reason, kind=failure.kind, text=failure.text[:MAX_NOTE])
    if known:
        return
    payload = {
        "kind": reason,
        "http_status": failure.status,
        "retryable": REASONS[reason].retryable,
        **bounded("message", failure.text),
    }
    yield EventType.ERROR, payload, "error"


def _account(memory: Memory, result: Result) -> Iterator[Made]:
    models = {model[:MAX_NAME]: now.usage for model, now in result.model_usage.items()}
    growth = {model: _less(now, memory.models.get(model, Usage())) for model, now in models.items()}
    used = {model: usage for model, usage in growth.items() if usage != Usage()}
    memory.models = models
    if used:
        total = Usage()
        for usage in used.values():
            total = total.plus(usage)
        yield EventType.USAGE, {**msgspec.to_builtins(total), "models": msgspec.to_builtins(used)}, "info"
    cost = result.total_cost_usd - memory.cost_usd
    memory.cost_usd = result.total_cost_usd
    if cost > 0:
        yield EventType.COST, {"usd": round(cost, 9)}, "info"


def _less(now: Usage, before: Usage) -> Usage:
    return Usage(
        input_tokens=max(now.input_tokens - before.input_tokens, 0),
        cache_read_tokens=max(now.cache_read_tokens - before.cache_read_tokens, 0),
        cache_write_tokens=max(now.cache_write_tokens - before.cache_write_tokens, 0),
        output_tokens=max(now.output_tokens - before.output_tokens, 0),
    )


def _stop(result: Result, reason: Reason | None) -> str:
    if (result.terminal_reason or "").startswith("aborted"):
        return "cancelled"
    if reason in (Reason.LIMIT_EXCEEDED, Reason.BUDGET_EXCEEDED):
        return "limit"
    return "error" if result.is_error else "end"


def _block(role: str, block: dict[str, Any]) -> tuple[EventType, dict[str, Any]]:
    match block:
        case {"type": "text", "text": str(text)}:
            return EventType.MESSAGE, {"role": role, **bounded("text", text)}
        case {"type": "thinking", "thinking": str(text)}:
            return EventType.THINKING, bounded("text", text)
        case {"type": "redacted_thinking"}:
            return EventType.THINKING, {"text": "", "redacted": True}
        case {"type": "tool_use" | "server_tool_use", "id": str(call_id), "name": str(name), "input": dict(given)}:
            return EventType.TOOL_CALLED, {"call_id": call_id, "name": name, "input": given}
        case {"type": "tool_result", "tool_use_id": str(call_id), "content": str() | list() as content}:
            return EventType.TOOL_RESULT, _tool_result(call_id, content, block.get("is_error") is True)
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            return EventType.TOOL_RESULT, _tool_result(call_id, "", block.get("is_error") is True)
    raise ValueError(f"unknown content block of {role}")


def _tool_result(call_id: str, content: str | list[Any], is_error: bool) -> dict[str, Any]:
    output = _plain_text(content)
    payload = {"call_id": call_id, "ok": not is_error, **bounded("output", output)}
    # Only a failing command says its exit code; success is not always code 0 (grep without a match).
    if is_error and (code := _EXIT_CODE.match(output)):
        payload["exit_code"] = int(code.group(1))
    return payload


def _plain_text(content: str | list[Any]) -> str:
    """The texts of some blocks; what is no text is named in brackets."""
    if isinstance(content, str):
        return content
    parts = []
    for block in content:
        if not isinstance(block, dict):
            raise ValueError("a content block is not an object")
        text = block.get("text")
        parts.append(text if isinstance(text, str) else f"[{block.get('type', 'unknown')}]")
    return "\n".join(parts)


def bounded(name: str, text: str) -> dict[str, Any]:
    """`text` under `name`, cut at 256 Ki characters with the count of what is missing under `<name>_cut`."""
    if len(text) <= MAX_TEXT:
        return {name: text}
    return {name: text[:MAX_TEXT], f"{name}_cut": len(text) - MAX_TEXT}


_MESSAGES: dict[str, tuple[Any, Callable[[Memory, Any], Iterator[Made]]]] = {
    "system/init": (Init, _begin),
    "system/api_retry": (ApiRetry, _retry),
    "system/permission_denied": (Denial, _deny),
    "assistant": (Spoken, _speak),
    "user": (Spoken, _hear),
    "result": (Result, _finish),
}
