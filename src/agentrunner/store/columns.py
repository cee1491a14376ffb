"""Between structs and rows: which columns hold JSON, and how a row becomes a struct."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import msgspec

from agentrunner.store.base import Row

T = TypeVar("T")


def encode(value: Any) -> Any:
    """A column's value: structs, dicts and lists as JSON text, enums and booleans as what they stand for."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, msgspec.Struct | dict | list):
        return msgspec.json.encode(value).decode()
    return value


def decode(row: Row, kind: type[T], json: Mapping[str, type]) -> T:
    """The struct `kind` from a row whose columns are its fields; `json` names those that hold JSON, with their type."""
    return of_values(dict(zip(row.keys(), row, strict=True)), kind, json)  # type: ignore[call-overload]


def of_values(values: dict[str, Any], kind: type[T], json: Mapping[str, type]) -> T:
    """The same from columns by name, which are overwritten."""
    for name, inner in json.items():
        values[name] = _decoder(inner).decode(values[name])
    return msgspec.convert(values, kind, strict=False)


@cache
def _decoder(kind: type) -> "msgspec.json.Decoder[Any]":
    """Made once: for a generic type, making one costs several times what it then decodes."""
    return msgspec.json.Decoder(kind)
