"""Use cases of tokens: 256 random bits behind a prefix, stored as SHA-256."""

import hashlib
import secrets

from agentrunner.domain.errors import NotFound
from agentrunner.domain.token import PREFIX, Scope
from agentrunner.engine.services import Services
from agentrunner.store import tokens
from agentrunner.store.tokens import Token


def generate() -> str:
    """The text of a new token."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """What is stored of a token. A fast hash is enough: the text has 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


async def create(s: Services, name: str, scope: Scope) -> tuple[Token, str]:
    """Make a token; its text is answered here and never again."""
    text = generate()
    return await s.db.write(tokens.insert, name, digest(text), scope.value, s.clock()), text


async def ensure(s: Services, name: str, scope: Scope, text: str) -> bool:
    """Make sure that a token kept in a file is known; False where it was revoked, and stays so."""
    await s.db.write(tokens.insert_once, name, digest(text), scope.value, s.clock())
    return await authenticate(s, text) is not None


async def authenticate(s: Services, text: str) -> Scope | None:
    """The scope of a token's text, None for an unknown or revoked one."""
    found = await s.db.read(tokens.by_hash, digest(text))
    return None if found is None else Scope(found.scope)


async def all(s: Services) -> list[Token]:
    """Every token, without its text."""
    return await s.db.read(tokens.all)


async def revoke(s: Services, token_id: int) -> None:
    """End a token. Raises NotFound."""
    if not await s.db.write(tokens.revoke, token_id, s.clock()):
        raise NotFound(f"There is no live token {token_id}.")
