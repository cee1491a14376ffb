"""What telemetry says: the native names of Claude Code, Codex and Gemini, and OpenTelemetry's GenAI conventions.

Names and fields as Claude Code 2.1.197 and Codex 0.169.0 send them and as the source of Gemini CLI 0.61.0 writes them;
GenAI attributes as semantic conventions 1.37 name them. Codex writes numbers as texts, Claude Code some of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agentrunner.domain.event import EventType, Level, NewEvent
from agentrunner.domain.run import Usage
from agentrunner.domain.span import Span
from agentrunner.domain.telemetry import LogRecord, Record, SpanRecord, payload

PRODUCER = "otlp"
LOG = "telemetry.log"
SPAN = "telemetry.span"
_NATIVE = {"claude_code.": "claude", "codex.": "codex", "gemini_cli.": "gemini"}
_SERVICES = {"claude-code": "claude", "codex": "codex", "gemini": "gemini"}
_SESSION = ("session.id", "gen_ai.conversation.id", "conversation.id")
_HIDDEN = frozenset({*_SESSION, "run.id", "event.timestamp", "event.name", "terminal.type"})
_INFERENCE = frozenset({"chat", "text_completion", "generate_content", "embeddings", "response"})
_DETAILS = "gen_ai.client.inference.operation.details"
_PIECES = frozenset({"codex.sse_event", "codex.websocket_event"})
_ERROR, _WARNING = 17, 13
"""The least severity numbers of OpenTelemetry that are an error and a warning."""
_KINDS = {
    **dict.fromkeys(("execute_tool", "tool_call", "tool"), "tool"),
    **dict.fromkeys((*_INFERENCE, "llm_request", "llm_call"), "llm"),
    **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "interaction", "agent_call"), "agent"),
}


def session_of(record: Record) -> str:
    """The conversation that a record belongs to; empty where it names none."""
    return record.text(*_SESSION)


def program_of(record: Record) -> str | None:
    """`claude`, `codex` or `gemini` where one of them sends this."""
    service = str(record.resource.get("service.name", ""))
    for text, known in ((record.name, _NATIVE), (service, _SERVICES)):
        for prefix, program in known.items():
            if text.startswith(prefix):
                return program
    return None


def is_of_an_agent(record: Record) -> bool:
    """True for what an agent sends: known by its names, by GenAI attributes or by the conversation that it names."""
    if program_of(record) is not None or session_of(record):
        return True
    return record.name.startswith("gen_ai.") or any(name.startswith("gen_ai.") for name in record.attributes)


def usage_of(record: Record) -> Usage | None:
    """The tokens that a record adds; None where it adds none, or tells again what another record tells.

    The programs tell their tokens in logs and spans and metrics: of theirs only one log record each counts. Of GenAI
    spans only those of a model's operation count, as an agent's span may repeat the sum of what is in it.
    """
    reader = _USAGE.get(record.name) if isinstance(record, LogRecord) else None
    if reader is not None:
        found = reader(record.attributes)
    elif program_of(record) is None and _is_inference(record):
        found = _gen_ai_usage(record.attributes)
    else:
        return None
    return found if found != Usage() else None


def _is_inference(record: Record) -> bool:
    operation = record.attributes.get("gen_ai.operation.name")
    if isinstance(record, LogRecord):
        return record.name == _DETAILS
    return operation in _INFERENCE or (operation is None and "gen_ai.request.model" in record.attributes)


def _claude_usage(given: Mapping[str, Any]) -> Usage:
    return Usage(
        input_tokens=_whole(given, "input_tokens"),
        cache_read_tokens=_whole(given, "cache_read_tokens"),
        cache_write_tokens=_whole(given, "cache_creation_tokens"),
        output_tokens=_whole(given, "output_tokens"),
    )


def _codex_usage(given: Mapping[str, Any]) -> Usage:
    """Each response is told twice, once without tokens; its input includes what was cached, its output the thinking."""
    if given.get("event.kind") != "response.completed":
        return Usage()
    read, written = _whole(given, "cached_token_count"), _whole(given, "cache_write_token_count")
    return _included(_whole(given, "input_token_count"), read, written, _whole(given, "output_token_count"))


def _gemini_usage(given: Mapping[str, Any]) -> Usage:
    """Its input includes what was cached and not what tools put into the prompt, its output not the thinking."""
    used = _whole(given, "input_token_count") + _whole(given, "tool_token_count")
    made = _whole(given, "output_token_count") + _whole(given, "thoughts_token_count")
    return _included(used, _whole(given, "cached_content_token_count"), 0, made)


def _gen_ai_usage(given: Mapping[str, Any]) -> Usage:
    used = _whole(given, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
    made = _whole(given, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
    read = _whole(given, "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
    written = _whole(given, "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens")
    return _included(used, read, written, made)


def _included(used: int, read: int, written: int, made: int) -> Usage:
    """Tokens of a program whose input includes what was cached."""
    plain = max(used - read - written, 0)
    return Usage(input_tokens=plain, cache_read_tokens=read, cache_write_tokens=written, output_tokens=made)


_USAGE: dict[str, Callable[[Mapping[str, Any]], Usage]] = {
    "claude_code.api_request": _claude_usage,
    "codex.sse_event": _codex_usage,
    "gemini_cli.api_response": _gemini_usage,
}


def counted(records: Sequence[LogRecord | SpanRecord]) -> Iterator[tuple[LogRecord | SpanRecord, Usage]]:
    """The records of one batch that add tokens. Of model operations within each other only the inner ones count."""
    spans = {record.span_id: record for record in records if isinstance(record, SpanRecord)}
    found = [(record, usage) for record in records if (usage := usage_of(record)) is not None]
    outer: set[str] = set()
    for record, _ in found:
        parent = record.parent_id if isinstance(record, SpanRecord) else ""
        while parent in spans and parent not in outer:
            outer.add(parent)
            parent = spans[parent].parent_id
    return (
        (record, usage) for record, usage in found if not isinstance(record, SpanRecord) or record.span_id not in outer
    )


def usage_events(record: LogRecord | SpanRecord, usage: Usage) -> list[NewEvent]:
    """The tokens and the cost of a record. A span and the log record of its details have the same identity."""
    more = {"model": _model(record), "source": record.name}
    identity = record.identity
    if record.name == _DETAILS and record.span_id:
        identity = _as_span(record).identity
    events = [_event(record, EventType.USAGE, {**msgspec.structs.asdict(usage), **more}, identity)]
    if (usd := _number(record.attributes, "cost_usd", "gen_ai.usage.cost")) > 0:
        events.append(_event(record, EventType.COST, {"usd": usd, **more}, identity))
    return events


def _as_span(record: Record) -> SpanRecord:
    return SpanRecord(
        resource={},
        scope="",
        name="",
        nanos=0,
        attributes={},
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_id="",
        start_nanos=0,
        failed=False,
    )


def is_noise(record: LogRecord | SpanRecord) -> bool:
    """True for what is accepted and not kept: Codex logs every piece of a response that arrives."""
    if record.name not in _PIECES:
        return False
    has_failed = "error.message" in record.attributes
    return not has_failed and usage_of(record) is None


def shown(record: LogRecord | SpanRecord) -> NewEvent:
    """A record as it is, for a timeline that has the same from elsewhere or does not know its name."""
    if isinstance(record, SpanRecord):
        return _event(record, SPAN, _span_payload(record), record.identity)
    content: dict[str, Any] = {"name": record.name, "attributes": _visible(record.attributes)}
    if record.body is not None and record.body != record.name:
        content["body"] = record.body
    return _event(record, LOG, content, record.identity, _level(record.severity))


def told(record: LogRecord | SpanRecord) -> list[NewEvent]:
    """A record in the words of a timeline, for a run of which nothing else tells."""
    if isinstance(record, SpanRecord):
        return [shown(record)]
    teller = _TELLERS.get(record.name)
    made = [] if teller is None else list(teller(record))
    return made or [shown(record)]


def _begin(record: LogRecord) -> Iterator[NewEvent]:
    given = {"native_session_id": session_of(record), "model": _model(record)}
    version = record.text("app.version", "service.version")
    yield _event(record, EventType.SESSION_STARTED, {**given, "version": version or None}, record.identity)


def _prompt(record: LogRecord) -> Iterator[NewEvent]:
    yield _event(record, EventType.TURN_STARTED, {"source": record.name}, record.identity)
    if (text := record.attributes.get("prompt")) and text != "<REDACTED>":
        yield _event(record, EventType.MESSAGE, {"role": "user", "text": text}, record.identity)


def _answer(record: LogRecord) -> Iterator[NewEvent]:
    text = record.attributes.get("response", record.attributes.get("response_text"))
    if text and text != "<REDACTED>":
        yield _event(record, EventType.MESSAGE, {"role": "assistant", "text": text}, record.identity)


def _tool(record: LogRecord) -> Iterator[NewEvent]:
    """The programs tell of a call when it is over; it began as long before as it took."""
    given = record.attributes
    call = {
        "call_id": call_id_of(record) or f"{record.identity:016x}",
        "name": record.text("tool_name", "function_name"),
    }
    asked = {**call, "input": given.get("tool_input", given.get("arguments", given.get("function_args")))}
    took = round(_number(given, "duration_ms") * 1_000_000)
    began = msgspec.structs.replace(record, nanos=max(record.nanos - took, 0))
    yield _event(began, EventType.TOOL_CALLED, asked, record.identity)
    ok = str(given.get("success", "true")).lower() == "true"
    result = {**call, "ok": ok, "output": given.get("output"), "error": given.get("error")}
    yield _event(record, EventType.TOOL_RESULT, result, record.identity, "info" if ok else "warning")


def call_id_of(record: Record) -> str:
    """The id of the tool's call that a record is about; empty without one."""
    return record.text("tool_use_id", "call_id", "gen_ai.tool.call.id")


