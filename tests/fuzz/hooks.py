"""Hooks of schemathesis: streams are read to their first bytes only, for they do not end by themselves.

The tokens that it calls with are not to be revoked by it, or everything afterwards would be 401 and prove nothing. And
a list of one is written in a query as its member is, so a lone value in the place of a list is no wrong request.
"""

from typing import Any
from urllib.parse import unquote

import requests
import schemathesis
from schemathesis.core import NOT_SET

from agentrunner.domain.control import MAX_WAIT_S

EVENT_STREAM = "text/event-stream"
FIRST_BYTES = 13
"""`retry: 1000` and what ends it: every stream begins with that."""


OWN_TOKENS = ("1", "2")
NO_TOKEN = 2**62
OURS = ("/v1/", "/health", "/ready", "/metrics", "/openapi")
"""Addresses that no other server's clients know."""
WAITING = ("/v1/control/claim", "/v1/control/wishes", "/v1/control/decisions")
WAIT_S = 0.05
"""A worker that the server knows would wait half a minute for each answer."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let the answer's body be read here, and leave our own tokens alone."""
    if str((case.path_parameters or {}).get("token_id")) in OWN_TOKENS:
        case.path_parameters["token_id"] = NO_TOKEN
    if case.path in WAITING and isinstance(case.body, dict) and _is_right(case.body.get("wait_s", MAX_WAIT_S)):
        case.body["wait_s"] = WAIT_S
    if case.path == "/api/v1/agents/{name}/register" and isinstance(case.body, dict) and _is_name(case.body):
        case.body["name"] = unquote(case.path_parameters["name"])
    kwargs["stream"] = True
    kwargs["hooks"] = {"response": read}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """False for methods that a surface does not know, where its original answers 404 and not 405.

    And for a query together with a body where each may say what the other leaves out: a field that the body lacks is
    then no fault, which no schema of the body can say. Each of them alone is tried.
    """
    if case.path in ("/projects", "/runs") and case.body is not NOT_SET and case.query:
        return False
    return case.path != "/api/runs" or case.method in ("GET", "POST", "OPTIONS")


@schemathesis.hook
def filter_query(context: Any, query: dict[str, Any] | None) -> bool:
    """False for what is meant as wrong and is not, once it is written: `true` where a list is due.

    And for parameters beside those that there are, where clients of another server send what that never looked at.
    """
    parameters = context.operation.definition.raw.get("parameters", ())
    known = {item["name"]: item.get("schema", {}) for item in parameters if item.get("in") == "query"}
    if not context.operation.path.startswith(OURS) and not known.keys() >= (query or {}).keys():
        return False
    return all(isinstance(value, list) for name, value in (query or {}).items() if _is_list(known.get(name, {})))


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Whole numbers without a fraction: for JSON Schema 2.0 is an integer, for the server it is none."""
    return _whole(body)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_name(body: dict[str, Any]) -> bool:
    """True where the body repeats the name in the address, as it has to: no schema says that two texts are one."""
    return isinstance(body.get("name"), str) and len(body["name"]) <= 200


def _is_right(wait_s: Any) -> bool:
    return isinstance(wait_s, int | float) and not isinstance(wait_s, bool) and 0 <= wait_s <= MAX_WAIT_S


def _is_list(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array" or any(map(_is_list, schema.get("oneOf", schema.get("anyOf", ()))))


def read(response: requests.Response, **_: Any) -> requests.Response:
    """The body, of a stream its beginning; the connection of a stream is closed."""
    if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
        _ = response.content
        return response
    found = b""
    for chunk in response.raw.stream(FIRST_BYTES, decode_content=False):
        found += chunk
        if len(found) >= FIRST_BYTES:
            break
    response._content, response._content_consumed = found, True  # type: ignore[attr-defined]
    response.close()
    return response
