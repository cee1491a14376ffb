"""Tokens: create, list, revoke."""

from collections.abc import Iterator

import msgspec

from agentrunner.client.http import Http, encoded
from agentrunner.client.page import Page, each
from agentrunner.client.request import Request
from agentrunner.domain.token import Scope


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token as answered; `token` is its text, answered once, when it is made."""

    id: int
    name: str
    scope: Scope
    created_at: str
    revoked_at: str | None
    token: str | msgspec.UnsetType = msgspec.UNSET


def create(http: Http, name: str, scope: Scope) -> TokenView:
    """Make a token. Not sent again once it may have arrived: its text could be lost with the first answer."""
    body = encoded({"name": name, "scope": scope})
    return http.send(Request("POST", "/v1/tokens", body=body)).decoded(TokenView)


def every(http: Http) -> Iterator[TokenView]:
    """Every token, live or revoked, without its text."""
    return each(http, "/v1/tokens", Page[TokenView], ())


def revoke(http: Http, token_id: int) -> None:
    """End a token. Raises NotFound where it is not alive."""
    http.send(Request("DELETE", f"/v1/tokens/{token_id}"))
