"""The words of the Runs API surface: types in capitals, payloads as text."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.api.runner_wire import is_shown, payload_of, word_of
from agentrunner.domain.event import Event, EventType

OF_WORKFLOWS = {
    "workflow.started": "WORKFLOW_STARTED",
    "step.completed": "STEP_COMPLETED",
    "llm.heartbeat": "LLM_HEARTBEAT",
    "artifact.created": "ARTIFACT_CREATED",
    "project.not_found": "PROJECT_NOT_FOUND",
}


@pytest.mark.parametrize(
    ("type", "word"),
    [
        ("run.created", "RUN_CREATED"),
        ("run.started", "RUN_STARTED"),
        ("run.paused", "RUN_PAUSE"),
        ("run.resumed", "RUN_RESUME"),
        ("run.stopped", "RUN_STOP"),
        ("run.completed", "RUN_COMPLETED"),
        ("run.failed", "RUN_FAILED"),
        ("input.received", "DIRECTIVE"),
        ("thinking", "AGENT_THINKING"),
        ("agent.thinking", "AGENT_THINKING"),
        ("plan.generated", "PLAN_GENERATED"),
        ("executing", "EXECUTING"),
        ("tool.called", "TOOL_CALLED"),
        ("a.b.c", "A_B_C"),
    ],
)
def test_words(type: str, word: str) -> None:
    """By the table of the contract, others by rule."""
    assert word_of(type) == word


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'{"message":"m","text":"t"}', "m"),
        (b'{"text":"t","id":5}', "t"),
        (b'{"message":""}', ""),
        (b'{"stream":"stdout","offset":0,"lines":["a","b"]}', "a\nb"),
        (b'"bare"', "bare"),
        (b"{}", ""),
        (b'{"usd":0.5}', '{"usd":0.5}'),
        (b'{"message":5}', '{"message":5}'),
        (b"[1,2]", "[1,2]"),
        (b"null", "null"),
        (b"1e999", "1e999"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, '{"a":' * 900 + "1" + "}" * 900),
    ],
)
def test_payloads_are_text(payload: bytes, text: str) -> None:
    """What a person reads, where there is that, else the JSON."""
    assert payload_of("LOG", payload) == text


@pytest.mark.parametrize(("type", "word"), OF_WORKFLOWS.items())
def test_words_of_workflows(type: str, word: str) -> None:
    """What a program that reports its steps writes with dots are the words that these clients know."""
    assert word_of(type) == word


def test_every_type_of_ours_has_a_word_of_its_own() -> None:
    """Two types never become one, and a word has no blank that would break a frame."""
    words = [word_of(type.value) for type in EventType]
    assert len(set(words)) == len(words)
    assert all(word.replace("_", "").isalnum() and word == word.upper() for word in words)


def test_what_is_not_shown() -> None:
    """Only the claim, of which RUN_STARTED tells."""

    def event(type: str) -> Event:
        return Event(id=1, run_id=1, seq=1, attempt=1, ts=0, type=type, level="info", payload=msgspec.Raw(b"{}"))

    assert [type.value for type in EventType if not is_shown(event(type.value))] == ["run.claimed"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "text", "lines", "other"]), inner),
    )
)
def test_any_payload_is_a_text(value: object) -> None:
    """Whatever a reporter sends: what is shown is a string, and nothing is lost where it is not a text already."""
    encoded = msgspec.json.encode(value)
    shown = payload_of("ANY", encoded)
    assert isinstance(shown, str)
    if not isinstance(value, str | dict):
        assert msgspec.json.decode(shown) == value
