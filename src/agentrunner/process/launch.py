"""The worker's side of the zygote: find it or start it, and ask it for shims."""

import hashlib
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from agentrunner.process import zygote

_START_S = 10.0


class ZygoteLink:
    """A connection to this host's zygote, started where there is none; not for two threads at once."""

    def __init__(self, state_dir: Path, idle_s: float = 60.0) -> None:
        self._state_dir = state_dir
        self._idle_s = idle_s
        self._build = build()
        self._socket: socket.socket | None = None
        self._file: Any = None
        self.pid = 0

    def spawn(self, directory: Path) -> int:
        """Ask for a shim for a run directory; answers its pid. Asking twice starts nothing twice.

        Raises OSError where no zygote can be had or it cannot fork; whether the shim came to be then is for the start
        gate to say.
        """
        self._ensure()
        try:
            answer = self._ask({"op": "spawn", "dir": str(directory)})
        except OSError:
            self.close()
            raise
        if "error" in answer:
            raise OSError(answer["error"])
        return int(answer["pid"])

    def is_connected(self) -> bool:
        """True while the zygote that was asked last lives."""
        return self._socket is not None and not _is_closed(self._socket)

    def ensure(self) -> None:
        """Have a zygote of this build ready, so that the first spawn need not wait for one."""
        self._ensure()

    def close(self) -> None:
        """Let go of it; it goes on as long as it has shims, or a worker."""
        if self._socket is not None:
            self._file.close()
            self._socket.close()
            self._socket = None

    def _ensure(self) -> None:
        if self.is_connected():
            return
        self.close()
        if self._connect():
            return
        self._start()
        deadline = time.monotonic() + _START_S
        while not self._connect():
            if time.monotonic() > deadline:
                raise OSError(f"the zygote does not start; see {self._state_dir / 'zygote.log'}")
            time.sleep(0.002)

    def _connect(self) -> bool:
        """Connect to a zygote of the same build; one of another is left to end by itself."""
        descriptor = os.open(self._state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5.0)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/zygote.sock")
            file = connection.makefile("rb")
            hello = msgspec.json.decode(file.readline(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError):
            connection.close()
            return False
        finally:
            os.close(descriptor)
        if hello.get("build") != self._build:
            file.close()
            connection.close()
            return False
        self._socket, self._file, self.pid = connection, file, int(hello["pid"])
        return True

    def _start(self) -> None:
        """Execute one, detached; posix_spawn, because this process is too big to fork."""
        argv = [sys.executable, "-S", "-E", "-I", str(zygote.__file__), str(self._state_dir)]
        argv += [self._build, str(self._idle_s)]
        environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        pid = os.posix_spawn(
            sys.executable, argv, environment, setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGCHLD]
        )
        os.waitpid(pid, 0)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._socket is not None
        self._socket.sendall(msgspec.json.encode(request) + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionResetError("the zygote has ended")
        return msgspec.json.decode(line, type=dict[str, Any])


def _is_closed(connection: socket.socket) -> bool:
    """True where the other side is gone: it never speaks unasked, so anything to read is the end."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


def build() -> str:
    """A hash of the files that a zygote is made of: another one is another zygote."""
    digest = hashlib.sha256()
    for name in zygote.STAND_ALONE:
        digest.update(Path(zygote.__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]
