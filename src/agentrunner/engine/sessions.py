"""Use cases of signing in: one-time links, the sessions they open, and tokens exchanged for one."""

from contextlib import suppress

from msgspec.structs import replace

from agentrunner.domain.errors import Forbidden, NotFound, TooManyRequests, Unauthorized, Unavailable
from agentrunner.domain.session import LOGIN_MS, MAX_BROWSER, MAX_LOGINS, Session, may_sign_in
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from agentrunner.engine.tokens import digest, generate
from agentrunner.store import sessions, tokens
from agentrunner.store.base import Tx

NOTE_MS = 5 * 60_000
"""How old `used_at` may be before it is written again: to write it with every request would cost a commit each."""
_DAY_MS = 86_400_000


async def invite(s: Services, scope: Scope) -> tuple[str, int]:
    """A code that signs one browser in, once, and until when. Raises TooManyRequests, Forbidden."""
    _check(scope)
    code, until = generate(), s.clock() + LOGIN_MS
    await s.db.write(_invite, digest(code), scope, until)
    return code, until


async def _invite(tx: Tx, hashed: str, scope: Scope, until: int) -> None:
    if await sessions.count_logins(tx, until - LOGIN_MS) >= MAX_LOGINS:
        raise TooManyRequests(f"{MAX_LOGINS} links wait to be used; each is good for five minutes.")
    await sessions.put_login(tx, hashed, scope, until)


async def enter(s: Services, code: str, browser: str) -> tuple[str, Session] | None:
    """Use a code up: the text of the new session, and the session; None where the code is unknown, used or expired."""
    text = generate()
    session = await s.db.write(_enter, digest(code), digest(text), _new(s, Scope.READ, browser, None))
    return None if session is None else (text, session)


async def _enter(tx: Tx, code: str, hashed: str, session: Session) -> Session | None:
    scope = await sessions.take_login(tx, code, session.created_at)
    return None if scope is None else await sessions.insert(tx, hashed, replace(session, scope=scope))


async def exchange(s: Services, token: str, browser: str) -> tuple[str, Session]:
    """A session for a token's text; it ends with the token. Raises Unauthorized, Forbidden."""
    text = generate()
    return text, await s.db.write(_exchange, digest(token), digest(text), _new(s, Scope.READ, browser, None))


async def _exchange(tx: Tx, token: str, hashed: str, session: Session) -> Session:
    found = await tokens.by_hash(tx, token)
    if found is None:
        raise Unauthorized("This token is unknown or revoked; the data directory's file `token` holds a live one.")
    scope = Scope(found.scope)
    _check(scope)
    return await sessions.insert(tx, hashed, replace(session, scope=scope, token_id=found.id))


def _check(scope: Scope) -> None:
    if not may_sign_in(scope):
        raise Forbidden(f"With scope {scope.value} the console shows nothing; it needs admin or read.")


def _new(s: Services, scope: Scope, browser: str, token_id: int | None) -> Session:
    now = s.clock()
    expires_at = now + round(s.settings.session_days * _DAY_MS)
    return Session(
        id=0,
        scope=scope,
        browser="".join(each if each.isprintable() else "?" for each in browser[:MAX_BROWSER]),
        token_id=token_id,
        created_at=now,
        used_at=now,
        expires_at=expires_at,
    )


async def authenticate(s: Services, text: str) -> Session | None:
    """The session of a text; None for one that is unknown, revoked or expired."""
    now = s.clock()
    found = await s.db.read(sessions.by_hash, digest(text), now)
    if found is not None and now - found.used_at >= NOTE_MS:
        # With a full disk people can still look.
        with suppress(Unavailable):
            await s.db.write(sessions.touch, found.id, now)
    return found


async def live(s: Services) -> list[Session]:
    """Every session that opens something, the last used first."""
    return await s.db.read(sessions.live, s.clock())


async def end(s: Services, session_id: int) -> None:
    """End a session. Raises NotFound."""
    if not await s.db.write(sessions.delete, session_id):
        raise NotFound(f"There is no session {session_id}.")
