"""What people send into a run: inputs now, answers to an agent's questions as soon as a backend can ask."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import optional_rfc3339, rfc3339


class NewInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Text for a run's agent (a directive on the Runs API surface)."""

    text: Annotated[str, Meta(min_length=1, max_length=1_000_000)]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """An input as stored; `delivered_at` is set by the shim's journal only."""

    id: int
    run_id: int
    text: str
    created_at: int
    delivered_at: int | None = None


class InputView(msgspec.Struct, frozen=True, kw_only=True):
    """An input on the wire."""

    id: int
    run_id: int
    text: str
    created_at: str
    delivered_at: str | None


def view(item: Input) -> InputView:
    """The wire form of an input."""
    return InputView(
        id=item.id,
        run_id=item.run_id,
        text=item.text,
        created_at=rfc3339(item.created_at),
        delivered_at=optional_rfc3339(item.delivered_at),
    )
