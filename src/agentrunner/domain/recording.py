"""Which recorded attempt a replay means, as it stands in the replay's options."""

from collections.abc import Mapping
from typing import Any

import msgspec

from agentrunner.domain.errors import BadOptions

REPLAY = "replay"
"""The backend of runs that replay another."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """`options.recorded`: the attempt that is replayed, the backend that reads its output, and whose worker has it."""

    attempt: int
    uid: str
    backend: str
    worker: str


def recorded(options: Mapping[str, Any]) -> Recorded:
    """What a run replays. Raises BadOptions where no server has resolved it."""
    try:
        return msgspec.convert(options.get("recorded"), Recorded)
    except msgspec.ValidationError as error:
        raise BadOptions("`options.recorded` is missing: create the replay through the server.") from error
