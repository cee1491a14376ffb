"""One connection: uvicorn's, with bounds on the size and the time of a request's head, and a way to cut it."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
import urllib.parse

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from agentrunner.api import date, errors
from agentrunner.api.asgi import Bounds
from agentrunner.api.call import new_request_id
from agentrunner.api.exchange import Exchange
from agentrunner.domain.errors import HeadTooLarge, InvalidRequest


class _HeadTooLarge(Exception):
    """The request line and headers are larger than is taken."""


class Connection(HttpToolsProtocol):
    """A client's connection; `bounds` is set by the server that accepts it."""

    bounds = Bounds()
    _head_bytes = 0
    _in_head = True
    _most_head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept, unless there are too many already."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            transport.abort()
            return
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timer()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a head that is too large or too slow ends the connection."""
        self._idle_since = None
        self._most_head_bytes = self._head_bytes + len(data)
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.bounds.head_bytes:
                self.send_400_response("")
            elif self._head_timer is None:
                self._start_timer()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """The head is there: begin to serve."""
        self._in_head = False
        self._stop_timer()
        if self._most_head_bytes > self.bounds.head_bytes:
            self._check_head()
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope.update(  # type: ignore[call-arg]
            method=self.parser.get_method().decode("ascii"),
            http_version=version,
            path=urllib.parse.unquote(path) if "%" in path else path,
            raw_path=url.path,
            query_string=url.query or b"",
        )
        self._begin(keep_alive=version != "1.0" and self.parser.should_keep_alive())

    def _check_head(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.bounds.head_bytes:
            self._head_bytes = size
            raise _HeadTooLarge

    def _begin(self, *, keep_alive: bool) -> None:
        before: RequestResponseCycle | None = self.cycle
        self.cycle = exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        self.scope["extensions"] = {"agentrunner.connection": self}  # type: ignore[dict-item]
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))

    def on_message_complete(self) -> None:
        """The next bytes begin another head."""
        super().on_message_complete()
        self._in_head, self._head_bytes = False, 0

    def on_response_complete(self) -> None:
        """An answer is sent: take up the next request, or be idle.

        The timer of an idle connection is left running under the requests that come, which are many more than those it
        has to end.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.bounds.idle_s, self._check_idle)

    def _check_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None or self.transport.is_closing():
            return
        left = self._idle_since + self.bounds.idle_s - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self._idle_timer = self.loop.call_later(left, self._check_idle)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, as a problem document, and close."""
        error = InvalidRequest("This is not a valid HTTP/1.1 request.")
        if self._head_bytes > self.bounds.head_bytes:
            most = self.bounds.head_bytes
            error = HeadTooLarge(f"The request line and headers are larger than {most} bytes; send less.")
        request_id = new_request_id()
        content = errors.document(error, request_id)
        head = b"content-type: %b\r\ncontent-length: %d\r\ndate: %b\r\nx-request-id: %b\r\nconnection: close\r\n\r\n"
        filled = head % (errors.CONTENT_TYPE, len(content), date.value(), request_id.encode())
        self.transport.write(STATUS_LINE[error.status] + filled + content)
        self.transport.close()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.bounds.head_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def waiting_bytes(self) -> int:
        """Bytes that this system has not taken yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def untaken_bytes(self) -> int:
        """Bytes that the client has not taken yet: those that wait, and those in the kernel's send queue.

        The kernel reports room only once a third of its megabytes are free, so that alone would cut slow readers.
        """
        if self.transport.is_closing():
            return 0
        queued = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return self.waiting_bytes() + int.from_bytes(queued, sys.byteorder)

    def abort(self) -> None:
        """Cut the connection, dropping what waits.

        Without the option the kernel would keep what it has for a reader that may never come back.
        """
        if not self.transport.is_closing():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


def connection_type(bounds: Bounds) -> type[Connection]:
    """The connections of a server with these bounds."""
    return type("BoundedConnection", (Connection,), {"bounds": bounds})
