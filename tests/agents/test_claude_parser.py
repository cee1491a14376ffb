"""Claude Code's streams as events and verdicts; the streams were recorded against a scripted model."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.agents.base import Ending, Line
from agentrunner.agents.claude_parser import ClaudeParser
from agentrunner.domain.control import MAX_STATE_BYTES
from agents.given import EXITED, FAILED, KILLED, STREAMS, fed, lines_of, payload, recorded

NAMES = sorted(path.stem for path in STREAMS.glob("*.jsonl"))
USED = {"input_tokens": 1700, "cache_read_tokens": 400, "cache_write_tokens": 0, "output_tokens": 110}


def said(*messages: Any) -> list[Line]:
    """Messages as lines."""
    return lines_of(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


def of_type(events: list[tuple[str, Any]], type: str) -> list[Any]:
    """The payloads of one type."""
    return [body for found, body in events if found == type]


def test_a_whole_stream() -> None:
    """Session, thinking, words, two tools of which one fails, usage, cost, end."""
    parser = ClaudeParser()
    session = {
        "native_session_id": "11111111-2222-4333-8444-555555555555",
        "model": "claude-opus-4-8[1m]",
        "cwd": "/project",
        "tools": 3,
        "version": "2.1.197",
        "permission_mode": "bypassPermissions",
    }
    write = {"command": "echo tea > note.txt && cat note.txt", "description": "look"}
    fail = {"command": "echo spilt >&2; exit 7", "description": "look"}
    assert fed(parser, recorded("tools")) == [
        ("session.started", session),
        ("turn.started", {"turn": 1}),
        ("thinking", {"text": "The file comes first."}),
        ("message", {"role": "assistant", "text": "Writing the note."}),
        ("tool.called", {"call_id": "toolu_0000_0", "name": "Bash", "input": write}),
        ("tool.called", {"call_id": "toolu_0000_1", "name": "Bash", "input": fail}),
        ("tool.result", {"call_id": "toolu_0000_0", "ok": True, "output": "tea"}),
        ("tool.result", {"call_id": "toolu_0000_1", "ok": False, "output": "Exit code 7\nspilt", "exit_code": 7}),
        ("message", {"role": "assistant", "text": "The note is written."}),
        ("usage", {**USED, "models": {"claude-opus-4-8[1m]": USED}}),
        ("cost", {"usd": 0.01145}),
        ("turn.finished", {"stop": "end", "turns": 3, "duration_ms": 40}),
    ]
    assert parser.verdict(EXITED).status == "COMPLETED"


def test_sub_agents_are_told_apart_and_counted() -> None:
    """Their messages name the call they work for; their tokens are in the usage, which the program's own sum misses."""
    events = fed(ClaudeParser(), recorded("subagent"))
    inner = [body for _, body in events if body.get("parent_call_id")]
    assert [body.get("text") or body.get("name") or body.get("output") for body in inner] == [
        "COUNT the cups",
        "Bash",
        "4",
    ]
    (usage,) = of_type(events, "usage")
    assert {name: usage[name] for name in USED} == {name: 2 * count for name, count in USED.items()}
    assert "There are four." in of_type(events, "tool.result")[-1]["output"]
    assert of_type(events, "raw") == []


def test_refused_tools_are_decisions() -> None:
    """The run completes, and its message says what was refused."""
    parser = ClaudeParser()
    events = fed(parser, recorded("refused"))
    assert of_type(events, "decision.resolved") == [
        {"decision": "denied", "by": "program", "call_id": "toolu_0000_0", "tool": "Bash"}
    ]
    verdict = parser.verdict(EXITED)
    assert verdict.status == "COMPLETED"
    assert "refused its agent these tools: Bash (1)" in (verdict.message or "")


