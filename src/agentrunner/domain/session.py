"""Sessions: browsers that somebody signed in, by a one-time link or with a token."""

import msgspec

from agentrunner.domain.instant import rfc3339
from agentrunner.domain.token import Scope, opens

LOGIN_MS = 5 * 60_000
"""How long a one-time link is good for."""
MAX_LOGINS = 100
"""How many links may be open at once."""
MAX_SESSIONS = 1000
"""Of more than these the one that was not used for the longest time ends."""
MAX_BROWSER = 200


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as stored; instants in milliseconds. `browser` is what it calls itself.

    `token_id`: the token it was opened with, with which it ends; None where a link opened it.
    """

    id: int
    scope: Scope
    browser: str
    token_id: int | None
    created_at: int
    used_at: int
    expires_at: int


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session on the wire; `current` is true for the one that asks. `used_at` is true to five minutes."""

    id: int
    scope: Scope
    browser: str
    token_id: int | None
    current: bool
    created_at: str
    used_at: str
    expires_at: str


def view(session: Session, current: int | None) -> SessionView:
    """The wire form of a session."""
    return SessionView(
        id=session.id,
        scope=session.scope,
        browser=session.browser,
        token_id=session.token_id,
        current=session.id == current,
        created_at=rfc3339(session.created_at),
        used_at=rfc3339(session.used_at),
        expires_at=rfc3339(session.expires_at),
    )


def may_sign_in(scope: Scope) -> bool:
    """True for a scope with which the console shows anything."""
    return opens(scope, Scope.READ)
