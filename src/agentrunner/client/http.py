"""A small client of one server: finds it, sends the token, repeats what may be repeated, raises the server's errors."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import httpx

from agentrunner.client.answer import STREAM_TIMEOUT, TIMEOUT, Answer, Failed, Tries, Way, read
from agentrunner.client.call import Call
from agentrunner.client.errors import error_of
from agentrunner.client.request import TRIES, Request, stream_headers
from agentrunner.client.request import encoded as encoded
from agentrunner.client.target import Target, find
from agentrunner.config import Settings
from agentrunner.domain.errors import Unavailable

T = TypeVar("T")


class Http:
    """A connection to one server, used by one thread at a time. Close it, or use it in a `with` block."""

    def __init__(self, target: Target, *, chance: Callable[[], float] = random.random, most_tries: int = TRIES) -> None:
        self.target = target
        self._chance = chance
        self._most_tries = most_tries
        self._way = Way(target)
        transport = httpx.HTTPTransport(uds=self._way.socket_path, verify=self._way.is_secure)
        self._client = httpx.Client(
            base_url=target.url, headers=self._way.headers(), timeout=TIMEOUT, transport=transport, trust_env=False
        )

    @classmethod
    def connect(cls, settings: Settings) -> "Http":
        """A client of the server that the settings lead to. Raises BadSetting, ConfigurationError."""
        return cls(find(settings))

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; more than once is harmless."""
        self._client.close()
        self._way.close()

    def get(self, path: str, kind: type[T], params: tuple[tuple[str, str], ...] = ()) -> T:
        """What is at an address. Raises the errors of the tree, ServerUnreachable among them."""
        return self.send(Request("GET", path, params)).decoded(kind)

    def call(self, call: Call[T]) -> T:
        """What a call answers. Raises as `send`."""
        return call.read(self.send(call.request))

    def send(self, request: Request) -> Answer:
        """Send a request, again where that can do no harm: a few times within some seconds.

        Raises ServerUnreachable where nobody answers, else the server's own error.
        """
        tries = Tries(request, self.target, self._chance, self._most_tries)
        while True:
            try:
                return self._once(request)
            except (Failed, Unavailable) as error:
                pause = tries.after(error)
            time.sleep(pause)

    def _once(self, request: Request) -> Answer:
        with self._way.translated():
            response = self._client.request(
                request.method,
                request.path,
                params=list(request.params) or None,
                content=request.body,
                headers=request.headers,
            )
        return read(response)

    @contextmanager
    def stream(self, path: str, last_id: int) -> Iterator[Iterator[bytes]]:
        """The bytes of a stream of server-sent events behind `last_id`, as they come; never repeated by itself.

        Raises ServerUnreachable, also while the bytes are read, and the server's own errors.
        """
        try:
            with (
                self._way.translated(),
                self._client.stream("GET", path, headers=stream_headers(last_id), timeout=STREAM_TIMEOUT) as response,
            ):
                if response.status_code >= 300:
                    raise error_of(response.status_code, response.read())
                yield response.iter_bytes()
        except Failed as failure:
            raise failure.told from failure.__cause__
