"""One HTTP request and its answer: bounded reading, problem documents, the headers that every answer has."""

import asyncio
import codecs
import random
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from agentrunner.api import date, errors, exchange, refusals
from agentrunner.api.asgi import Bounds, Message, Receive, Scope, Send
from agentrunner.domain.errors import (
    AgentRunnerError,
    BodyTooLarge,
    InvalidRequest,
    RequestTimeout,
    UnsupportedMediaType,
)
from agentrunner.domain.token import Scope as TokenScope

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]

BODY_BYTES = 1024 * 1024
JSON = b"application/json"
_LINGER_BYTES = 64 * 1024 * 1024
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class Fixed:
    """Headers that do not depend on the request, as pairs and as the lines they become."""

    __slots__ = ("headers", "lines")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.lines = _lines(headers)


_FIXED = Fixed(SECURITY)


class _Decoding:
    """A block in which a body is decoded; one for all, as a generator for each would cost as much as the decoding."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
            raise errors.of_decoding(error) from error


_DECODING = _Decoding()


class Call:
    """One request. `local` says that it came over the Unix socket, `held` what its token opens (None: no token)."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, bounds: Bounds, *, local: bool) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.local = local
        self.bounds = bounds
        self.request_id = new_request_id()
        # Of a header that comes twice the first counts.
        self.headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self.held: TokenScope | None = None
        self.cors: Headers = []
        self.fixed = _FIXED
        self.template = "unknown"
        self.status = 0
        self.body_limit = BODY_BYTES
        self.exchange = exchange.of(send)
        self._receive = receive
        self._send = send
        self._received = 0
        self._body_ended = (
            self.headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in self.headers
        )
        self._deadline: float | None = None
        self._utf8: codecs.IncrementalDecoder | None = None

    def header(self, name: bytes) -> str | None:
        """The first header of this (lower-case) name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def is_single(self, name: bytes) -> bool:
        """False for a header that comes twice."""
        given = self.scope["headers"]
        return len(given) == len(self.headers) or sum(name == each for each, _ in given) < 2

    def media_type(self) -> str:
        """The body's content type without parameters; empty where none is said."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    def expect_json(self) -> None:
        """Refuse a body that says it is something else. Raises UnsupportedMediaType."""
        kind = self.media_type()
        if not self._body_ended and kind and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(f"The body is sent as {kind[:100]!r}; send `content-type: application/json`.")

    def expect_utf8(self) -> None:
        """Check what arrives while it arrives, for readers that do not. Raises InvalidRequest from `receive`."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def announce_body(self, limit: int) -> None:
        """Set how large a body is taken; refuses one that says beforehand to be larger. Raises BodyTooLarge."""
        self.body_limit = limit
        length = self.headers.get(b"content-length")
        if length is None:
            return
        if not length.isdigit() or len(length) > 18:
            raise InvalidRequest("The header content-length is not a number.")
        if int(length) > limit:
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body is larger than the {self.body_limit} bytes that {self.path} takes; send less.")

    async def receive(self) -> Message:
        """The next message of the client, bounded in size and time. Raises BodyTooLarge, RequestTimeout."""
        if self._body_ended:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self.bounds.body_s
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimeout(f"The body did not arrive within {self.bounds.body_s:g} s; send it again.") from error
        if message["type"] == "http.disconnect":
            raise Gone
        self._received += len(message.get("body", b""))
        self._body_ended = not message.get("more_body", False)
        if self._received > self.body_limit:
            raise self._too_large()
        if self._utf8 is not None:
            with self.decoding():
                self._utf8.decode(message.get("body", b""), self._body_ended)
        return message

    async def body(self, limit: int = BODY_BYTES) -> bytes:
        """The whole body. Raises BodyTooLarge, RequestTimeout, Gone."""
        self.announce_body(limit)
        if self.exchange is not None and (content := self.exchange.whole_body()) is not None:
            self._body_ended = True
            if len(content) > limit:
                raise self._too_large()
            return content
        chunks: list[bytes] = []
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def answer(self, content: bytes, status: int = 200, kind: bytes = JSON, more: Headers | None = None) -> None:
        """The whole answer; `more` are headers of its own."""
        if self.exchange is None or self.method == "HEAD":
            head = [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *(more or ())]
            await self.send({"type": "http.response.start", "status": status, "headers": head})
            await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else content})
            return
        self.status = status
        own = b"content-type: %b\r\ncontent-length: %d\r\ndate: %b\r\nx-request-id: %b\r\n"
        lines = own % (kind, len(content), date.value(), self.request_id.encode()) + self.fixed.lines
        if more or self.cors:
            lines += _lines([*(more or ()), *self.cors])
        await self.exchange.answer(status, lines, content)

    async def nothing(self, status: int, more: Headers) -> None:
        """An answer without content."""
        head = more if status in (204, 304) else [(b"content-length", b"0"), *more]
        await self.send({"type": "http.response.start", "status": status, "headers": head})
        await self.send({"type": "http.response.body", "body": b""})

    async def json(self, value: Any, status: int = 200) -> None:
        """The whole answer, from a struct."""
        await self.answer(msgspec.json.encode(value), status)

    async def send(self, message: Message) -> None:
        """Send, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"date", date.value()), (b"x-request-id", self.request_id.encode())]
            message["headers"] = [*message.get("headers", ()), *own, *self.fixed.headers, *self.cors]
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Answer an error in the form of its surface; one after the answer began cuts the connection."""
        if isinstance(error, Gone):
            return
        known = errors.translate(error, f"{self.method} {self.path[:200]}")
        if known.status >= 500 and not isinstance(error, AgentRunnerError):
            errors.log.error(
                "request failed", request_id=self.request_id, path=self.path[:500], exception=errors.trace(error)
            )
        if self.status:
            self.abort()
            return
        await self._refuse(known)

    async def _refuse(self, error: AgentRunnerError) -> None:
        refusal = refusals.of(self.path)
        content = refusal.body(error, self.request_id)
        head = [
            (b"content-type", refusal.kind),
            (b"content-length", b"%d" % len(content)),
            *errors.headers(error),
        ]
        if not self._body_ended:
            head.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": refusal.status(error), "headers": head})
        if self._body_ended:
            await self.send({"type": "http.response.body", "body": content})
            return
        await self.send({"type": "http.response.body", "body": content, "more_body": True})
        await self._linger()
        await self.send({"type": "http.response.body", "body": b""})

    async def _linger(self) -> None:
        """Throw away what still comes: closing at once would reset the connection before the answer is read."""
        left, more = _LINGER_BYTES, True
        with suppress(TimeoutError):
            async with asyncio.timeout(self.bounds.linger_s):
                while more and left > 0:
                    message = await self._receive()
                    more = message.get("more_body", False)
                    left -= len(message.get("body", b""))

    async def gone(self) -> None:
        """Return once the client has closed; for routes that have read their body."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Cut the connection, where there is a real one."""
        if (connection := self.scope.get("extensions", {}).get("agentrunner.connection")) is not None:
            connection.abort()

    def waiting_bytes(self) -> int:
        """Bytes that the system has not taken yet."""
        connection = self.scope.get("extensions", {}).get("agentrunner.connection")
        return 0 if connection is None else connection.waiting_bytes()

    def untaken_bytes(self) -> int:
        """Bytes that the client has not taken yet."""
        connection = self.scope.get("extensions", {}).get("agentrunner.connection")
        return 0 if connection is None else connection.untaken_bytes()

    def decoding(self) -> "_Decoding":
        """Translate what decoding a body raises."""
        return _DECODING

    async def decoded(self, kind: type[T], limit: int = BODY_BYTES) -> T:
        """The body as `kind`. Raises InvalidRequest, InvalidField, UnsupportedMediaType."""
        self.expect_json()
        content = await self.body(limit)
        with self.decoding():
            return decode(content, kind)


def new_request_id() -> str:
    """Names a request in answers and logs; no secret."""
    # The system's random bits would release the GIL, and under load getting it back costs half of an event's time.
    return f"{random.getrandbits(64):016x}"


class Gone(Exception):
    """The client closed the connection before it had sent its request."""


def decode(content: bytes, kind: type[T]) -> T:
    """A struct from JSON. Raises UnicodeDecodeError, msgspec.DecodeError."""
    check_utf8(content)
    return msgspec.json.decode(content, type=kind)


def check_utf8(content: bytes) -> None:
    """Check the whole text: msgspec leaves the inside of a `Raw` unchecked for UTF-8. Raises UnicodeDecodeError."""
    if not content.isascii():
        content.decode()
