"""The zygote: forks one shim per agent and survives the worker.

Stand-alone, run as `python -S -E -I zygote.py DIRECTORY BUILD IDLE_S`.

Single-threaded and small, so that a fork costs about a millisecond and a shim about a megabyte. It listens on
`zygote.sock`; every message is a line of JSON. Another build of these files is another zygote.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
STAND_ALONE = ("zygote", "shim", "tree", "limits")
_LOG_BYTES = 1 << 20
_MAX_LINE = 1 << 16


def load(name: str) -> types.ModuleType:
    """A sibling module by path, without the package it lies in."""
    path = f"{_HERE}/{name}.py"
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[f"agentrunner_{name}"] = module
    exec(code, module.__dict__)  # noqa: S102 - our own file, from beside this one
    return module


class Zygote:
    """Serves until it had neither a worker nor a shim for `idle_s` seconds."""

    def __init__(self, directory: str, build: str, idle_s: float) -> None:
        self.directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.idle_s = idle_s
        self.build = build
        self.shim, self.tree, self.limits = load("shim"), load("tree"), load("limits")
        self.clients: dict[int, tuple[socket.socket, bytes]] = {}
        self.shims: set[int] = set()
        self.alone_since = time.monotonic()

    def serve(self) -> None:
        """Take over the socket and answer; returns when idle, or when a newer zygote has taken it over."""
        lock = os.open("zygote.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self.directory)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._listen()
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {self.build}\n".encode(), 0)
        os.close(lock)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        wake, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.wake = wake
        self.epoll = select.epoll()
        self.epoll.register(self.server, select.EPOLLIN)
        self.epoll.register(wake, select.EPOLLIN)
        gc.collect()
        gc.freeze()
        while not self._is_done():
            idle = not self.clients and not self.shims
            for descriptor, _ in self.epoll.poll(self.idle_s + 0.1 if idle else None):
                self._handle(descriptor)

    def _listen(self) -> None:
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        temporary = f"zygote.sock.{os.getpid()}"
        self.server.bind(f"/proc/self/fd/{self.directory}/{temporary}")
        os.chmod(temporary, 0o600, dir_fd=self.directory)
        self.server.listen(16)
        os.rename(temporary, "zygote.sock", src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _is_done(self) -> bool:
        if self.clients or self.shims:
            self.alone_since = time.monotonic()
        return time.monotonic() - self.alone_since >= self.idle_s

    def _handle(self, descriptor: int) -> None:
        if descriptor == self.wake:
            os.read(self.wake, 4096)
            self._reap()
        elif descriptor == self.server.fileno():
            connection, _ = self.server.accept()
            _, uid, _ = _credentials(connection)
            if uid not in (0, os.getuid()):
                connection.close()
                return
            self.clients[connection.fileno()] = (connection, b"")
            self.epoll.register(connection, select.EPOLLIN)
            _send(connection, {"build": self.build, "pid": os.getpid()})
        else:
            self._serve(descriptor)

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.shims.discard(pid)

    def _serve(self, descriptor: int) -> None:
        connection, waiting = self.clients[descriptor]
        try:
            data = connection.recv(_MAX_LINE)
            if not data or len(waiting) > _MAX_LINE:
                raise ConnectionError
            waiting += data
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                _send(connection, self._answer(json.loads(line)))
            self.clients[descriptor] = (connection, waiting)
        except (OSError, ValueError):
            self.epoll.unregister(descriptor)
            connection.close()
            del self.clients[descriptor]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("op") != "spawn":
            return {"error": "unknown op"}
        try:
            pid = os.fork()
        except OSError as error:
            return {"error": f"fork: {error.strerror}"}
        if pid == 0:
            self._become_shim(request["dir"])
        self.shims.add(pid)
        return {"pid": pid, "start_time": self.tree.start_time(pid)}

    def _become_shim(self, path: str) -> None:
        """The child: never returns."""
        try:
            signal.set_wakeup_fd(-1)
            self.epoll.close()
            self.server.close()
            for connection, _ in self.clients.values():
                connection.close()
            os.close(self.wake)
            os.close(self.wake_write)
            os.close(self.directory)
            self.shim.main(path, self.tree, self.limits)
        finally:
            os._exit(1)


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return tuple(int.from_bytes(raw[i : i + 4], sys.byteorder) for i in (0, 4, 8))  # type: ignore[return-value]


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _settle_descriptors(directory: str) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    path = f"{directory}/zygote.log"
    fresh = os.O_TRUNC if os.path.exists(path) and os.path.getsize(path) > _LOG_BYTES else 0
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | fresh, 0o600)
    for source, target in ((null, 0), (null, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 1 << 16)


def main(directory: str, build: str, idle_s: str) -> None:
    """Detach, then serve."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    _settle_descriptors(directory)
    Zygote(directory, build, float(idle_s)).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
