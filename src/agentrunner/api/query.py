"""Query strings: known names only, each at most once unless it is a list, cursors that cannot be made up."""

import base64
import difflib
from collections.abc import Collection
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from agentrunner.api import errors
from agentrunner.domain.errors import InvalidCursor, InvalidField

T = TypeVar("T")
MAX_ID = 2**63 - 1
_MOST = 100


def pairs(query_string: bytes) -> list[tuple[str, str]]:
    """The names and values. Raises InvalidField."""
    try:
        found = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except UnicodeDecodeError as error:
        raise InvalidField("The query string is not valid UTF-8; percent-encode it as UTF-8.") from error
    except ValueError as error:
        raise InvalidField(f"The query string has more than {_MOST} parameters.") from error
    if any("\x00" in value for _, value in found):
        raise InvalidField("The query string contains a NUL character; leave it out.")
    return found


def check(query_string: bytes, known: Collection[str], lists: Collection[str]) -> None:
    """Refuse a parameter that is not known or given twice. Raises InvalidField, naming the nearest."""
    if not query_string:
        return
    seen: set[str] = set()
    for name, _ in pairs(query_string):
        if name not in known:
            raise InvalidField(f"`{name[:100]}` is not a parameter of this address; {_nearest(name, known)}")
        if name in seen and name not in lists:
            raise InvalidField(f"`{name}` is given twice; give it once.")
        seen.add(name)


def _nearest(name: str, known: Collection[str]) -> str:
    if found := difflib.get_close_matches(name, known, n=1):
        return f"did you mean `{found[0]}`?"
    return f"it takes {', '.join(f'`{each}`' for each in sorted(known))}." if known else "it takes none."


def decode(query_string: bytes, kind: type[T]) -> T:
    """A struct from a query string. Raises InvalidField."""
    return _converted(_values(query_string, kind) if query_string else {}, kind)


def _values(query_string: bytes, kind: type[T]) -> dict[str, str | list[str]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    lists = {name for name, field in fields.items() if isinstance(field.default_factory, type)}
    check(query_string, fields, lists)
    values: dict[str, str | list[str]] = {}
    for name, value in pairs(query_string):
        if name in lists:
            values.setdefault(name, []).append(value)  # type: ignore[union-attr]
        else:
            values[name] = value
    return values


def _converted(values: dict[str, str | list[str]], kind: type[T]) -> T:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidField(errors.sentence(str(error))) from error


def cursor(noun: str, position: int) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"{noun}:{position}".encode()).decode().rstrip("=")


def position(noun: str, text: str | None) -> int | None:
    """What a cursor stands for; None for None. Raises InvalidCursor."""
    if text is None:
        return None
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise InvalidCursor from error
    digits = decoded.removeprefix(f"{noun}:")
    if not digits.isdigit() or len(digits) > 19 or int(digits) > MAX_ID or cursor(noun, int(digits)) != text:
        raise InvalidCursor
    return int(digits)


def run_id(text: str) -> int:
    """The id of a run in a path. Raises InvalidField."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 1 <= int(text) <= MAX_ID:
        raise InvalidField(f"`run_id`: {text[:50]!r} is not the id of a run; ids are whole numbers from 1 on.")
    return int(text)
