"""The shim's journal, read: one fact a line, each with what was spooled when it became true."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fact:
    """`ts` in milliseconds; `at_out` and `at_err` are spooled bytes; `end` is where the line ends in the journal."""

    name: str
    ts: int
    at_out: int
    at_err: int
    end: int
    fields: dict[str, Any]


def read_facts(directory: Path, offset: int, end: int | None = None) -> tuple[list[Fact], int]:
    """The whole facts behind `offset` (up to `end`), and where the next one begins.

    A line that is not whole yet is left for later; one that cannot be read becomes a fact called `unreadable`.
    """
    try:
        with (directory / "journal").open("rb") as file:
            file.seek(offset)
            data = file.read(_READ_BYTES if end is None else min(_READ_BYTES, max(0, end - offset)))
    except FileNotFoundError:
        return [], offset
    facts = []
    for line in data.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        offset += len(line)
        facts.append(_fact(line, offset))
    return facts, offset


def _fact(line: bytes, end: int) -> Fact:
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        at = fields.pop("at")
        return Fact(str(fields.pop("fact")), int(fields.pop("t")), int(at["out"]), int(at["err"]), end, fields)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return Fact("unreadable", 0, 0, 0, end, {})