def test_a_refusal_is_told_once() -> None:
    """When it happens, not again in the result."""
    denial = {"tool_name": "Edit", "tool_use_id": "t1", "message": "no"}
    parser = ClaudeParser()
    events = fed(parser, said({"type": "system", "subtype": "permission_denied", **denial}))
    result = {"type": "result", "subtype": "success", "is_error": False, "permission_denials": [denial]}
    events += fed(parser, said(result))
    assert len(of_type(events, "decision.resolved")) == 1


@pytest.mark.parametrize(
    ("stream", "reason", "status", "retries"),
    [
        ("unauthorized", "auth", 401, 2),
        ("unreachable", "network", None, 2),
        ("too_many_turns", "limit_exceeded", None, 0),
    ],
)
def test_failures_are_told_once(stream: str, reason: str, status: int | None, retries: int) -> None:
    """The program says "success" twice over; we say what happened, once."""
    parser = ClaudeParser()
    events = fed(parser, recorded(stream))
    (error,) = of_type(events, "error")
    assert (error["kind"], error["http_status"]) == (reason, status)
    assert len(of_type(events, "retry")) == retries
    verdict = parser.verdict(FAILED)
    assert (verdict.status, verdict.reason, verdict.message) == ("FAILED", reason, error["message"])
    assert of_type(events, "turn.finished")[0]["stop"] in ("error", "limit")


def test_retries() -> None:
    """Attempt, limit, delay, cause."""
    retry = of_type(fed(ClaudeParser(), recorded("unauthorized")), "retry")[0]
    assert retry == {"attempt": 1, "max": 2, "delay_ms": 512, "http_status": 401, "kind": "authentication_failed"}


def result(**fields: Any) -> dict[str, Any]:
    """A result message."""
    return {"type": "result", "subtype": "success", "is_error": False, **fields}


def test_usage_is_what_was_added_since_the_last_result() -> None:
    """The program's totals run on from turn to turn; the run must not count them twice."""
    parser = ClaudeParser()
    totals = [
        {"m": {"inputTokens": 10, "outputTokens": 1}},
        {"m": {"inputTokens": 15, "outputTokens": 3}, "n": {"outputTokens": 4}},
    ]
    events = []
    for cost, models in enumerate(totals, 1):
        events += fed(parser, said(result(modelUsage=models, total_cost_usd=float(cost))))
    assert [(used["input_tokens"], used["output_tokens"]) for used in of_type(events, "usage")] == [(10, 1), (5, 6)]
    assert of_type(events, "cost") == [{"usd": 1.0}, {"usd": 1.0}]


VERDICTS = [
    ([result()], EXITED, "COMPLETED", None, None),
    (
        [result()],
        FAILED,
        "FAILED",
        "exit_nonzero",
        "Its result was a success, but then: The program exited with code 1.",
    ),
    ([result()], KILLED, "FAILED", "signal", "Its result was a success, but then: The program was killed by SIGKILL."),
    ([result(is_error=True, result="Request timed out")], EXITED, "FAILED", "network", "Request timed out"),
    ([result(is_error=True, result="x", api_error_status=503)], FAILED, "FAILED", "provider_error", "x"),
    ([], EXITED, "FAILED", "unparseable_output", "exited with code 0 but gave no result"),
    ([], FAILED, "FAILED", "exit_nonzero", "exited with code 1"),
    ([], KILLED, "FAILED", "signal", "killed by SIGKILL before its result"),
    ([result(is_error=True)], Ending(None, 15, stopped=True), "STOPPED", "stopped_by_user", None),
    ([], Ending(None, 9, limit="idle_s"), "FAILED", "idle_timeout", "idle_s"),
    ([], Ending(None, None, spawn_error="no"), "FAILED", "spawn_error", "no"),
    (
        [result(), {"type": "system", "subtype": "init", "session_id": "s"}],
        KILLED,
        "FAILED",
        "signal",
        "before its result",
    ),
]


