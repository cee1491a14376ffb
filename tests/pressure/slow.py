"""A door to a server that lets only so many bytes a second in: what a slow consumer of output looks like to a worker.

Threads and plain sockets, so that it works in front of processes; it understands nothing of what passes.
"""

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Self

_CHUNK = 64 * 1024
_ACCEPT_S = 0.2


class SlowDoor:
    """Listens on a free TCP port of 127.0.0.1 and passes on to a Unix socket; answers pass at full speed.

    `bytes_per_s` may be changed at any time; 0 lets nothing in.
    """

    def __init__(self, server: Path, bytes_per_s: float) -> None:
        self._server = str(server)
        self.bytes_per_s = bytes_per_s
        self.passed = 0
        self._closed = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_ACCEPT_S)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with self._lock:
            for open_socket in self._sockets:
                _shut(open_socket)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _begin(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                outer, _ = self._listener.accept()
            except TimeoutError:
                continue
            inner = socket.socket(socket.AF_UNIX)
            try:
                inner.connect(self._server)
            except OSError:
                outer.close()
                inner.close()
                continue
            outer.settimeout(None)
            with self._lock:
                self._sockets |= {outer, inner}
            self._begin(self._serve, outer, inner)

    def _serve(self, outer: socket.socket, inner: socket.socket) -> None:
        back = threading.Thread(target=_pump, args=(inner, outer), daemon=True)
        back.start()
        _pump(outer, inner, self._wait)
        back.join()
        with self._lock:
            self._sockets -= {outer, inner}
        outer.close()
        inner.close()

    def _wait(self, count: int) -> None:
        """Wait for the turn of so many bytes; all connections share the rate."""
        while self.bytes_per_s <= 0 and not self._closed.wait(0.01):
            pass
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / max(self.bytes_per_s, 1.0)
            left = self._free_at - time.monotonic()
            self.passed += count
        self._closed.wait(left)


def _pump(source: socket.socket, target: socket.socket, wait: object = None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            if callable(wait):
                wait(len(data))
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
