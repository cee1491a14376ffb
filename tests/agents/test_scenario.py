"""Compiling scenarios."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.agents.scenario import compile_scenario
from agentrunner.domain.errors import BadOptions

WHOLE = """
- emit: hello
- emit: {lines: [a, b], repeat: 2, every: 0.5, stream: stderr, numbered: true}
- setsid
- ignore: TERM
- ignore: [INT, SIGHUP]
- spawn: 2
- close: stdout
- crash: SEGV
- crash: 7
- read
- exit: 3
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def test_short_forms_are_written_out() -> None:
    """Signals become numbers, single values lists, bare values fields."""
    assert compile_scenario(WHOLE) == [
        ["emit", {"text": "hello"}],
        ["emit", {"lines": ["a", "b"], "repeat": 2, "every": 0.5, "stream": "stderr", "numbered": True}],
        ["setsid", {}],
        ["ignore", {"signals": [15]}],
        ["ignore", {"signals": [2, 1]}],
        ["spawn", {"count": 2}],
        ["close", {"streams": ["stdout"]}],
        ["crash", {"signal": [11]}],
        ["crash", {"exit": 7}],
        ["read", {}],
        ["exit", {"code": 3}],
    ]


def test_data_and_text_are_the_same() -> None:
    """YAML is only a way to write it."""
    assert compile_scenario([{"emit": {"text": "x"}}, "setsid"]) == compile_scenario("[{emit: {text: x}}, setsid]")


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("", "`options.scenario` must be a list of 1 to 10000 steps"),
        ([], "must be a list of 1 to 10000 steps"),
        ("- emit: [", "`options.scenario` is not valid YAML"),
        ("- emit: &a [x]\n- emit: *a", "aliases (*name) are not allowed here"),
        ("[" * 5000, "is not valid YAML"),
        ([{"emti": "x"}], "`options.scenario[0]`: there is no step 'emti'; did you mean 'emit'? Steps: emit,"),
        ([{"emit": 5}], "`options.scenario[0].emit.text` must be a text (put numbers, dates and booleans in quotes)"),
        ([{"emit": {}}], "`options.scenario[0].emit` needs `text` or `lines`."),
        ([{"emit": {"text": "a", "lines": []}}], "needs `text` or `lines`."),
        (
            [{"emit": {"text": "a", "evry": 1}}],
            "`options.scenario[0].emit.evry` is unknown to step 'emit'; did you mean",
        ),
        (["setsid", {"sleep": -1}], "`options.scenario[1].sleep.seconds` must be a number from 0 to 31536000"),
        ([{"ignore": "SIGNOPE"}], "`options.scenario[0].ignore.signals` must be a signal's name such as TERM"),
        ([{"a": 1, "b": 2}], "must be a word or an object with one key"),
        ([{"write": "x"}], "`options.scenario[0].write` must be an object; it is a text."),
        ([{"emit": {1: 2}}], "has a key that is not a text"),
        ([7], "it is a number."),
    ],
)
def test_mistakes_are_named(scenario: Any, said: str) -> None:
    """Which step, which field, what it must be."""
    with pytest.raises(BadOptions) as caught:
        compile_scenario(scenario)
    assert said in caught.value.detail


@given(JSON | st.text() | st.lists(st.dictionaries(st.sampled_from(["emit", "spawn", "crash", "ignore"]), JSON)))
def test_anything_is_compiled_or_refused(scenario: Any) -> None:
    """No input raises anything but BadOptions, and what is compiled can be sent to the program."""
    with contextlib.suppress(BadOptions):
        assert json.dumps(compile_scenario(scenario))
