"""Lines of a log from processes that load no logging library."""

import json

from agentrunner.app.log_line import line, masked


def test_a_line_is_one_object() -> None:
    """With the fields that every line has, whatever the text is."""
    text = line("up", "The server ended\n\x1b[31m\u2028", "warning", why="no room")
    assert text.isascii()
    assert text.isprintable()
    entry = json.loads(text)
    assert entry.pop("ts").endswith("Z")
    assert entry == {"event": "The server ended\n\x1b[31m\u2028", "why": "no room", "part": "up", "level": "warning"}


def test_only_tokens_are_masked() -> None:
    """What only begins alike stays."""
    assert masked("ar_" + "x" * 43 + " ar_run bar_" + "y" * 20) == "ar_*** ar_run bar_" + "y" * 20
