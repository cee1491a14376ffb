"""Who may do what: tokens by header, sessions by cookie, scopes per route."""

import hashlib
import hmac

from agentrunner.api import cookies
from agentrunner.api.call import Call
from agentrunner.domain.errors import Forbidden, Unauthorized
from agentrunner.domain.token import PREFIX, Scope, opens
from agentrunner.engine import sessions, tokens
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
        """The scope of the token that a request carries, else of its session; None without either.

        Raises Unauthorized for an unknown one, Forbidden for what a session may not do. Where no token is needed an
        unknown one does no harm: the documents' clients send what they were given once.
        """
        text = presented(call)
        if text is not None and self._opens_surface(call, text):
            return Scope.ADMIN
        try:
            return await (self._of_session(call) if text is None else self._scope(text))
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
        if (known := self._remembered(digest)) is not None:
            return known
        scope = await tokens.authenticate(self._services, text)
        if scope is None:
            raise Unauthorized("This token is unknown or revoked; the data directory's file `token` holds a live one.")
        return self._remember(digest, scope)

    async def _of_session(self, call: Call) -> Scope | None:
        text = cookies.sent(call)
        if text is None:
            return None
        _check_change(call)
        # A token's text is no session's, nor the other way round, though both look the same.
        digest = _digest(b"session " + text.encode("latin-1"))
        if (known := self._remembered(digest)) is not None:
            return known
        session = await sessions.authenticate(self._services, text)
        if session is None:
            raise Unauthorized("You are signed out: this session has ended. `agentrunner login` prints a new link.")
        return self._remember(digest, session.scope)

    def _remembered(self, digest: bytes) -> Scope | None:
        found = self._known.get(digest)
        return found[0] if found is not None and self._services.clock() < found[1] else None

    def _remember(self, digest: bytes, scope: Scope) -> Scope:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (scope, self._services.clock() + REMEMBER_MS)
        return scope

    def forget(self) -> None:
        """Ask the database again for every token."""
        self._known.clear()


def _check_change(call: Call) -> None:
    """Refuse what another page may have made this browser send. Raises Forbidden."""
    if call.cors:
        raise Forbidden("Another origin cannot use a session; it sends a token.")
    if call.method not in ("GET", "HEAD") and call.header(cookies.CHANGING) != "1":
        raise Forbidden("A change by a signed-in browser needs the header `x-agentrunner-console: 1`, or send a token.")


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
