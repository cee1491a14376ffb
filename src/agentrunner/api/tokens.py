"""Tokens over HTTP; the text of one is answered when it is made and never again."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from agentrunner.api import query
from agentrunner.api.routes import Given
from agentrunner.domain.instant import optional_rfc3339, rfc3339
from agentrunner.domain.token import Scope
from agentrunner.engine import tokens
from agentrunner.store.tokens import Token


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to make a token."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    scope: Scope


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token on the wire, without its text."""

    id: int
    name: str
    scope: Scope
    created_at: str
    revoked_at: str | None


class CreatedToken(TokenView, frozen=True, kw_only=True):
    """A token that was just made; `token` is its text: keep it, it is not stored."""

    token: str


class TokenPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every token."""

    items: list[TokenView]
    next_cursor: str | None


def view(token: Token) -> TokenView:
    """The wire form of a token."""
    return TokenView(
        id=token.id,
        name=token.name,
        scope=Scope(token.scope),
        created_at=rfc3339(token.created_at),
        revoked_at=optional_rfc3339(token.revoked_at),
    )


@get("/v1/tokens", opt={"scope": Scope.ADMIN}, summary="List tokens")
async def page(context: Given) -> TokenPage:
    """Every token, live or revoked, without its text."""
    return TokenPage(items=[view(token) for token in await tokens.all(context.services)], next_cursor=None)


@post("/v1/tokens", opt={"scope": Scope.ADMIN}, summary="Make a token")
async def create(context: Given, data: JSONBody[NewToken]) -> CreatedToken:
    """A token of a scope; the answer is the only place where its text shows."""
    token, text = await tokens.create(context.services, data.name, data.scope)
    return CreatedToken(**msgspec.structs.asdict(view(token)), token=text)


@delete("/v1/tokens/{token_id:int}", opt={"scope": Scope.ADMIN}, summary="Revoke a token")
async def revoke(context: Given, token_id: Annotated[int, PathParameter(ge=1, le=query.MAX_ID)]) -> None:
    """End a token; every server process refuses it within 5 s."""
    await tokens.revoke(context.services, token_id)
    context.tokens.forget()


HANDLERS = [page, create, revoke]
