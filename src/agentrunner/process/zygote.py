"""The zygote: forks one shim per agent and survives the worker.

Stand-alone, run as `python -S -E -I zygote.py DIRECTORY BUILD IDLE_S`.

Single-threaded and small, so that a fork costs about a millisecond and a shim about a megabyte. It listens on
`zygote.sock`; every message is a line of JSON. Another build of these files is another zygote.
"""

from __future__ import annotations

import _signal as signals  # type: ignore[import-not-found]
import _socket
import fcntl
import gc
import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STAND_ALONE = (
    "zygote", "shim", "cgroups", "ctl", "facts", "freezer", "gate", "index", "inputs", "kernel", "limits", "output",
    "pressure", "procfs", "rehearsal", "resources", "stopping", "tree",
)  # fmt: skip
_LOG_BYTES = 1 << 20
_MAX_LINE = 1 << 13
_MOST_EVENTS = 16
_LAST_DESCRIPTOR = 2**31 - 1
_POOL, _POOL_HEADER, _BYTES_OVERHEAD = 16384, 48, 33
_SMALLEST, _LARGEST, _STEP = 48, 512, 16
"""The memory that small objects come from: obmalloc.c of CPython, sizes in bytes."""
_MOST_FILLING = 4096


def stand_alone() -> None:
    """Make `agentrunner.process` importable as an empty package in this folder: nothing of ours above it is loaded."""
    for name, path in (("agentrunner", []), ("agentrunner.process", [os.path.dirname(os.path.abspath(__file__))])):
        package = type(sys)(name)
        package.__path__ = path
        sys.modules[name] = package


