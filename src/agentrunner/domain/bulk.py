"""Bulk actions: one wish for every run that a query finds."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.query import MAX_LENGTH

MAX_BULK = 1000
"""How many runs one request may act on."""


class Action(StrEnum):
    """What can be done to many runs at once."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RETRY = "retry"


class Result(StrEnum):
    """What became of one run: a fact, a wish that is not one yet, or nothing; in a preview that it matches."""

    DONE = "done"
    PENDING = "pending"
    REFUSED = "refused"
    MATCHES = "matches"


class BulkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action for the runs that match `q`, the newest first. An empty `q` needs `all`.

    With `preview` nothing is done; the answer says for which runs it would be. `cursor` is the `next_cursor` of the
    request before, where more runs match than `limit`.
    """

    action: Action
    q: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    all: bool = False
    preview: bool = False
    limit: Annotated[int, Meta(ge=1, le=MAX_BULK)] = MAX_BULK
    cursor: Annotated[str, Meta(max_length=100)] | None = None


class BulkItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one run. `code` and `detail` say why it was refused, `new_id` is the run that a retry made."""

    id: int
    result: Result
    code: str | None = None
    detail: str | None = None
    new_id: int | None = None


class BulkPage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each run. `next_cursor` goes into `cursor` to act on the rest; null where there is none."""

    items: list[BulkItem]
    next_cursor: str | None
