"""How each part of the API writes down an error: a problem document, on a surface what the surface's clients read."""

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


def _metrics_body(error: AgentRunnerError, _: str) -> bytes:
    """Document 003's server is one of Go, which writes a line of text and has a text of its own for no such page."""
    return (b"404 page not found" if type(error) is NotFound else error.detail.encode()) + b"\n"


_OPS_SCHEMA = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
OPS = Refusal(b"application/json", _ops_status, _ops_body, _OPS_SCHEMA)
METRICS = Refusal(b"text/plain; charset=utf-8", _metrics_status, _metrics_body)
_SURFACES: tuple[tuple[tuple[str, ...], Refusal], ...] = (
    (("/api/runs",), OPS),
    (("/api/v1",), METRICS),
)
"""The paths of each surface: these and what is below them."""


def of(path: str) -> Refusal:
    """How a request to `path` is refused."""
    for prefixes, refusal in _SURFACES:
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes):
            return refusal
    return NATIVE