class Zygote:
    """Serves until it had neither a worker nor a shim for `idle_s` seconds.

    What it touches of its memory between two forks it no longer shares with the shims before: so it serves with what a
    shim uses too, and does little else.
    """

    def __init__(self, directory: str, build: str, idle_s: float, umask: int) -> None:
        from agentrunner.process import ctl, facts, kernel, rehearsal, shim

        self._title = kernel.Title()
        self._probes = _probes()
        rehearsal.rehearse(directory, self._probes, self._title)
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._idle_s = idle_s
        self._build = build
        self._umask = umask
        self._shim_main = shim.main
        self._encode, self._decode, self._peer_uid = facts.encode, facts.decode, ctl.peer_uid
        self._clients: dict[int, bytes] = {}
        self._shims: set[int] = set()
        self._alone_since = time.monotonic()
        kernel.hide_memory()

    def serve(self) -> None:
        """Take over the socket and answer; returns when idle."""
        lock = os.open("zygote.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Who holds it is there before anything can hang.
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {self._build}\n".encode(), 0)
        self._listen()
        os.close(lock)
        # A worker that was killed before it read its answer must not end what its runs are forked from.
        signals.signal(signals.SIGPIPE, signals.SIG_IGN)
        signals.signal(signals.SIGCHLD, lambda _number, _frame: None)
        self._wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signals.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._epoll = select.epoll()
        self._epoll.register(self._server.fileno(), select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._settle_memory()
        # A collection in a shim would write to every object that it still shares with this process.
        gc.disable()
        gc.freeze()
        while not self._is_done():
            idle = not self._clients and not self._shims
            for descriptor, _ in self._epoll.poll(self._idle_s + 0.1 if idle else None, _MOST_EVENTS):
                self._handle(descriptor)

    def _settle_memory(self) -> None:
        """Make what shims share with this process as little written to by them as can be: 0.1 MB a shim less.

        Free places between older objects are filled up: every object put there by a shim would cost it a copy of the
        page around.
        """
        gc.collect()
        self._filling: list[bytes] = []
        for size in range(_SMALLEST, _LARGEST + 1, _STEP):
            for _ in range(_MOST_FILLING):
                filling = bytes(size - _BYTES_OVERHEAD)
                if id(filling) % _POOL == _POOL_HEADER:
                    break  # the first place of a new pool: the older ones are full
                self._filling.append(filling)

    def _listen(self) -> None:
        self._server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        temporary = f"zygote.sock.{os.getpid()}"
        self._server.bind(f"/proc/self/fd/{self._directory}/{temporary}")
        os.chmod(temporary, 0o600, dir_fd=self._directory)
        self._server.listen(16)
        os.rename(temporary, "zygote.sock", src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def _is_done(self) -> bool:
        if self._clients or self._shims:
            self._alone_since = time.monotonic()
            return False
        return time.monotonic() - self._alone_since >= self._idle_s

    def _handle(self, descriptor: int) -> None:
        if descriptor == self._wake:
            os.read(self._wake, 4096)
            self._reap()
        elif descriptor == self._server.fileno():
            self._accept()
        else:
            try:
                self._serve(descriptor)
            except Exception:  # whatever a worker sends must not end what its runs are forked from
                self._cut(descriptor)

    def _accept(self) -> None:
        try:
            descriptor, _ = self._server._accept()  # type: ignore[attr-defined]
        except OSError:
            time.sleep(0.01)
            return
        if self._peer_uid(descriptor) not in (0, os.getuid()):
            os.close(descriptor)
            return
        self._clients[descriptor] = b""
        self._epoll.register(descriptor, select.EPOLLIN)
        try:
            self._send(descriptor, {"build": self._build, "pid": os.getpid()})
        except OSError:
            self._cut(descriptor)

    def _cut(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        os.close(descriptor)
        del self._clients[descriptor]

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._shims.discard(pid)

    def _serve(self, descriptor: int) -> None:
        data = os.read(descriptor, _MAX_LINE)
        if not data or len(self._clients[descriptor]) > _MAX_LINE:
            raise ConnectionError
        *lines, self._clients[descriptor] = (self._clients[descriptor] + data).split(b"\n")
        for line in lines:
            self._send(descriptor, self._answer(self._decode(line)))

    def _send(self, descriptor: int, message: dict[str, Any]) -> None:
        """A short answer, which always fits into the socket's buffer of a client that reads its answers."""
        data = self._encode(message) + b"\n"
        if os.write(descriptor, data) != len(data):
            raise ConnectionError

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("op") == "retire":
            self._retire()
            return {"ok": True}
        if request.get("op") != "spawn":
            return {"error": "unknown op"}
        path = str(request["dir"])
        try:
            pid = os.fork()
        except OSError as error:
            return {"error": f"fork: {error.strerror}"}
        if pid == 0:
            self._become_shim(path)
        self._shims.add(pid)
        return {"pid": pid}

    def _retire(self) -> None:
        """Another build takes over: end as soon as there is neither a shim nor a worker that still speaks to this one.

        Its socket has that build's name by then, or soon will: nobody new can come.
        """
        self._idle_s = 0.0

    def _become_shim(self, path: str) -> None:
        """The child: never returns."""
        try:
            signals.set_wakeup_fd(-1)
            self._epoll.close()
            self._server.close()
            for descriptor in (*self._clients, self._wake, self._wake_write, self._directory):
                os.close(descriptor)
            self._shim_main(path, self._probes, self._umask, self._title)
        finally:
            os._exit(1)


def _probes() -> dict[str, Any]:
    """What each forced mechanism, or none, comes to here: tried once, not by every shim. None where it is refused."""
    from agentrunner.process import resources, tree

    resources.known()
    found: dict[str, Any] = {}
    for forced in ("", *tree.MECHANISMS):
        try:
            found[forced] = tree.probe(forced or None)
        except OSError:
            found[forced] = None
    return found


def _settle_descriptors(directory: str) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    path = f"{directory}/zygote.log"
    fresh = os.O_TRUNC if os.path.exists(path) and os.path.getsize(path) > _LOG_BYTES else 0
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | fresh, 0o600)
    for source, target in ((null, 0), (null, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, _LAST_DESCRIPTOR)


def main(directory: str, build: str, idle_s: str) -> None:
    """Detach, then serve."""
    if os.fork():
        os._exit(0)
    os.setsid()
    # The agents' files get the mode that they had without us; ours are nobody else's.
    umask = os.umask(0o077)
    _settle_descriptors(directory)
    stand_alone()
    Zygote(directory, build, float(idle_s), umask).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
