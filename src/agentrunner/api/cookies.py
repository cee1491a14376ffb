"""The cookie of a session: what a browser sends of it, and how it is set and taken away."""

from agentrunner.api.call import Call

NAME = "ar_session"
SECURE_NAME = "__Host-ar_session"
"""Under TLS: a browser takes it only as we set it, and sends it only under TLS and only here."""
CHANGING = b"x-agentrunner-console"
"""What a change by cookie has to carry: a form of another site cannot send it, a script of one only by our leave."""
_LONGEST = 512


def came_by_tls(call: Call) -> bool:
    """True where the browser speaks TLS, to us or to the proxy before us.

    A client that lies about it only gets a cookie that it will not send.
    """
    forwarded = (call.header(b"x-forwarded-proto") or "").partition(",")[0].strip().lower()
    return "https" in (call.scope.get("scheme"), forwarded)


def sent(call: Call) -> str | None:
    """The text of the session that a request carries."""
    found: dict[str, str] = {}
    for part in (call.header(b"cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    text = found.get(SECURE_NAME) or found.get(NAME)
    return text if text and len(text) <= _LONGEST else None


def kept(call: Call, text: str, seconds: int) -> tuple[bytes, bytes]:
    """The header that makes a browser keep a session."""
    secure = came_by_tls(call)
    name = SECURE_NAME if secure else NAME
    value = f"{name}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
    return (b"set-cookie", value.encode())


def forgotten(call: Call) -> list[tuple[bytes, bytes]]:
    """The headers that make it forget one."""
    gone = "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
    found = [(b"set-cookie", f"{NAME}{gone}".encode())]
    if came_by_tls(call):
        found.append((b"set-cookie", f"{SECURE_NAME}{gone}; Secure".encode()))
    return found
