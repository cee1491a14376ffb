"""The shim's socket: commands in, one answer each, a line of JSON both ways. Stand-alone."""

from __future__ import annotations

import _socket
import os
import select
import sys

from agentrunner.process import facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MAX_BYTES = 4 << 20
_MAX_CLIENTS = 16
_PEERCRED_BYTES = 12


class _Client:
    def __init__(self) -> None:
        self.incoming = b""
        self.outgoing = b""


class Ctl:
    """Serves `ctl`. No client can end or block it: one that misbehaves is cut, beyond 16 the oldest is."""

    def __init__(self, directory: int, epoll: select.epoll, obey: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._epoll = epoll
        self._obey = obey
        self._clients: dict[int, _Client] = {}
        self._socket = _socket.socket(
            _socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        )
        # A socket's path may have 107 bytes; through the descriptor it is always short.
        self._socket.bind(f"/proc/self/fd/{directory}/ctl")
        os.chmod("ctl", 0o600, dir_fd=directory)
        self._socket.listen(_MAX_CLIENTS)
        epoll.register(self._socket.fileno(), select.EPOLLIN)

    def handle(self, descriptor: int, events: int) -> bool:
        """Serve what is ready; False where the descriptor is none of the socket's."""
        if descriptor == self._socket.fileno():
            self._accept()
        elif descriptor in self._clients:
            try:
                self._serve(descriptor, self._clients[descriptor], events)
            except BlockingIOError:
                pass  # an event of who had this descriptor before
            except OSError:
                self._cut(descriptor)
        else:
            return False
        return True

    def _accept(self) -> None:
        try:
            descriptor, _ = self._socket._accept()  # type: ignore[attr-defined]
        except OSError:
            # Without a free descriptor the call would be ready for ever: room is made for the next try.
            if self._clients:
                self._cut(next(iter(self._clients)))
            return
        os.set_blocking(descriptor, False)
        if peer_uid(descriptor) not in (0, os.getuid()):
            os.close(descriptor)
            return
        if len(self._clients) >= _MAX_CLIENTS:
            self._cut(next(iter(self._clients)))
        self._clients[descriptor] = _Client()
        self._epoll.register(descriptor, select.EPOLLIN)

    def _serve(self, descriptor: int, client: _Client, events: int) -> None:
        if events & select.EPOLLIN:
            data = os.read(descriptor, 65536)
            if not data or len(client.incoming) + len(data) > _MAX_BYTES:
                raise ConnectionError
            *lines, client.incoming = (client.incoming + data).split(b"\n")
            for line in lines:
                client.outgoing += facts.encode(self._answer(line)) + b"\n"
        elif not events & select.EPOLLOUT:
            raise ConnectionError
        if client.outgoing:
            try:
                client.outgoing = client.outgoing[os.write(descriptor, client.outgoing) :]
            except BlockingIOError:
                pass
        if len(client.outgoing) > _MAX_BYTES:
            raise ConnectionError
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if client.outgoing else 0))

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return self._obey(facts.decode(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": "bad_command", "detail": repr(error)}

    def _cut(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        os.close(descriptor)
        del self._clients[descriptor]


def peer_uid(descriptor: int) -> int:
    """The user at the other end; SO_PEERCRED of unix(7)."""
    peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
    try:
        raw = peer.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _PEERCRED_BYTES)
    finally:
        peer.detach()
    return int.from_bytes(raw[4:8], sys.byteorder)
