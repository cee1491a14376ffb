"""How each part of the API writes down an error: a problem document, on a surface what the surface's clients read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentrunner.api import errors
from agentrunner.domain.errors import (
    AgentRunnerError,
    InvalidField,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RunNotFound,
    Unauthorized,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error on the wire: its content type, its status, and its body, which may name the request.

    `schema` describes the body in the OpenAPI document, where it is not a problem document.
    """

    kind: bytes
    status: Callable[[AgentRunnerError], int]
    body: Callable[[AgentRunnerError, str], bytes]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


NATIVE = Refusal(errors.CONTENT_TYPE, errors.status_of, errors.document)


def _ops_status(error: AgentRunnerError) -> int:
    return NotFound.status if isinstance(error, MethodNotAllowed) else errors.status_of(error)


def _ops_body(error: AgentRunnerError, _: str) -> bytes:
    """Document 000's clients know three of these texts; the others are sentences for a person."""
    if isinstance(error, Unauthorized):
        text = "unauthorized"
    elif isinstance(error, RunNotFound):
        text = "not_found"
    elif isinstance(error, MethodNotAllowed | NotFound):
        text = "Not found"
    else:
        text = error.detail
    return msgspec.json.encode({"error": text})


def _metrics_status(error: AgentRunnerError) -> int:
    return InvalidRequest.status if isinstance(error, InvalidField) else errors.status_of(error)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _metrics_body(error: AgentRunnerError, _: str) -> bytes:
    """Document 003's server is one of Go, which writes a line of text and has a text of its own for no such page.

    What a path or a field says in control characters is escaped: plain text goes to terminals, JSON escapes by itself.
    """
    text = "404 page not found" if type(error) is NotFound else error.detail
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text).encode(errors="backslashreplace") + b"\n"


_FIELD = re.compile(r"(?:^|required field )`([^`]+)`(?:: )?")
_ASKED = {"run_id": "path", "limit": "query", "after": "query", "after_id": "query", "cursor": "query"}
_TEXTS: dict[type[AgentRunnerError], str] = {
    NotFound: "Not Found",
    MethodNotAllowed: "Method Not Allowed",
    RunNotFound: "Run not found",
}


def _runner_body(error: AgentRunnerError, request_id: str) -> bytes:
    """Documents 001's and 002's server is one of FastAPI, which says of a field where it is."""
    detail: Any = _TEXTS.get(type(error), error.detail)
    if errors.status_of(error) == InvalidField.status:
        match = _FIELD.search(error.detail)
        text = error.detail.removeprefix(match[0]) if match and match[0].endswith(": ") else error.detail
        where = ["body"] if match is None else [_ASKED.get(match[1], "body"), match[1]]
        detail = [{"loc": where, "msg": text, "type": "value_error"}]
    return msgspec.json.encode({"detail": detail, "code": error.code, "request_id": request_id})


_OPS_SCHEMA = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
OPS = Refusal(b"application/json", _ops_status, _ops_body, _OPS_SCHEMA)
_RUNNER_SCHEMA = {
    "type": "object",
    "properties": {
        "detail": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["detail", "code", "request_id"],
}
RUNNER = Refusal(b"application/json", errors.status_of, _runner_body, _RUNNER_SCHEMA)
METRICS = Refusal(b"text/plain; charset=utf-8", _metrics_status, _metrics_body)
_SURFACES: tuple[tuple[tuple[str, ...], Refusal], ...] = (
    (("/api/runs",), OPS),
    (("/api/v1",), METRICS),
    (("/projects", "/runs", "/worker"), RUNNER),
)
"""The paths of each surface: these and what is below them."""


def of(path: str) -> Refusal:
    """How a request to `path` is refused."""
    for prefixes, refusal in _SURFACES:
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes):
            return refusal
    return NATIVE