@pytest.mark.parametrize(("messages", "ending", "status", "reason", "message"), VERDICTS)
def test_verdicts(messages: list[Any], ending: Ending, status: str, reason: str | None, message: str | None) -> None:
    """The result, its flag, the exit status and who asked decide together."""
    parser = ClaudeParser()
    parser.feed("out", said(*messages))
    verdict = parser.verdict(ending)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert (verdict.message is None) if message is None else (message in (verdict.message or ""))


def test_without_a_result_the_last_complaint_counts() -> None:
    """Also after a new worker took over between the complaint and the end."""
    parser = ClaudeParser()
    (event,) = parser.feed("err", lines_of(b"warming up\nerror: unknown option '--x'\n\n"))
    assert (event.type, payload(event)["stream"]) == ("log", "stderr")
    verdict = ClaudeParser(parser.state("out"), parser.state("err")).verdict(FAILED)
    assert (verdict.reason, verdict.message) == ("backend_unsupported", "error: unknown option '--x'")


def test_plain_words_on_stdout_are_log() -> None:
    """Joined, in their place between the messages."""
    lines = lines_of(b"one\ntwo\n" + json.dumps(result()).encode() + b"\nthree\n")
    events = fed(ClaudeParser(), lines)
    assert [type for type, _ in events] == ["log", "turn.finished", "log"]
    assert events[0][1]["lines"] == ["one", "two"]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"type":"brand_new","x":1}',
        b'{"type":"system","subtype":"brand_new"}',
        b'{"type":"assistant","message":{"content":[{"type":"hologram"}]}}',
        b'{"type":"assistant","message":{"content":[5]}}',
        b'{"type":"result","subtype":"success","is_error":"perhaps"}',
        b'{"type":"result","subtype":"success","is_error":false,"modelUsage":{"m":{"inputTokens":-1}}}',
        b'{"type":"assistant","message":{"content":"\xff"}}',
        b'{"type":' + b"[" * 20_000,
    ],
)
def test_what_is_not_understood_is_kept_raw(line: bytes) -> None:
    """Verbatim, and the rest goes on."""
    events = fed(ClaudeParser(), [Line(line, 7, 1)])
    text = line.decode("utf-8", "backslashreplace")
    assert events == [("raw", {"stream": "stdout", "offset": 7, "line": text})]


@pytest.mark.parametrize(("is_error", "status"), [(False, "COMPLETED"), (True, "FAILED")])
def test_a_result_of_another_shape_still_decides(is_error: bool, status: str) -> None:
    """A new version's other fields must not turn success into failure, or failure into success."""
    parser = ClaudeParser()
    message = result(modelUsage=["changed"], num_turns="two", is_error=is_error, result="Request timed out")
    assert [type for type, _ in fed(parser, said(message))] == ["raw"]
    verdict = parser.verdict(EXITED)
    assert (verdict.status, verdict.reason) == (status, "network" if is_error else None)


def test_a_cut_message_is_raw_and_counted() -> None:
    """The first MiB, and how much is missing."""
    events = fed(ClaudeParser(), [Line(b'{"type":"user', 0, 1, cut=12)])
    assert [type for type, _ in events] == ["raw", "output.truncated"]


def test_half_an_emoji_is_still_a_message() -> None:
    """JavaScript cuts texts between the halves of a pair; whole pairs and backslashes stay what they are."""
    line = rb'{"type":"assistant","message":{"content":"a\ud83d b\ud83d\ude00 c\\ud83d"}}'
    assert fed(ClaudeParser(), [Line(line, 0, 1)]) == [
        ("message", {"role": "assistant", "text": "a\ufffd b\U0001f600 c\\ud83d"})
    ]


def test_a_huge_result_is_cut_and_counted() -> None:
    """256 Ki characters stay."""
    block = {"type": "tool_result", "tool_use_id": "t", "content": "x" * 300_000}
    ((_, body),) = fed(ClaudeParser(), said({"type": "user", "message": {"content": [block]}}))
    assert (len(body["output"]), body["output_cut"]) == (256 * 1024, 300_000 - 256 * 1024)


