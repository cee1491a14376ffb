"""Who may do what: tokens by header, scopes per route."""

import hashlib
import hmac

from agentrunner.api.call import Call
from agentrunner.domain.errors import Forbidden, Unauthorized
from agentrunner.domain.token import PREFIX, Scope, opens
from agentrunner.engine import tokens
from agentrunner.engine.services import Services

REMEMBER_MS = 5000
"""A revoked token is refused after this time by every server process; at once by the one that revoked it."""
OPS = "/api/runs"
"""The paths of the Agent Ops surface: this and what is below it."""
_MOST = 1024
_LONGEST = 512


class Tokens:
    """The scopes of the tokens that were lately used, by their hash: no text of a token is kept or compared."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[bytes, tuple[Scope, int]] = {}

    async def held(self, call: Call) -> Scope | None:
        """The scope of the token that a request carries; None without one. Raises Unauthorized for an unknown one.

        Where no token is needed an unknown one does no harm: the documents' clients send what they were given once.
        """
        text = presented(call)
        if text is None:
            return None
        if self._opens_surface(call, text):
            return Scope.ADMIN
        try:
            return await self._scope(text)
        except Unauthorized:
            if self._services.settings.insecure_no_auth:
                return None
            raise

    def _opens_surface(self, call: Call, text: str) -> bool:
        """True for the key of the Agent Ops surface on this surface, where it opens everything that there is."""
        key = self._services.settings.agentops_api_key
        is_there = call.path == OPS or call.path.startswith(f"{OPS}/")
        return bool(key) and is_there and hmac.compare_digest(_digest(key.encode()), _digest(text.encode("latin-1")))

    async def _scope(self, text: str) -> Scope:
        if not text.startswith(PREFIX) or len(text) > _LONGEST:
            raise Unauthorized("This is not a token of Agent Runner: those begin with `ar_`.")
        digest = _digest(text.encode("latin-1"))
        now = self._services.clock()
        if (found := self._known.get(digest)) is not None and now < found[1]:
            return found[0]
        scope = await tokens.authenticate(self._services, text)
        if scope is None:
            self._known.pop(digest, None)
            raise Unauthorized("This token is unknown or revoked; the data directory's file `token` holds a live one.")
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (scope, now + REMEMBER_MS)
        return scope

    def forget(self) -> None:
        """Ask the database again for every token."""
        self._known.clear()


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def presented(call: Call) -> str | None:
    """The text of the request's token: `Authorization: Bearer …`, else `x-api-key`."""
    if (value := call.header(b"authorization")) is not None:
        kind, _, text = value.partition(" ")
        return text.strip() if kind.lower() == "bearer" else ""
    return call.header(b"x-api-key")


def permit(call: Call, needed: Scope, services: Services) -> None:
    """Let a request through to what needs a scope. Raises Unauthorized, Forbidden.

    The worker protocol is served on the Unix socket, on TCP only where the setting says so, and never without a token.
    """
    settings = services.settings
    if call.held is None:
        if settings.insecure_no_auth and needed is not Scope.WORKER:
            return
        raise Unauthorized
    if not opens(call.held, needed):
        raise Forbidden(f"This needs a token of scope {needed.value}; the one sent has {call.held.value}.")
    if needed is Scope.WORKER and not call.local and not settings.workers_from_network:
        raise Forbidden("Workers connect through the Unix socket; `--workers-from-network` opens this to others.")
