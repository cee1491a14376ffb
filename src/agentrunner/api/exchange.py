"""One request and its answer on a real connection: uvicorn's, with the whole body at once and the answer in one write.

A write is a system call that wakes the reader, so two of them cost more than everything else of a small answer.
"""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from agentrunner.api.asgi import Send

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_CLOSE = b"connection: close\r\n"


class Exchange(RequestResponseCycle):
    """Serves ASGI as uvicorn does; what asks for it by `of` may do more."""

    def whole_body(self) -> bytes | None:
        """The body, where all of it has arrived and nothing was received yet; it is taken by that."""
        if self.more_body or self.response_complete:
            return None
        content, self.body = bytes(self.body), bytearray()
        return content

    async def answer(self, status: int, head: bytes, content: bytes) -> None:
        """The whole answer. `head` are header lines, each with its line end, and say the length of `content`."""
        if not await self._is_taking():
            return
        close = b"" if self.keep_alive else _CLOSE
        self.response_started = True
        self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[status], head, close, content))
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def send(self, message: "ASGISendEvent") -> None:
        """Send as uvicorn does, and nothing where the client has gone."""
        if await self._is_taking():
            await super().send(message)

    async def _is_taking(self) -> bool:
        """Wait for room; False where the client has gone.

        uvicorn says that only to the request it parsed last, and late: a write in between raises, and an earlier one
        of a pipeline, a stream perhaps, would wait for its client for ever.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.transport.is_closing() and not self.disconnected and not self.response_complete:
            self.disconnected = True
            self.message_event.set()
        return not self.disconnected

    def push(self, chunk: bytes) -> bool:
        """Write a whole chunk (`chunked`) of the answer that has begun; False, and nothing written, where some waits.

        It takes no task of its own, which costs more than a write. The bytes are not copied: many may share them.
        """
        transport = self.transport
        if not self.chunked_encoding or transport.is_closing() or transport.get_write_buffer_size():
            return False
        transport.write(chunk)
        return True


def chunked(data: bytes) -> bytes:
    """`data` as one chunk of an answer."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def of(send: Send) -> Exchange | None:
    """The exchange that sends; None where there is no real connection.

    Asked of `send`, as one that was kept in the scope would be a cycle with it: garbage of every single request.
    """
    owner = getattr(send, "__self__", None)
    return owner if isinstance(owner, Exchange) else None
