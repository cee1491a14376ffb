"""Who may ask at all: the Host header against DNS rebinding, Origin and Sec-Fetch-Site against other websites."""

import re
from collections.abc import Sequence

from agentrunner.api.call import Call
from agentrunner.config import Settings
from agentrunner.domain.errors import Forbidden, WrongHost

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
WILDCARDS = ("", "0.0.0.0", "::", "*")
_HOST = re.compile(r"^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$")
_API = ("/v1/", "/api/", "/metrics", "/projects", "/runs", "/worker")
_MOST_ADMITTED = 100
_METHODS = b"GET, POST, PATCH, DELETE"
_HEADERS = b"authorization, content-type, idempotency-key, last-event-id, x-api-key"


def split(text: str) -> tuple[str, ...]:
    """The parts of a setting that is a list separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


class Doorkeeper:
    """The names this server answers to, and the origins that browsers may call it from."""

    def __init__(self, settings: Settings, host: str | None) -> None:
        bound = () if host is None or host in WILDCARDS else (f"[{host}]" if ":" in host else host,)
        self._names = {name.lower() for name in (*_LOOPBACK, *bound, *split(settings.allow_hosts))}
        self._admitted: dict[bytes, str] = {}
        self._origins = {origin.rstrip("/") for origin in split(settings.cors_origins)}

    def admit(self, call: Call) -> None:
        """Refuse a foreign Host or Origin; remember the CORS headers of a configured one. Raises WrongHost, Forbidden.

        The Unix socket is exempt from the check of the Host: no browser reaches it.
        """
        host = self._checked_host(call)
        origin = call.header(b"origin")
        if origin is None:
            self._check_site(call)
        elif origin in self._origins:
            call.cors = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", b"x-request-id"),
                (b"vary", b"origin"),
            ]
        elif host is None or origin.lower() not in (f"http://{host}", f"https://{host}"):
            raise Forbidden(
                f"The origin {origin[:200]!r} may not call this server; start it with the setting `cors_origins` "
                "to accept it."
            )

    def _checked_host(self, call: Call) -> str | None:
        given = call.headers.get(b"host", b"") if call.is_single(b"host") else b""
        if (known := self._admitted.get(given)) is not None and not call.local:
            return known
        text = given.decode("latin-1").lower()
        if call.local:
            return text or None
        match = _HOST.match(text)
        if match is None or match[1] not in self._names:
            raise WrongHost(
                f"This server is not called {text[:200]!r}; start it with `--allow-host NAME` to accept the name."
            )
        if len(self._admitted) < _MOST_ADMITTED:
            self._admitted[given] = text
        return text

    @staticmethod
    def _check_site(call: Call) -> None:
        """Browsers leave Origin out of some requests but say where they come from.

        A link on another site may lead a person to a page, never to the API.
        """
        site = call.header(b"sec-fetch-site")
        if site in (None, "same-origin", "none"):
            return
        is_visit = call.method == "GET" and call.header(b"sec-fetch-mode") == "navigate"
        if not is_visit or call.path.startswith(_API):
            raise Forbidden("Another website may not call this server.")

    def preflight(self, call: Call) -> Sequence[tuple[bytes, bytes]] | None:
        """The headers that answer a browser's preflight of a configured origin; None where it is none."""
        if call.method != "OPTIONS" or not call.cors or call.header(b"access-control-request-method") is None:
            return None
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", b"600"),
        ]
