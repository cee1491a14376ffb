"""Hooks of schemathesis: streams are read to their first bytes only, for they do not end by themselves.

The tokens that it calls with are not to be revoked by it, or everything afterwards would be 401 and prove nothing.
"""

from typing import Any

import requests
import schemathesis

EVENT_STREAM = "text/event-stream"
FIRST_BYTES = 13
"""`retry: 1000` and what ends it: every stream begins with that."""


OWN_TOKENS = ("1", "2")
NO_TOKEN = 2**62


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let the answer's body be read here, and leave our own tokens alone."""
    if str((case.path_parameters or {}).get("token_id")) in OWN_TOKENS:
        case.path_parameters["token_id"] = NO_TOKEN
    kwargs["stream"] = True
    kwargs["hooks"] = {"response": read}


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
