"""The names of the three programs and of the GenAI conventions, and how their tokens are counted."""

from typing import Any

import msgspec
import pytest

from agentrunner.domain.run import Usage
from agentrunner.domain.telemetry import LogRecord, SpanRecord
from agentrunner.domain.telemetry_names import event_name
from agentrunner.domain.telemetry_reading import (
    counted,
    is_noise,
    is_of_an_agent,
    kind_of,
    program_of,
    spans_of,
    told,
    usage_events,
    usage_of,
)

GEMINI = {
    "input_token_count": 2100,
    "output_token_count": 50,
    "cached_content_token_count": 400,
    "thoughts_token_count": 30,
    "tool_token_count": 5,
    "total_token_count": 2185,
}
DETAILS = "gen_ai.client.inference.operation.details"


def log(name: str, service: str = "", **attributes: Any) -> LogRecord:
    """A log record."""
    return LogRecord(
        resource={"service.name": service} if service else {},
        scope="",
        name=name,
        nanos=10**18,
        attributes={each.replace("__", "."): value for each, value in attributes.items()},
        trace_id="a" * 32,
        span_id=f"{1:016x}",
    )


def span(number: int, parent: int = 0, service: str = "", **attributes: Any) -> SpanRecord:
    """A span of one second."""
    return SpanRecord(
        resource={"service.name": service} if service else {},
        scope="",
        name=f"span {number}",
        nanos=10**18,
        attributes={each.replace("__", "."): value for each, value in attributes.items()},
        trace_id="a" * 32,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        start_nanos=10**18 - 10**9,
        failed=False,
    )


def gen_ai(used: Any, made: Any, **more: Any) -> dict[str, Any]:
    """GenAI attributes of a chat."""
    base = {
        "gen_ai__usage__input_tokens": used,
        "gen_ai__usage__output_tokens": made,
        "gen_ai__operation__name": "chat",
    }
    return {**base, **more}


def payloads(record: LogRecord) -> list[tuple[str, dict[str, Any]]]:
    """What a record tells."""
    return [(event.type, msgspec.json.decode(event.payload)) for event in told(record)]


CASES: list[tuple[LogRecord | SpanRecord, Usage | None]] = [
    (
        log("claude_code.api_request", input_tokens=1700, cache_read_tokens="400", output_tokens=110),
        Usage(input_tokens=1700, cache_read_tokens=400, output_tokens=110),
    ),
    (
        log("codex.sse_event", event__kind="response.completed", input_token_count="2100", cached_token_count="400",
            output_token_count="50", reasoning_token_count="10"),
        Usage(input_tokens=1700, cache_read_tokens=400, output_tokens=50),
    ),
    (log("codex.sse_event", event__kind="response.completed"), None),
    (log("codex.sse_event", event__kind="response.created", input_token_count="2100"), None),
    (
        log("gemini_cli.api_response", "gemini-cli", **GEMINI),
        Usage(input_tokens=1705, cache_read_tokens=400, output_tokens=80),
    ),
    (log(DETAILS, "gemini-cli", **gen_ai(2100, 50)), None),
    (log(DETAILS, "shop", **gen_ai(10, 5)), Usage(input_tokens=10, output_tokens=5)),
    (span(1, service="claude-code", span__type="llm_request", input_tokens=800, gen_ai__request__model="m"), None),
    (span(1, **gen_ai(10, 5)), Usage(input_tokens=10, output_tokens=5)),
    (span(1, **gen_ai(10, 5, gen_ai__operation__name="invoke_agent")), None),
    (
        span(1, **gen_ai(100, 5, gen_ai__usage__cache_read__input_tokens=30,
                         gen_ai__usage__cache_creation__input_tokens=20)),
        Usage(input_tokens=50, cache_read_tokens=30, cache_write_tokens=20, output_tokens=5),
    ),
    (
        span(1, gen_ai__request__model="m", gen_ai__usage__prompt_tokens=3, gen_ai__usage__completion_tokens=2),
        Usage(input_tokens=3, output_tokens=2),
    ),
    (span(1, **gen_ai("many", -5)), None),
    (span(1, **gen_ai(True, "nan")), None),
    (span(1, **gen_ai(5, 5, gen_ai__usage__cache_read__input_tokens=9)), Usage(cache_read_tokens=9, output_tokens=5)),
]  # fmt: skip


@pytest.mark.parametrize(("record", "usage"), CASES, ids=range(len(CASES)))
def test_tokens(record: LogRecord | SpanRecord, usage: Usage | None) -> None:
    """Cached ones are taken out of inputs that include them; what repeats others adds nothing."""
    assert usage_of(record) == usage


def test_nested_operations_count_once() -> None:
    """A framework's chat around a provider's chat tells the same tokens again."""
    records = [
        span(3, 2, **gen_ai(10, 5)),
        span(2, 1, **gen_ai(10, 5)),
        span(1, **gen_ai(10, 5)),
        span(4, **gen_ai(1, 1)),
    ]
    assert [record.span_id[-1] for record, _ in counted(records)] == ["3", "4"]
    circle = [span(1, 2, **gen_ai(1, 1)), span(2, 1, **gen_ai(1, 1))]
    assert list(counted(circle)) == [], "spans that contain each other are neither's"


