"""Messages, and which of them are thoughts."""

import pytest

from agentrunner.local_runner.thought import is_thought, message_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"type":"assistant","message":{"content":[{"type":"text"},{"type":"thinking","thinking":"hm"}]}}', True),
        (b'{"type":"assistant","message":{"content":[{"type":"thinking"},{"type":"tool_use"}]}}', False),
        (b'{"type":"stream_event","event":{"delta":{"type":"thinking_delta"}}}', True),
        (b'{"type":"reasoning","part":{"type":"reasoning"}}', True),
        (b'{"type":"thinking"}', True),
        (b'{"type":"result"}', False),
        (b'{"message":7,"event":[],"part":null}', False),
        (b'{"type":["thinking"]}', False),
        (b'{"type":"thinking"', False),
        (b"thinking", False),
        (b"", False),
    ],
)
def test_thoughts(line: bytes, expected: bool) -> None:
    """Of Claude Code, OpenCode and a plain program; nothing else, however strange, is one or an error."""
    assert is_thought(line) is expected


def test_messages() -> None:
    """A line that is no object is kept as it is."""
    assert message_of(b'{"a":1}\n') == {"a": 1}
    assert message_of(b"[1]\n") == {"type": "raw", "text": "[1]"}
    assert message_of(b"\xff\n") == {"type": "raw", "text": "\\xff"}
