"""Signing browsers in and out: one-time links, sessions by cookie, and tokens exchanged for one."""

from typing import Annotated

import msgspec
from litestar import delete
from litestar.params import PathParameter
from msgspec import Meta

from agentrunner.api import cookies, query
from agentrunner.api.call import JSON, Call
from agentrunner.api.context import Context
from agentrunner.api.routes import Given, Raw
from agentrunner.domain.errors import Unauthorized
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.session import Session, SessionView, view
from agentrunner.domain.token import Scope
from agentrunner.engine import sessions

LOGIN = "/console/login"
_BODY_BYTES = 16 * 1024


class NewLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a one-time link; `scope` is what the browser may do (`admin` or `read`)."""

    scope: Scope = Scope.ADMIN


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A link that signs one browser in, once, until `expires_at`; `code` is what makes it so, not to be logged."""

    url: str
    code: str
    expires_at: str


class TokenLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be exchanged for a session."""

    token: Annotated[str, Meta(min_length=1, max_length=512)]


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a new session opens, and until when; the session itself is in the cookie, where no script sees it."""

    scope: Scope
    expires_at: str


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there was a session to end."""

    ended: bool


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every session, the last used first."""

    items: list[SessionView]
    next_cursor: str | None


async def invite(context: Context, call: Call, _: str) -> None:
    """`POST /v1/logins`."""
    query.check(call.scope["query_string"], (), ())
    call.expect_json()
    content = await call.body(_BODY_BYTES)
    with call.decoding():
        asked = msgspec.json.decode(content or b"{}", type=NewLogin)
    code, until = await sessions.invite(context.services, asked.scope)
    url = f"{_base(context, call)}{LOGIN}?code={code}"
    await call.json(Login(url=url, code=code, expires_at=rfc3339(until)), 201)


def _base(context: Context, call: Call) -> str:
    """Where a browser finds this server: as the asker did, from the socket where it listens; empty without TCP."""
    if call.local:
        return context.console.address or ""
    return f"{'https' if cookies.came_by_tls(call) else 'http'}://{call.header(b'host')}"


async def exchange(context: Context, call: Call, _: str) -> None:
    """`POST /v1/logins/token`."""
    query.check(call.scope["query_string"], (), ())
    asked = await call.decoded(TokenLogin, _BODY_BYTES)
    if not asked.token.isascii():
        raise Unauthorized("This is not a token of Agent Runner: those begin with `ar_`.")
    text, session = await sessions.exchange(context.services, asked.token.strip(), browser(call))
    answer = msgspec.json.encode(SignedIn(scope=session.scope, expires_at=rfc3339(session.expires_at)))
    await call.answer(answer, 200, JSON, [cookie(call, text, session)])


def browser(call: Call) -> str:
    """What a browser calls itself."""
    return call.header(b"user-agent") or "unknown"


def cookie(call: Call, text: str, session: Session) -> tuple[bytes, bytes]:
    """The header that signs a browser in."""
    return cookies.kept(call, text, (session.expires_at - session.created_at) // 1000)


async def logout(context: Context, call: Call, _: str) -> None:
    """`POST /v1/logout`."""
    query.check(call.scope["query_string"], (), ())
    current = await _current(context, call)
    if current is not None:
        await sessions.end(context.services, current)
        context.tokens.forget()
    answer = msgspec.json.encode(SignedOut(ended=current is not None))
    await call.answer(answer, 200, JSON, cookies.forgotten(call))


async def _current(context: Context, call: Call) -> int | None:
    text = cookies.sent(call)
    found = None if text is None else await sessions.authenticate(context.services, text)
    return None if found is None else found.id


async def page(context: Context, call: Call, _: str) -> None:
    """`GET /v1/sessions`."""
    query.check(call.scope["query_string"], (), ())
    current = await _current(context, call)
    found = await sessions.live(context.services)
    await call.json(SessionPage(items=[view(each, current) for each in found], next_cursor=None))


@delete("/v1/sessions/{session_id:int}", opt={"scope": Scope.ADMIN}, summary="End a session")
async def revoke(context: Given, session_id: Annotated[int, PathParameter(ge=1, le=query.MAX_ID)]) -> None:
    """Sign a browser out; every server process refuses it within 5 s."""
    await sessions.end(context.services, session_id)
    context.tokens.forget()


HANDLERS = [revoke]
_TOKEN_SUMMARY = "Sign a browser in with a token: sets the cookie of a session, so that no script has to keep the token"
ROUTES = [
    Raw(
        "POST",
        "/v1/logins",
        Scope.ADMIN,
        invite,
        "Make a link that signs one browser in, once, within five minutes",
        bodies={"application/json": NewLogin},
        answers={201: Login},
        may_be_empty=True,
    ),
    Raw(
        "POST",
        "/v1/logins/token",
        None,
        exchange,
        _TOKEN_SUMMARY,
        bodies={"application/json": TokenLogin},
        answers={200: SignedIn},
    ),
    Raw("POST", "/v1/logout", Scope.READ, logout, "Sign this browser out", answers={200: SignedOut}),
    Raw("GET", "/v1/sessions", Scope.ADMIN, page, "List signed-in browsers", answers={200: SessionPage}),
]
