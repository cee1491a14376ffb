"""What is kept of telemetry is clean and bounded, whatever was sent."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.telemetry import (
    MASK,
    MAX_ATTRIBUTES,
    MAX_TEXT,
    LogRecord,
    SpanRecord,
    attributes,
    bounded,
    payload,
    printable,
    resource_attributes,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=40,
)


@given(VALUES)
def test_every_value_can_be_written(value: object) -> None:
    """No number is too large or not a number, and what was bounded stays as it is."""
    once = bounded(value)
    assert msgspec.json.decode(msgspec.json.encode(once)) == once
    assert bounded(once) == once


def test_what_is_cut() -> None:
    """Long texts, long lists, deep values, many attributes, and payloads as a whole."""
    assert bounded("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT + "…"
    assert len(bounded(list(range(1000)))) == 64
    assert bounded([[[[["deep"]]]]]) == [[[["…"]]]]
    assert len(attributes((f"a{n}", n) for n in range(1000))) == MAX_ATTRIBUTES
    large = payload({"list": [{"text": "x" * MAX_TEXT} for _ in range(10)], "n": 1})
    assert len(bytes(large)) < 65_536
    assert msgspec.json.decode(large)["truncated"] is True
    assert printable(" a\x00b\nc " + "d" * 300) == "ab c " + "d" * 195


@pytest.mark.parametrize(
    ("name", "is_masked"),
    [
        *(
            (name, True)
            for name in ("authorization", "http.request.header.cookie", "api_key", "db.password", "x.secret")
        ),
        *((name, False) for name in ("input_tokens", "token_type", "max_tokens", "tool_name", "keyboard")),
    ],
)
def test_what_is_named_like_a_secret(name: str, is_masked: bool) -> None:
    """Its text is masked; counts of tokens are none."""
    assert attributes([(name, "value"), ("n", 1)]) == {name: MASK if is_masked else "value", "n": 1}


def test_a_resource_keeps_what_is_on_the_list() -> None:
    """Gemini writes its command line there, prompt and all; nobody's name is kept."""
    sent = {"service.name": "gemini-cli", "process.command_args": ["-p", "my secret"], "host.name": "h", "run.id": "7"}
    assert resource_attributes(sent.items()) == {"service.name": "gemini-cli", "run.id": "7"}
    assert attributes([("user.email", "a@b.c"), ("a", 1)]) == {"a": 1}


def test_instants_and_identities() -> None:
    """Nanoseconds become milliseconds; a span is its ids, a log record its content."""
    common = {"resource": {}, "scope": "", "name": "n", "attributes": {}, "trace_id": "a" * 32, "span_id": "b" * 16}
    span = SpanRecord(**common, nanos=2_000_000, parent_id="", start_nanos=9_000_000, failed=False)
    assert (span.ts, span.started) == (2, 2), "never begun after its end"
    assert msgspec.structs.replace(span, name="other", nanos=5).identity == span.identity
    assert msgspec.structs.replace(span, span_id="c" * 16).identity != span.identity
    log = LogRecord(**common, nanos=1)
    assert msgspec.structs.replace(log, nanos=2).identity != log.identity
    assert 0 <= log.identity < 2**63
    assert msgspec.structs.replace(log, nanos=2**64 - 1).ts > 0