def test_a_span_and_its_details_are_one() -> None:
    """The log record that describes a span's operation names the same tokens: they have one identity."""
    usage = Usage(input_tokens=1)
    (of_log,) = usage_events(log(DETAILS, **gen_ai(1, 0)), usage)
    (of_span,) = usage_events(span(1, **gen_ai(1, 0)), usage)
    assert (of_log.producer, of_log.client_seq) == (of_span.producer, of_span.client_seq)


def test_gemini_in_our_words() -> None:
    """A call of a tool is told when it is over, and began as long before as it took."""
    record = log("gemini_cli.tool_call", "gemini-cli", function_name="write_file", function_args="{}", duration_ms=250,
                 success=True)  # fmt: skip
    called, result = told(record)
    assert (called.type, result.type) == ("tool.called", "tool.result")
    assert (result.ts or 0) - (called.ts or 0) == 250
    call = msgspec.json.decode(called.payload)
    assert call["name"] == "write_file"
    assert call["call_id"] == msgspec.json.decode(result.payload)["call_id"]
    error = log("gemini_cli.api_error", "gemini-cli", error="quota", status_code=429)
    assert payloads(error) == [("error", {"message": "quota", "http_status": 429})]
    answer = log("gemini_cli.api_response", "gemini-cli", response_text="Hi.", model="m")
    assert payloads(answer) == [("message", {"role": "assistant", "text": "Hi."})]


def test_prompts_that_are_withheld_are_no_messages() -> None:
    """A turn begins all the same."""
    assert [type for type, _ in payloads(log("claude_code.user_prompt", prompt="<REDACTED>"))] == ["turn.started"]
    assert [type for type, _ in payloads(log("codex.user_prompt", prompt="Go."))] == ["turn.started", "message"]


@pytest.mark.parametrize(
    ("said", "decision"), [("accept", "allowed"), ("approved", "allowed"), ("reject", "denied"), ("denied", "denied")]
)
def test_decisions(said: str, decision: str) -> None:
    """Claude Code and Codex say it in their own words."""
    ((type, content),) = payloads(log("codex.tool_decision", decision=said, tool_name="shell", call_id="c"))
    assert (type, content["decision"], content["call_id"]) == ("decision.resolved", decision, "c")


def test_what_is_not_known_is_shown_as_it_is() -> None:
    """Other names, and known ones that say nothing."""
    assert [type for type, _ in payloads(log("claude_code.new_thing", a=1))] == ["telemetry.log"]
    assert [type for type, _ in payloads(log("codex.api_request", http__response__status_code="200"))] == [
        "telemetry.log"
    ]
    assert [type for type, _ in payloads(log("codex.api_request", http__response__status_code="500"))] == ["error"]


def test_pieces_of_a_response_are_noise() -> None:
    """Unless they carry tokens or an error."""
    piece = log("codex.sse_event", event__kind="response.output_text.delta")
    assert is_noise(piece)
    failed = log("codex.sse_event", event__kind="response.failed", error__message="no")
    assert not is_noise(failed)
    assert payloads(failed) == [("error", {"message": "no"})]
    assert not is_noise(CASES[1][0])
    assert not is_noise(log("claude_code.user_prompt"))


def test_who_sends() -> None:
    """By the names of records, by the service, by GenAI attributes; others are no agents."""
    assert program_of(log("claude_code.user_prompt")) == "claude"
    assert program_of(log("x", "codex_exec")) == "codex"
    assert program_of(log("x", "shop")) is None
    assert is_of_an_agent(span(1, gen_ai__system="openai"))
    assert is_of_an_agent(log(DETAILS))
    assert is_of_an_agent(log("x", session__id="s"))
    assert not is_of_an_agent(span(1, http__method="GET"))


def test_spans() -> None:
    """A tool's span has the id of its call, and what is within it finds it there."""
    tool = span(2, 1, gen_ai__operation__name="execute_tool", gen_ai__tool__call__id="call", gen_ai__tool__name="Read")
    found = {
        each.span_id: each for each in spans_of(7, [span(3, 2), tool, span(1, gen_ai__operation__name="invoke_agent")])
    }
    assert {key: (each.parent_id, each.kind, each.name) for key, each in found.items()} == {
        f"{3:016x}": ("call", "span", "span 3"),
        "call": (f"{1:016x}", "tool", "Read"),
        f"{1:016x}": (None, "agent", "span 1"),
    }
    assert kind_of(span(1, span__type="tool.execution", gen_ai__tool__call__id="call")) == "span"
    assert found["call"].ended_at == found["call"].started_at + 1000


@pytest.mark.parametrize(
    ("said", "attributes", "body", "name"),
    [
        ("", {"event.name": "user_prompt"}, "claude_code.user_prompt", "claude_code.user_prompt"),
        ("event otel/src/x.rs:7", {"event.name": "codex.user_prompt"}, None, "codex.user_prompt"),
        ("event otel/src/x.rs:7", {}, "flushing", "log"),
        (DETAILS, {}, {"a": 1}, DETAILS),
        ("", {"event.name": 7}, "claude_code. is a text", "log"),
    ],
)
def test_names(said: str, attributes: dict[str, Any], body: Any, name: str) -> None:
    """Each program writes them in another place."""
    assert event_name(said, attributes, body) == name