def _decision(record: LogRecord) -> Iterator[NewEvent]:
    said = record.text("decision")
    decision = "denied" if said.startswith(("reject", "den", "abort")) else "allowed"
    content = {"decision": decision, "by": record.text("source") or None, "said": said}
    content |= {"call_id": call_id_of(record) or None, "tool": record.text("tool_name")}
    yield _event(record, EventType.DECISION_RESOLVED, content, record.identity)


def _failure(record: LogRecord) -> Iterator[NewEvent]:
    status = _whole(record.attributes, "status_code", "http.response.status_code")
    text = record.attributes.get("error", record.attributes.get("error.message"))
    if text or status >= 400:
        content = {"message": text or f"HTTP {status}", "http_status": status or None, "model": _model(record)}
        yield _event(record, EventType.ERROR, content, record.identity, "error")


_TELLERS: dict[str, Callable[[LogRecord], Iterable[NewEvent]]] = {
    "codex.conversation_starts": _begin,
    "gemini_cli.config": _begin,
    "claude_code.user_prompt": _prompt,
    "codex.user_prompt": _prompt,
    "gemini_cli.user_prompt": _prompt,
    "claude_code.assistant_response": _answer,
    "codex.agent_response": _answer,
    "gemini_cli.api_response": _answer,
    "claude_code.tool_result": _tool,
    "codex.tool_result": _tool,
    "gemini_cli.tool_call": _tool,
    "claude_code.tool_decision": _decision,
    "codex.tool_decision": _decision,
    "claude_code.api_error": _failure,
    "codex.api_request": _failure,
    "codex.sse_event": _failure,
    "gemini_cli.api_error": _failure,
}


