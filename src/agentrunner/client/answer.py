"""What every kind of client shares around one request: its headers, its answer, its failure, and whether to try again.

Pure but for the Unix socket that it looks at; a client that waits and one that awaits use it alike.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from agentrunner import __version__
from agentrunner.client.errors import error_of
from agentrunner.client.request import TRIES, Request, pauses
from agentrunner.client.target import Target
from agentrunner.domain.errors import AgentRunnerError, ConfigurationError, QueryTimeout, ServerUnreachable, Unavailable

T = TypeVar("T")

CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 30.0
STREAM_SILENCE_S = 45.0
"""A stream says something every 15 s; one that is silent for three times that is dead."""
TIMEOUT = httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S)
STREAM_TIMEOUT = httpx.Timeout(STREAM_SILENCE_S, connect=CONNECT_WITHIN_S)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_LONGEST_SOCKET_PATH = 107
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


def read(response: httpx.Response) -> Answer:
    """The answer in a response that was read. Raises the server's error."""
    if response.status_code >= 300:
        raise error_of(response.status_code, response.content)
    return Answer(response.status_code, response.content)


class Failed(Exception):
    """A request without an answer. `is_sent`: it may have been carried out; `is_late`: time ran out."""

    def __init__(self, told: ServerUnreachable, *, is_sent: bool = True, is_late: bool = False) -> None:
        super().__init__(told.detail)
        self.told = told
        self.is_sent = is_sent
        self.is_late = is_late


class Tries:
    """Whether one request is sent again after an error, and how long to wait before that."""

    def __init__(self, request: Request, target: Target, chance: Callable[[], float], most: int = TRIES) -> None:
        self._request = request
        self._target = target
        self._waiting = pauses(chance)
        self._left = most

    def after(self, error: Failed | Unavailable) -> float:
        """Seconds to wait. Raises what is to be told where this was the last try, or another can do no good."""
        self._left -= 1
        if isinstance(error, Failed):
            if self._left == 0 or not self._is_worth_it(error):
                raise error.told from error.__cause__
        # A search that took too long would take as long again.
        elif self._left == 0 or not self._request.may_be_repeated or isinstance(error, QueryTimeout):
            raise error
        return next(self._waiting)

    def _is_worth_it(self, failure: Failed) -> bool:
        if failure.is_late:
            return False
        return self._request.may_be_repeated if failure.is_sent else not self._target.is_guess


class Way:
    """How a target is reached: its Unix socket by a path that is short enough. Close it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._directory: int | None = None
        self.socket_path = None if target.socket is None else self._short(target.socket)

    @property
    def is_secure(self) -> bool:
        """Whether certificates are looked at: loading them takes longer than a whole command over plain HTTP."""
        return self.target.url.startswith("https:")

    def headers(self) -> dict[str, str]:
        """What every request says. Raises ConfigurationError."""
        found = {"user-agent": f"agentrunner/{__version__}", "accept": "application/json"}
        if self.target.token:
            found["authorization"] = f"Bearer {_printable(self.target.token)}"
        return found

    def _short(self, path: Path) -> str:
        """The socket through an open descriptor of its directory where its path has more than a socket's 107 bytes."""
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return str(path)
        try:
            self._directory = os.open(path.parent, _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ServerUnreachable(f"{path.parent} cannot be opened: {error.strerror}.") from error
        return f"/proc/self/fd/{self._directory}/{path.name}"

    def close(self) -> None:
        """More than once is harmless."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _probe(self) -> None:
        """See that somebody listens; it costs microseconds, and httpcore leaves a refused socket unclosed."""
        if self.socket_path is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_WITHIN_S)
                probe.connect(self.socket_path)
        except OSError as error:
            raise Failed(self._unreachable(error), is_sent=False) from error

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Foreign exceptions as ours: whether the request can have arrived decides if it may be sent again."""
        self._probe()
        try:
            yield
        except _NOT_SENT as error:
            raise Failed(self._unreachable(error), is_sent=False) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise ConfigurationError(f"No request can be sent to {self.target.words}: {error}.") from error
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError) as error:
            late = isinstance(error, httpx.TimeoutException)
            raise Failed(self._unreachable(error), is_late=late) from error

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


def _printable(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("The token contains characters that no token has; set AGENTRUNNER_TOKEN again.")
    return token