def test_results_that_are_no_text_are_named() -> None:
    """Images stay in the raw output."""
    content = [{"type": "image", "source": {"data": "…"}}, {"type": "text", "text": "a cup"}]
    block = {"type": "tool_result", "tool_use_id": "t", "content": content}
    ((_, body),) = fed(ClaudeParser(), said({"type": "user", "message": {"content": [block]}}))
    assert body == {"call_id": "t", "ok": True, "output": "[image]\na cup"}


@pytest.mark.parametrize("state", [5, "x", [], {"turns": "many"}, msgspec.Raw(b"{broken"), b"\xff"])
def test_a_state_that_does_not_fit_is_forgotten(state: Any) -> None:
    """Another version's state must not end a run."""
    assert ClaudeParser(state, state).verdict(EXITED).reason == "unparseable_output"


ANY_LINE = st.one_of(
    st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
    st.binary(max_size=60).map(lambda data: b"{" + data.replace(b"\n", b"")),
    st.sampled_from([line.data for name in NAMES for line in recorded(name)]),
)


def flat(events: list[Any]) -> list[Any]:
    """Events with `log` taken apart into lines, since how lines are joined depends on how they arrive."""
    found: list[Any] = []
    for event in events:
        body = payload(event)
        found += [("log", line) for line in body["lines"]] if event.type == "log" else [(event.type, body)]
    return found


@given(st.lists(ANY_LINE, max_size=40), st.data())
def test_events_do_not_depend_on_how_lines_arrive(raw: list[bytes], data: st.DataObject) -> None:
    """Any bytes, fed in any pieces, with a new worker taking over at any piece, give the same events and verdict."""
    lines = lines_of(b"".join(line + b"\n" for line in raw))
    whole = ClaudeParser()
    expected = flat(whole.feed("out", lines))
    parser, events = ClaudeParser(), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        events += parser.feed("out", lines[start:end])
        parser = ClaudeParser(msgspec.Raw(msgspec.json.encode(parser.state("out"))), parser.state("err"))
    assert flat(events) == expected
    assert [parser.verdict(end) for end in (EXITED, FAILED, KILLED)] == [
        whole.verdict(end) for end in (EXITED, FAILED, KILLED)
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_shape_of_a_message_raises(value: Any) -> None:
    """Every field of every message, with anything in it."""
    messages = [json.loads(line.data) for name in NAMES for line in recorded(name)]
    parser = ClaudeParser()
    for message in messages:
        for field in message:
            try:
                line = json.dumps({**message, field: value}).encode()
            except (ValueError, UnicodeError):
                continue
            parser.feed("out", [Line(line, 0, 1)])
    assert parser.verdict(FAILED).status == "FAILED"


def test_the_state_stays_below_its_bound() -> None:
    """Even where every name and text is as long and as wide as JSON allows."""
    wide = "\x01" * 3000
    parser = ClaudeParser()
    start = {"type": "system", "subtype": "init", "session_id": wide}
    models = {f"{number}{wide}": {"inputTokens": 2**53, "outputTokens": 2**53} for number in range(16)}
    denials = [{"tool_name": f"{n}{wide}", "tool_use_id": f"{n}{wide}"} for n in range(200)]
    failed = {"type": "assistant", "error": wide, "message": {"content": wide}}
    parser.feed(
        "out", said(start, result(is_error=True, result=wide, modelUsage=models, permission_denials=denials), failed)
    )
    parser.feed("out", [Line(b"x" + wide.encode(), 0, 1)])
    parser.feed("err", [Line(wide.encode(), 0, 1)])
    assert 20_000 < len(msgspec.json.encode(parser.state("out"))) < MAX_STATE_BYTES
    assert len(msgspec.json.encode(parser.state("err"))) < MAX_STATE_BYTES
