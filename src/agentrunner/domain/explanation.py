"""Why a run is where it is, in words and in fields."""

from typing import Any

import msgspec

from agentrunner.domain.state import Desired, Hold, Phase, Reason, Status


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`summary` is one sentence, `because` the facts behind it, `what_to_do` what a person can do, if anything.

    `pending` is the wish that is not fact yet, `facts` what the sentence was made from.
    """

    run_id: int
    status: Status
    phase: Phase | None
    hold: Hold | None
    reason: Reason | None
    summary: str
    because: list[str]
    what_to_do: str | None
    pending: Desired | None
    facts: dict[str, Any]
