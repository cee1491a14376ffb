"""Problem documents, and what stands in their place, as the errors of our tree."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from agentrunner.domain.errors import (
    AgentRunnerError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

_BY_STATUS: dict[int, type[AgentRunnerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_NOT_EXTRA = frozenset({"type", "title", "detail", "code", "self"})


def error_of(status: int, body: bytes) -> AgentRunnerError:
    """The error that an answer stands for: by its `code`, for one this version does not know by its status.

    Every other field of the document (`request_id` among them) is in the error's `extra`.
    """
    problem = _document(body)
    code, detail = problem.get("code"), problem.get("detail")
    if not isinstance(code, str):
        return _class_of(status)(_strange(status))
    kind = _by_code().get(code) or _class_of(status)
    extra = {name: value for name, value in problem.items() if name not in _NOT_EXTRA}
    return kind(detail if isinstance(detail, str) else None, **extra)


def _document(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _class_of(status: int) -> type[AgentRunnerError]:
    return _BY_STATUS.get(status) or (InvalidRequest if 400 <= status < 500 else AgentRunnerError)


def _strange(status: int) -> str:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    return f"The answer was {status}{phrase}, but not from an Agent Runner server; check the address."


@cache
def _by_code() -> dict[str, type[AgentRunnerError]]:
    return {kind.code: kind for kind in _tree(AgentRunnerError)}


def _tree(kind: type[AgentRunnerError]) -> Iterator[type[AgentRunnerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
