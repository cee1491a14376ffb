"""A run as a program asks for it: names and plain values, checked before anything is sent."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.run import NewRun


@dataclass(frozen=True, slots=True)
class Wanted:
    """A goal, and any other fields of `NewRun` by name."""

    goal: str
    fields: Mapping[str, Any]

    def request(self) -> NewRun:
        """The request. Raises TypeError for a field that there is not, InvalidField for a value that it cannot have."""
        refuse_unknown(self.fields)
        given = {"goal": self.goal, **self.fields}
        if "backend" not in given and "argv" in given.get("options", {}):
            given["backend"] = "command"
        try:
            return msgspec.convert(msgspec.to_builtins(given), NewRun)
        except (msgspec.ValidationError, TypeError) as error:
            raise InvalidField(f"{error}.") from error


def refuse_unknown(fields: Mapping[str, Any]) -> None:
    """Raise TypeError for a field that no run has, naming the nearest."""
    for name in fields:
        if name not in NewRun.__struct_fields__:
            near = difflib.get_close_matches(name, NewRun.__struct_fields__, n=1)
            raise TypeError(f"a run has no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
