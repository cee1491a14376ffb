"""A small client of one server: finds it, sends the token, repeats what may be repeated, raises the server's errors."""

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from agentrunner import __version__
from agentrunner.client.errors import error_of
from agentrunner.client.request import TRIES, Request, pauses
from agentrunner.client.target import Target, find
from agentrunner.config import Settings
from agentrunner.domain.errors import AgentRunnerError, ConfigurationError, QueryTimeout, ServerUnreachable, Unavailable

T = TypeVar("T")

CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 30.0
STREAM_SILENCE_S = 45.0
"""A stream says something every 15 s; one that is silent for three times that is dead."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_O_PATH = getattr(os, "O_PATH", os.O_RDONLY)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int
    content: bytes

    def decoded(self, kind: type[T]) -> T:
        """The body as `kind`. Raises AgentRunnerError where another version answers in another way."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AgentRunnerError(
                f"The server's answer is not understood by version {__version__} ({error}); use the server's version."
            ) from error


class Http:
    """A connection to one server, used by one thread at a time. Close it, or use it in a `with` block."""

    def __init__(self, target: Target, *, chance: Callable[[], float] = random.random) -> None:
        self.target = target
        self._chance = chance
        self._directory: int | None = None
        self._socket_path = None if target.socket is None else self._short(target.socket)
        headers = {"user-agent": f"agentrunner/{__version__}", "accept": "application/json"}
        if target.token:
            headers["authorization"] = f"Bearer {_printable(target.token)}"
        timeout = httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S)
        self._client = httpx.Client(
            base_url=target.url, headers=headers, timeout=timeout, transport=self._transport(), trust_env=False
        )

    @classmethod
    def connect(cls, settings: Settings) -> "Http":
        """A client of the server that the settings lead to. Raises BadSetting, ConfigurationError."""
        return cls(find(settings))

    def _transport(self) -> httpx.HTTPTransport:
        # Loading the system's certificates takes longer than a whole command; plain HTTP has no use for them.
        is_secure = self.target.url.startswith("https:")
        return httpx.HTTPTransport(uds=self._socket_path, verify=is_secure)

    def _probe(self) -> None:
        """See that somebody listens; it costs microseconds, and httpcore leaves a refused socket unclosed."""
        if self._socket_path is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_WITHIN_S)
                probe.connect(self._socket_path)
        except OSError as error:
            raise _Failed(self._unreachable(error), is_sent=False) from error

    def _short(self, path: Path) -> str:
        """The socket through an open descriptor of its directory where its path has more than a socket's 107 bytes."""
        if len(os.fsencode(path)) <= 107:
            return str(path)
        try:
            self._directory = os.open(path.parent, _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ServerUnreachable(f"{path.parent} cannot be opened: {error.strerror}.") from error
        return f"/proc/self/fd/{self._directory}/{path.name}"

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; more than once is harmless."""
        self._client.close()
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def get(self, path: str, kind: type[T], params: tuple[tuple[str, str], ...] = ()) -> T:
        """What is at an address. Raises the errors of the tree, ServerUnreachable among them."""
        return self.send(Request("GET", path, params)).decoded(kind)

    def send(self, request: Request) -> Answer:
        """Send a request, again where that can do no harm: a few times within some seconds.

        Raises ServerUnreachable where nobody answers, else the server's own error.
        """
        waiting = pauses(self._chance)
        left = TRIES
        while True:
            left -= 1
            try:
                return self._once(request)
            except _Failed as failure:
                if left == 0 or not self._is_worth_a_try(request, failure):
                    raise failure.told from failure.__cause__
            except Unavailable as error:
                # A search that took too long would take as long again.
                if left == 0 or not request.may_be_repeated or isinstance(error, QueryTimeout):
                    raise
            time.sleep(next(waiting))

    def _is_worth_a_try(self, request: Request, failure: "_Failed") -> bool:
        if failure.is_late:
            return False
        return request.may_be_repeated if failure.is_sent else not self.target.is_guess

    def _once(self, request: Request) -> Answer:
        headers: dict[str, str] = {}
        if request.body is not None:
            headers["content-type"] = "application/json"
        if request.key is not None:
            headers["idempotency-key"] = request.key
        with self._translated():
            response = self._client.request(
                request.method,
                request.path,
                params=list(request.params) or None,
                content=request.body,
                headers=headers,
            )
        if response.status_code >= 300:
            raise error_of(response.status_code, response.content)
        return Answer(response.status_code, response.content)

    @contextmanager
    def stream(self, path: str, last_id: int) -> Iterator[Iterator[bytes]]:
        """The bytes of a stream of server-sent events behind `last_id`, as they come; never repeated by itself.

        Raises ServerUnreachable, also while the bytes are read, and the server's own errors.
        """
        headers = {"accept": "text/event-stream", "last-event-id": str(last_id)}
        timeout = httpx.Timeout(STREAM_SILENCE_S, connect=CONNECT_WITHIN_S)
        try:
            with (
                self._translated(),
                self._client.stream("GET", path, headers=headers, timeout=timeout) as response,
            ):
                if response.status_code >= 300:
                    raise error_of(response.status_code, response.read())
                yield response.iter_bytes()
        except _Failed as failure:
            raise failure.told from failure.__cause__

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Foreign exceptions as ours: whether the request can have arrived decides if it may be sent again."""
        self._probe()
        try:
            yield
        except _NOT_SENT as error:
            raise _Failed(self._unreachable(error), is_sent=False) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise ConfigurationError(f"No request can be sent to {self.target.words}: {error}.") from error
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError) as error:
            late = isinstance(error, httpx.TimeoutException)
            raise _Failed(self._unreachable(error), is_late=late) from error

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        where = self.target.words
        why = str(error) or type(error).__name__
        if isinstance(error, httpx.ReadTimeout):
            return ServerUnreachable(f"The server at {where} took too long to answer; see its log, then try again.")
        if "Permission denied" in why:
            return ServerUnreachable(f"You may not open {where}: the server is another user's.")
        if self.target.socket is None and not self.target.is_guess:
            return ServerUnreachable(f"No server answers at {where} ({why}); check the address and that it runs.")
        return ServerUnreachable(f"No server answers at {where}; start one with `agentrunner up`.")


class _Failed(Exception):
    """A request without an answer. `is_sent`: it may have been carried out; `is_late`: time ran out."""

    def __init__(self, told: ServerUnreachable, *, is_sent: bool = True, is_late: bool = False) -> None:
        super().__init__(told.detail)
        self.told = told
        self.is_sent = is_sent
        self.is_late = is_late


def _printable(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("The token contains characters that no token has; set AGENTRUNNER_TOKEN again.")
    return token


def encoded(value: Any) -> bytes:
    """A body as JSON."""
    return msgspec.json.encode(value)
