"""What a person reads of an event, and whether a text is in it, in whatever case."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

MAX_SOUGHT = 200
_UNESCAPED = re.compile(r"[ !#-.0-\[\]-~]+")
"""Characters that JSON text has as they are, unless a writer escapes what needs no escape (`\\u0061`)."""


def kept_as_is(sought: str) -> str:
    """The longest part of a text that stands as it is in JSON text that contains it, but for its case."""
    return max(_UNESCAPED.findall(sought), key=len, default="")


def contains(sought: str, type: str, payload: bytes) -> bool:
    """True where the type of an event, or a text or number anywhere in its payload, contains `sought` (lower case).

    Names of fields are not read. Lines of a log are one text, so a text may go over the end of a line.
    """
    return sought in type.lower() or any(sought in text.lower() for text in _texts(_decoded(payload)))


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):  # a number beyond what can be read, or nested too deep
        return payload.decode("utf-8", "replace")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value; without recursion, for a payload may be nested as deep as JSON is read."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            if each and all(isinstance(line, str) for line in each):
                yield "\n".join(each)
            else:
                waiting.extend(each)
        elif each is not None and not isinstance(each, bool):
            yield str(each)
