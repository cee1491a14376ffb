"""How each part of the API writes an error down."""

import json

import pytest

from agentrunner.api import refusals
from agentrunner.domain.errors import InvalidField, MethodNotAllowed, NotFound


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/api/runs", refusals.OPS),
        ("/api/runs/x/events", refusals.OPS),
        ("/api/v1/agents", refusals.METRICS),
        ("/projects", refusals.RUNNER),
        ("/runs/1", refusals.RUNNER),
        ("/worker/status", refusals.RUNNER),
        ("/v1/runs", refusals.NATIVE),
        ("/runsx", refusals.NATIVE),
        ("/api", refusals.NATIVE),
    ],
)
def test_the_path_decides(path: str, refusal: refusals.Refusal) -> None:
    """A surface is its paths and what is below them."""
    assert refusals.of(path) is refusal


def test_a_line_of_text_is_one_line_without_control_characters() -> None:
    """What a path says must not move the cursor of a terminal, nor add a line."""
    error = MethodNotAllowed("PUT is not possible at /api/v1/\x00\x1b[2J\r\n\x9b31m\x7fü.")
    body = refusals.METRICS.body(error, "1")
    assert body == "PUT is not possible at /api/v1/\\x00\\x1b[2J\\x0d\\x0a\\x9b31m\\x7fü.\n".encode()
    assert refusals.METRICS.body(NotFound("There is no /x."), "1") == b"404 page not found\n"


def test_json_escapes_what_a_terminal_would_obey() -> None:
    """Also in the forms of the other surfaces."""
    error = InvalidField("`goal`: not \x1b[2J.")
    for refusal in (refusals.OPS, refusals.RUNNER, refusals.NATIVE):
        body = refusal.body(error, "1")
        assert b"\x1b" not in body
        assert json.loads(body)
