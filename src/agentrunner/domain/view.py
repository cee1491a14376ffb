"""Saved views: queries with a name."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import rfc3339
from agentrunner.domain.query import MAX_LENGTH

MAX_VIEWS = 1000
"""How many there may be."""
ViewName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$(?!\n)")]


class NewView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to save a view; `query` is in the query grammar and kept in its canonical form."""

    name: ViewName
    query: Annotated[str, Meta(max_length=MAX_LENGTH)]


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """A view as stored."""

    id: int
    name: str
    query: str
    created_at: int


class SavedViewView(msgspec.Struct, frozen=True, kw_only=True):
    """A view on the wire."""

    name: str
    query: str
    created_at: str


def view(saved: SavedView) -> SavedViewView:
    """The wire form of a view."""
    return SavedViewView(name=saved.name, query=saved.query, created_at=rfc3339(saved.created_at))
