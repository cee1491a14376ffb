"""Errors on the wire: every refusal is an `application/problem+json` document with a stable `code`.

`detail` says what to do and names the field. What is not one of our errors is `internal`: logged with the request id,
never shown.
"""

import re
import traceback
from typing import Any

import msgspec
import structlog
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException

from agentrunner.domain.errors import (
    AgentRunnerError,
    BackendError,
    BodyTooLarge,
    InvalidField,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

log = structlog.get_logger("agentrunner.api")

CONTENT_TYPE = b"application/problem+json"
TOO_DEEP = "The JSON is nested too deeply; a few hundred levels are the most that is taken."
NOT_UTF8 = "The body is not valid UTF-8; encode it as UTF-8."
_PATH = re.compile(r"(?s)^(.*) - at (?:`key` in )?`\$\.?(?:data\b\.?)?(.*?)`$")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error on the wire (RFC 9457). `code` is stable; an error may carry more fields than these."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


def translate(error: Exception, address: str = "this address") -> AgentRunnerError:
    """Our own error for whatever a request met; `internal` (and logged by the caller) for what nobody foresaw."""
    if isinstance(error, AgentRunnerError):
        return error
    if isinstance(error, RecursionError):
        return InvalidRequest(TOO_DEEP)
    if isinstance(error, OverflowError):
        return InvalidField("A number of the request is larger than 64 bits hold; send a smaller one.")
    if isinstance(error, HTTPException):
        return _of_framework(error, address)
    return AgentRunnerError()


def of_decoding(error: msgspec.DecodeError | UnicodeDecodeError | RecursionError) -> InvalidRequest:
    """What to say of a body that cannot be read. Elsewhere the same errors are ours, not the client's."""
    if isinstance(error, RecursionError):
        return InvalidRequest(TOO_DEEP)
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest(NOT_UTF8)
    if isinstance(error, msgspec.ValidationError):
        return InvalidField(sentence(str(error)))
    return InvalidRequest(f"The body is not valid JSON: {error}.")


def _of_framework(error: HTTPException, address: str) -> AgentRunnerError:
    if isinstance(error, NotFoundException):
        return NotFound(f"There is nothing at {address}; `/openapi.json` lists every address.")
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed(f"The method is not possible at {address}.")
    if isinstance(error, ValidationException):
        return InvalidField(_invalid(error))
    if error.status_code == BodyTooLarge.status:
        return BodyTooLarge()
    if error.status_code < 500:
        return InvalidRequest(f"The body is not valid JSON: {error.detail}.")
    return AgentRunnerError()


def _invalid(error: ValidationException) -> str:
    cause = error.__cause__
    if cause is not None and "`data`" in str(cause):
        return "The request needs a body; send JSON as `content-type: application/json`."
    if isinstance(cause, msgspec.ValidationError):
        return sentence(str(cause))
    extra = error.extra if isinstance(error.extra, list) else []
    found = [f"`{item.get('key', '?')}`: {item.get('message', '')}" for item in extra if isinstance(item, dict)]
    return "; ".join(found) or error.detail


def sentence(message: str) -> str:
    """msgspec's message with the field in front: `` `runs[0].goal`: expected `str`, got `int`. ``"""
    if match := _PATH.match(message):
        text, path = match.groups()
        field = f"`{path}`: " if path else ""
        return f"{field}{text[:1].lower()}{text[1:]}." if field else f"{text}."
    return f"{message}."


def status_of(error: AgentRunnerError) -> int:
    """The HTTP status; a backend that refuses a run's options is the request's fault."""
    return InvalidField.status if isinstance(error, BackendError) else error.status


def document(error: AgentRunnerError, request_id: str) -> bytes:
    """The problem document."""
    problem: dict[str, Any] = {
        **error.extra,
        "type": f"urn:agentrunner:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status_of(error),
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
    }
    return msgspec.json.encode(problem, order=None)


def trace(error: BaseException) -> str:
    """The traceback as text. Given to a log as an exception it might be shown with variables, and those hold tokens."""
    return "".join(traceback.format_exception(error))


def headers(error: AgentRunnerError) -> list[tuple[bytes, bytes]]:
    """What the status demands beside the document."""
    if isinstance(error, Unauthorized):
        return [(b"www-authenticate", b'Bearer realm="agentrunner"')]
    if isinstance(error, TooManyRequests | Unavailable):
        return [(b"retry-after", b"1")]
    if isinstance(error, MethodNotAllowed) and "allow" in error.extra:
        return [(b"allow", ", ".join(error.extra["allow"]).encode())]
    return []
