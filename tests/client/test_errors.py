"""Problem documents become the errors they stand for."""

import json

import pytest

from agentrunner.client.errors import error_of
from agentrunner.domain import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AgentRunnerError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.code))
def test_every_error_of_the_tree_comes_back(kind: type[errors.AgentRunnerError]) -> None:
    """By its code, with its sentence and its extra fields."""
    problem = {"type": "urn:x", "title": "X", "status": kind.status, "code": kind.code, "detail": "Do this.",
               "request_id": "r1", "current": "RUNNING"}  # fmt: skip
    error = error_of(kind.status, json.dumps(problem).encode())
    assert type(error) is kind
    assert error.detail == "Do this."
    assert error.extra == {"request_id": "r1", "current": "RUNNING", "status": kind.status}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthorized),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (418, errors.InvalidRequest),
        (500, errors.AgentRunnerError),
        (503, errors.Unavailable),
    ],
)
def test_a_code_of_a_newer_server_falls_back_to_the_status(status: int, kind: type[errors.AgentRunnerError]) -> None:
    """An unknown code is no reason to lose what kind of error it is."""
    error = error_of(status, b'{"code": "brand_new", "detail": "Hm."}')
    assert (type(error), error.detail) == (kind, "Hm.")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b"\xff", b'{"code": 7}', b"[" * 5000])
def test_what_is_no_problem_document_is_said_to_be_none(body: bytes) -> None:
    """A proxy's page must not look like an answer of ours."""
    error = error_of(502, body)
    assert type(error) is errors.Unavailable
    assert "502 Bad Gateway" in error.detail
    assert "check the address" in error.detail


def test_a_field_called_like_a_parameter_does_no_harm() -> None:
    """Extra fields are the server's to name."""
    assert error_of(404, b'{"code": "not_found", "self": 1, "detail": 5}').detail == errors.NotFound().detail