def spans_of(run_id: int, records: Sequence[Record]) -> list[Span]:
    """The spans of one batch. The call of a tool has the call's own id, by which the timeline knows it too."""
    found = [record for record in records if isinstance(record, SpanRecord)]
    known_as = {record.span_id: _span_id(record) for record in found}
    return [_span(run_id, record, known_as.get(record.parent_id, record.parent_id)) for record in found]


def _span(run_id: int, record: SpanRecord, parent_id: str) -> Span:
    return Span(
        run_id=run_id,
        span_id=_span_id(record),
        parent_id=parent_id or None,
        name=record.text("gen_ai.tool.name", "tool_name") or record.name if kind_of(record) == "tool" else record.name,
        kind=kind_of(record),
        started_at=record.started,
        ended_at=record.ts,
        status="error" if record.failed else "ok",
        attrs=_visible(record.attributes),
    )


def _span_id(record: SpanRecord) -> str:
    call_id = call_id_of(record)
    return call_id if call_id and kind_of(record) == "tool" else record.span_id


def kind_of(record: SpanRecord) -> str:
    """`agent`, `llm`, `tool`, else `span`."""
    given = record.attributes
    said = given.get("gen_ai.operation.name") or given.get("span.type") or ""
    return _KINDS.get(str(said), "span")


def _span_payload(record: SpanRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "kind": kind_of(record),
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_id": record.parent_id or None,
        "duration_ms": record.ts - record.started,
        "status": "error" if record.failed else "ok",
        "message": record.message or None,
        "attributes": _visible(record.attributes),
    }


def _event(record: Record, type: str, content: Mapping[str, Any], identity: int, level: Level = "info") -> NewEvent:
    known = {name: value for name, value in content.items() if value is not None}
    return NewEvent(
        type=str(type),
        payload=payload(known),
        level=level,
        ts=record.ts,
        producer=f"{PRODUCER}/{type}",
        client_seq=identity,
    )


def _visible(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in _HIDDEN}


def _level(severity: int) -> Level:
    if severity >= _ERROR:
        return "error"
    return "warning" if severity >= _WARNING else "info"


def _model(record: Record) -> str | None:
    return record.text("gen_ai.response.model", "gen_ai.request.model", "model") or None


def _whole(given: Mapping[str, Any], *names: str) -> int:
    return min(int(_number(given, *names)), 2**53)


def _number(given: Mapping[str, Any], *names: str) -> float:
    """The first of these attributes that is a number, also one written as text; 0 without one."""
    for name in names:
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        if 0 <= number < float("inf"):
            return number
    return 0.0
