"""Checking options."""

from typing import Any

import pytest

from agentrunner.agents.options import check_options, text, whole, words
from agentrunner.domain.errors import BadOptions

RULES = {"max_turns": whole(1, 10), "tools": words("a list of tools"), "prompt": text("a text")}


def test_what_fits_passes() -> None:
    """Common options and a backend's own."""
    options = {
        "env": {"A": ""},
        "cwd": "src",
        "model": "m",
        "permission_mode": "bypass",
        "max_turns": 3,
        "tools": ["x"],
    }
    check_options("b", options, RULES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"modle": "x"}, "`options.modle` is unknown to backend 'b'; did you mean 'model'?"),
        ({"zzz": 1}, "It takes: cwd, env, max_turns, model, permission_mode, prompt, tools."),
        ({"permission_mode": "yolo"}, "`options.permission_mode` must be 'ask' or 'bypass'; it is a text."),
        ({"env": ["A=1"]}, "`options.env` must be an object of variable names and texts"),
        ({"env": {"A": 1}}, "`options.env` must be an object"),
        ({"env": {"A-B": "1"}}, "`options.env` must be an object"),
        ({"env": {"A": "x\0y"}}, "`options.env` must be an object"),
        ({"env": {"A": "x" * 200_000}}, "`options.env` must be an object"),
        ({"cwd": ""}, "`options.cwd` must be a directory, absolute or relative to the project's; it is empty."),
        ({"cwd": None}, "it is null."),
        ({"max_turns": True}, "`options.max_turns` must be a whole number from 1 to 10; it is a boolean."),
        ({"max_turns": 11}, "it is a number."),
        ({"tools": ["a", ""]}, "`options.tools` must be a list of tools; it is a list."),
        ({"prompt": "\ud800"}, "`options.prompt` must be a text; it is a text."),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], said: str) -> None:
    """Which option, what it must be, what it is."""
    with pytest.raises(BadOptions) as caught:
        check_options("b", options, RULES)
    assert said in caught.value.detail


def test_a_refused_value_is_not_shown() -> None:
    """It may be a secret in the wrong place."""
    with pytest.raises(BadOptions) as caught:
        check_options("b", {"env": "TOKEN=hunter2"}, RULES)
    assert "hunter2" not in caught.value.detail
