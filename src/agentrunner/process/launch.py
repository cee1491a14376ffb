"""The worker's side of the zygote: find it or start it, and ask it for shims."""

import hashlib
import os
import select
import signal
import socket
import struct
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog

from agentrunner.process import procfs, zygote

log = structlog.get_logger("agentrunner.worker")

_START_S = 10.0
_ANSWER_S = 5.0
_PEER = struct.Struct("3i")
"""`struct ucred` of unix(7): pid, uid, gid of who listens."""


class Found(StrEnum):
    """What listens on the zygote's socket."""

    OURS = "ours"
    NONE = "none"
    OTHER_BUILD = "other_build"
    HUNG = "hung"


class ZygoteLink:
    """A connection to this host's zygote, started where there is none; not for two threads at once.

    One of another build is told to end once its shims have, and succeeded. One that does not answer within `answer_s`
    seconds is killed, by proof that it is the zygote of this directory, and succeeded: its shims live on without it.
    """

    def __init__(self, state_dir: Path, idle_s: float = 60.0, answer_s: float = _ANSWER_S) -> None:
        self._state_dir = state_dir
        self._idle_s = idle_s
        self._answer_s = answer_s
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
        if self._connect(retire=True) is Found.OURS:
            return
        self._start()
        # Whoever holds the lock and has not come to listen by then never will.
        if not self._wait(_START_S) and not (self._kill_starting() and self._wait(_START_S)):
            raise OSError(f"the zygote does not start; see {self._state_dir / 'zygote.log'}")

    def _wait(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self._connect() is not Found.OURS:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def _connect(self, retire: bool = False) -> Found:
        """Connect to a zygote of the same build; with `retire`, one of another is told to end."""
        descriptor = os.open(self._state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._answer_s)
        file = connection.makefile("rb")
        found = Found.NONE
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/zygote.sock")
            found = self._greet(connection, file, retire)
        except (OSError, msgspec.MsgspecError):
            pass
        finally:
            os.close(descriptor)
            if found is not Found.OURS:
                file.close()
                connection.close()
        return found

    def _greet(self, connection: socket.socket, file: Any, retire: bool) -> Found:
        try:
            hello = msgspec.json.decode(file.readline(), type=dict[str, Any])
        except TimeoutError:
            pid, _, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            self._kill(pid)
            return Found.HUNG
        if hello.get("build") != self._build:
            if retire:
                connection.sendall(b'{"op":"retire"}\n')
            return Found.OTHER_BUILD
        self._socket, self._file, self.pid = connection, file, int(hello["pid"])
        return Found.OURS

    def _kill_starting(self) -> bool:
        """Kill the zygote that holds the lock, where its file says who that is."""
        try:
            return self._kill(int((self._state_dir / "zygote.lock").read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            return False

    def _kill(self, pid: int) -> bool:
        """Kill a process if it is a zygote of this directory; looked at behind `pidfd_open`, so it is no other."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            words = procfs.read(f"/proc/{pid}/cmdline").split(b"\0")
            if os.fsencode(self._state_dir) not in words or not any(word.endswith(b"/zygote.py") for word in words):
                return False
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        log.warning("a zygote that did not answer was killed; its runs go on without it", pid=pid)
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
