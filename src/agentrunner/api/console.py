"""The console under `/console/`: files of the package, served to everybody, for they hold no secret.

They come from a table that was read at the start, so no path of a request ever becomes a path of the disk.
"""

from collections.abc import Mapping

from agentrunner.api import console_files
from agentrunner.api.call import SECURITY, Call, Fixed, Headers
from agentrunner.api.console_files import ASSETS, INDEX, File
from agentrunner.domain.errors import MethodNotAllowed, NotFound

PREFIX = "/console/"
HTML = b"text/html; charset=utf-8"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect", "manifest")),
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_FEATURES = """
    accelerometer autoplay browsing-topics camera display-capture encrypted-media fullscreen gamepad
    geolocation gyroscope hid identity-credentials-get idle-detection keyboard-map local-fonts magnetometer microphone
    midi payment picture-in-picture publickey-credentials-create publickey-credentials-get screen-wake-lock serial
    storage-access usb window-management xr-spatial-tracking
""".split()


def _headers(cache: bytes) -> Fixed:
    own = [
        (b"content-security-policy", _POLICY.encode()),
        (b"permissions-policy", ", ".join(f"{name}=()" for name in _FEATURES).encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cache-control", cache),
    ]
    names = {name for name, _ in own}
    return Fixed([*(header for header in SECURITY if header[0] not in names), *own])


PAGE = _headers(b"no-store")
_ASSET = _headers(b"public, max-age=31536000, immutable")
_CHECKED = _headers(b"no-cache")
_NOT_BUILT = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Agent Runner</title></head>
<body><main>
<h1>Agent Runner runs; its console is not built here</h1>
<p>This server was started from a checkout without the console. Build it, then start the server again:</p>
<pre>make console</pre>
<p>or install the wheel of Agent Runner, which has it. Everything works without: <code>agentrunner ps</code>,
<code>agentrunner --help</code>, and the API, described at <code>/openapi.json</code>.</p>
</main></body>
</html>
"""


def is_below(path: str) -> bool:
    """True for what belongs to the console."""
    return path.startswith(PREFIX) or path == "/console"


def wants_page(call: Call) -> bool:
    """True for a browser that goes somewhere, false for a program that asks for data."""
    return call.method in ("GET", "HEAD") and "text/html" in (call.header(b"accept") or "")


class Console:
    """The files of one server process; `address` is where browsers reach it, once it listens on TCP."""

    def __init__(self, files: Mapping[str, File] | None = None) -> None:
        self.files = console_files.load() if files is None else files
        self.address: str | None = None

    @property
    def is_built(self) -> bool:
        """False in a checkout where nobody has built it."""
        return INDEX in self.files

    async def serve(self, call: Call) -> None:
        """Answer a request for a file or a page. Raises NotFound, MethodNotAllowed."""
        call.fixed = PAGE
        if call.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("The console's files can only be read.", allow=["GET", "HEAD"])
        if call.path == "/console":
            await lead(call, PREFIX)
            return
        file = self._find(call)
        if file is not None:
            await _send(call, file)
        elif self.is_built or not wants_page(call):
            raise NotFound("The console has no such file.")
        else:
            await call.answer(_NOT_BUILT, 200, HTML)

    def _find(self, call: Call) -> File | None:
        """The file of a path; the index for an address that the console itself knows, which only a browser opens."""
        name = call.path.removeprefix(PREFIX) or INDEX
        if (file := self.files.get(name)) is not None:
            return file
        if name.startswith(ASSETS) or not wants_page(call):
            return None
        return self.files.get(INDEX)


async def _send(call: Call, file: File) -> None:
    coding, content = file.best(call.header(b"accept-encoding"))
    call.fixed = _ASSET if file.is_asset else _CHECKED
    more: Headers = [(b"vary", b"accept-encoding"), (b"etag", content.etag)]
    if _is_known(call.header(b"if-none-match"), content.etag):
        await call.nothing(304, more)
        return
    if coding != "identity":
        more.append((b"content-encoding", coding.encode()))
    await call.answer(content.data, 200, file.kind, more)


def _is_known(given: str | None, etag: bytes) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in (given or "").split(",")]
    return "*" in tags or etag.decode() in tags


async def lead(call: Call, address: str, more: Headers | None = None) -> None:
    """Send a browser to another address of this server."""
    await call.nothing(303, [(b"location", address.encode()), *(more or ())])
