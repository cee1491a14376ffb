"""Lines of JSON that agents write: as messages, and whether one is a thought."""

from typing import Any

import msgspec

_THOUGHTS = ("thinking", "reasoning", "thinking_delta")


def message_of(line: bytes) -> dict[str, Any]:
    """A line as a JSON object; `{"type": "raw", "text": …}` where it is none."""
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError):
        return {"type": "raw", "text": line.removesuffix(b"\n").decode("utf-8", "backslashreplace")}


def is_thought(line: bytes) -> bool:
    """True for a message that only says what the agent thinks: Claude Code's, OpenCode's, or a plain one."""
    if not line.startswith(b"{"):
        return False
    message = message_of(line)
    content = _inside(message, "message").get("content")
    if isinstance(content, list) and content and isinstance(content[-1], dict):
        return content[-1].get("type") in _THOUGHTS
    event = _inside(message, "event")
    kinds = (message.get("type"), _inside(message, "part").get("type"), _inside(event, "delta").get("type"))
    return any(kind in _THOUGHTS for kind in kinds)


def _inside(message: dict[str, Any], name: str) -> dict[str, Any]:
    found = message.get(name)
    return found if isinstance(found, dict) else {}
