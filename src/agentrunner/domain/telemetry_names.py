"""The name of a log record, which each program writes in another place."""

from collections.abc import Mapping
from typing import Any

from agentrunner.domain.telemetry import printable

_TRACING = "event "
"""Rust's `tracing` names a record after the line of its source."""


def event_name(said: str, attributes: Mapping[str, Any], body: Any) -> str:
    """Claude Code writes it whole into the body and short into `event.name`, Codex and Gemini whole into `event.name`,
    others into the record's own field; one without a name is `log`.
    """
    if isinstance(body, str) and body.startswith("claude_code.") and body.isascii() and " " not in body:
        return printable(body)
    if isinstance(named := attributes.get("event.name"), str) and named:
        return printable(named)
    return "log" if not said or said.startswith(_TRACING) else printable(said)
