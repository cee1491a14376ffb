"""`/console/login?code=…`: where a one-time link leads.

A link is also fetched by those who only look: previews of chats and terminals, scanners of mail, browsers that load
ahead. So GET alone uses a code up only where the request says that a person's browser goes there (Fetch metadata, which
browsers send to loopback and under TLS). Everybody else gets a page with a button, and what the button sends uses it.
"""

from html import escape
from urllib.parse import parse_qs

from agentrunner.api import cookies, sessions
from agentrunner.api.call import Call, Fixed
from agentrunner.api.console import HTML, PAGE, PREFIX, lead
from agentrunner.api.context import Context
from agentrunner.domain.errors import MethodNotAllowed, UnsupportedMediaType
from agentrunner.engine import sessions as signing

_EXPIRED = f"{PREFIX}?login=expired"
_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 4096
_LONGEST_CODE = 200
# Under no-referrer a browser says `Origin: null` of a form, which is as good as another website.
_REFERRER = (b"referrer-policy", b"strict-origin")
_FORM_PAGE = Fixed([*(each for each in PAGE.headers if each[0] != _REFERRER[0]), _REFERRER])
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Sign in - Agent Runner</title>
<link rel="icon" href="/console/icon.svg"></head>
<body><main>
<h1>Sign in to Agent Runner</h1>
<form method="post" action="{action}"><input type="hidden" name="code" value="{code}">
<button type="submit" autofocus>Sign in</button></form>
</main></body>
</html>
"""


async def serve(context: Context, call: Call) -> None:
    """Answer what a one-time link asks for. Raises MethodNotAllowed, UnsupportedMediaType."""
    call.fixed = PAGE
    if call.method == "POST":
        if call.media_type() != _FORM:
            raise UnsupportedMediaType(f"The sign-in page sends its code as {_FORM}.")
        content = await call.body(_FORM_BYTES)
        await _enter(context, call, _code(content))
    elif call.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("A browser signs in by GET or POST.", allow=["GET", "HEAD", "POST"])
    elif (code := _code(call.scope["query_string"])) is None:
        await lead(call, PREFIX)
    elif _is_visit(call):
        await _enter(context, call, code)
    else:
        call.fixed = _FORM_PAGE
        page = _PAGE.format(action=escape(sessions.LOGIN), code=escape(code))
        await call.answer(page.encode(), 200, HTML)


def _code(content: bytes) -> str | None:
    """The code of a query string or a form; None where none is said."""
    try:
        found = parse_qs(content.decode("ascii"), max_num_fields=10).get("code", [])
    except ValueError:
        return None
    return found[0] if found and len(found[0]) <= _LONGEST_CODE and found[0].isascii() else None


def _is_visit(call: Call) -> bool:
    """True where a browser says that it goes there now, not ahead of its user."""
    purposes = (call.header(b"sec-purpose"), call.header(b"purpose"), call.header(b"x-moz"))
    return (
        call.method == "GET"
        and call.header(b"sec-fetch-mode") == "navigate"
        and call.header(b"sec-fetch-dest") == "document"
        and not any(purposes)
    )


async def _enter(context: Context, call: Call, code: str | None) -> None:
    entered = None if code is None else await signing.enter(context.services, code, sessions.browser(call))
    if entered is not None:
        await lead(call, PREFIX, [sessions.cookie(call, *entered)])
    elif await _is_signed_in(context, call):
        # The same link opened again, by going back or by restoring tabs.
        await lead(call, PREFIX)
    else:
        await lead(call, _EXPIRED)


async def _is_signed_in(context: Context, call: Call) -> bool:
    text = cookies.sent(call)
    return text is not None and await signing.authenticate(context.services, text) is not None
