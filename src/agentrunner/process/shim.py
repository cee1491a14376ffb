"""The shim: a small process that owns one agent and outlives the worker. Stand-alone, forked by the zygote.

It is session leader, subreaper and parent of the agent; moves output to spools, owns the clocks, obeys `ctl`, writes
facts to the journal and at last the exit record. Everything it knows is in its directory: files are the truth.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

LAYOUT = 1
_IDX = struct.Struct("<BxxxxxxxQQ")
_PIPE_BYTES = 256 * 1024
_CHUNK = 1 << 20
_PAGE = 4096
_DRAIN_S = 1.0
_KILL_S = 30.0
_MAX_CLIENT_BYTES = 4 << 20
_MAX_INPUT_BYTES = 4 << 20
_CHECK_S, _LONGEST_CHECK_S = 0.25, 5.0
_STREAMS = ("out", "err")


class Gate(Exception):
    """This directory was executed, or given up, by somebody else."""


class Spool:
    """One output stream: a pipe that is spliced into a file, or a file that the agent writes itself."""

    def __init__(self, name: str, directory: int) -> None:
        self.name = name
        self.file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
        self.size = os.fstat(self.file).st_size
        self.pipe = -1
        self.open = False
        self.recorded = 0
        self.punched = 0
        self.dropped = 0

    def used(self) -> int:
        """Bytes on disk that are not punched out."""
        return self.size - self.punched


class Clock:
    """Time that counts: monotonic, without what was frozen."""

    def __init__(self) -> None:
        self._frozen_since = 0.0
        self._frozen = 0.0

    def now(self) -> float:
        """Seconds that have counted."""
        return (self._frozen_since or time.monotonic()) - self._frozen

    def stop(self) -> None:
        """Frozen from now on."""
        self._frozen_since = self._frozen_since or time.monotonic()

    def go(self) -> None:
        """Going again."""
        if self._frozen_since:
            self._frozen += time.monotonic() - self._frozen_since
            self._frozen_since = 0.0


class Client:
    """A connection to `ctl`."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.incoming = b""
        self.outgoing = b""


class Shim:
    """One agent. `run` returns when the exit record is written."""

    def __init__(self, path: str, tree: ModuleType, limits: ModuleType) -> None:
        self.path = path
        self.directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.tree_module, self.limits = tree, limits
        with open(os.open("spec.json", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.directory)) as file:
            self.spec = json.load(file)
        self.clock = Clock()
        self.epoch = self.spec["epoch"]
        self.causes: set[str] = set()
        self.stdin = -1
        self.inputs: list[tuple[int, bytes]] = []
        self.known_inputs: set[int] = set()
        self.clients: dict[int, Client] = {}
        self.status: Any = None
        self.stopped = False
        self.limit: str | None = None
        self.step: str | None = None
        self.stop_at: list[tuple[float, int]] = []
        self.deadline = self.spec.get("deadline")
        self.idle_held = False
        self.check_s = _CHECK_S
        self.check_at = 0.0
        self.paused_rev = 0

    def run(self) -> None:
        """From the start gate to the exit record."""
        self._pass_gate()
        self._prepare()
        error = self._spawn()
        if error is None:
            self._started()
            self._loop()
        self._end(error)

    def _pass_gate(self) -> None:
        self.lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self.directory)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stall("locked")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open("start", flags, 0o600, dir_fd=self.directory))
        except OSError as error:
            raise Gate(str(error)) from error
        self._stall("start")

    def _stall(self, point: str) -> None:
        """Wait for ever at a point that a test names, to be killed there; production specs name none."""
        if self.spec.get("stall") == point:
            os.close(os.open(f"stalled-{point}", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self.directory))
            while True:
                signal.pause()

    def _prepare(self) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self.limits.become_subreaper()
        self.tree_module.note_subreaper()
        self.limits.set_title(f"shim {self.spec['run']}")
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.journal = os.open("journal", append, 0o600, dir_fd=self.directory)
        self.idx = os.open("idx", append, 0o600, dir_fd=self.directory)
        self.spools = {name: Spool(name, self.directory) for name in _STREAMS}
        self.epoll = select.epoll()
        self.wake = wake
        self.epoll.register(wake, select.EPOLLIN)
        probe = self.tree_module.probe(self.spec.get("tree"))
        self.tree = self.tree_module.make(probe.name, probe.base, self.spec["instance"], os.path.basename(self.path))
        self.tree.create()
        self._listen()

    def _listen(self) -> None:
        self.ctl = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        # A socket's path may have 107 bytes; through the descriptor it is always short.
        self.ctl.bind(f"/proc/self/fd/{self.directory}/ctl")
        os.chmod("ctl", 0o600, dir_fd=self.directory)
        self.ctl.listen(16)
        self.epoll.register(self.ctl, select.EPOLLIN)

    def _spawn(self) -> str | None:
        """Fork the child, name it in `proc.json`, let it execute; answers the system's message where it could not."""
        gate_read, gate_write = os.pipe2(os.O_CLOEXEC)
        error_read, error_write = os.pipe2(os.O_CLOEXEC)
        ends = self._open_stdio()
        me = os.getpid()
        try:
            self.agent = os.fork()
        except OSError as error:
            self.agent = 0
            self._write_proc()
            return f"fork: {error.strerror}"
        if self.agent == 0:
            self._become_agent(me, gate_read, error_write, ends)
        for descriptor in {*ends, gate_read, error_write}:
            os.close(descriptor)
        self.pidfd = os.pidfd_open(self.agent)
        self._stall("forked")
        self._write_proc()
        self._stall("proc")
        os.write(gate_write, b"!")
        os.close(gate_write)
        message = b""
        while part := os.read(error_read, 4096):
            message += part
        os.close(error_read)
        return message.decode(errors="replace") or None

    def _open_stdio(self) -> list[int]:
        """What the child gets as 0, 1, 2."""
        ends = [self._open_stdin()]
        for name in _STREAMS:
            spool = self.spools[name]
            if self.spec["stdio"] == "file":
                ends.append(os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, dir_fd=self.directory))
                continue
            spool.pipe, write = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(spool.pipe, False)
            try:
                fcntl.fcntl(spool.pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            except OSError:
                pass
            spool.open = True
            self.epoll.register(spool.pipe, select.EPOLLIN)
            ends.append(write)
        return ends

    def _open_stdin(self) -> int:
        if self.spec["stdin"] == "prompt":
            return os.open("prompt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.directory)
        if self.spec["stdin"] == "pipe":
            read, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
            return read
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def _become_agent(self, shim: int, gate: int, error: int, ends: list[int]) -> None:
        """The child: never returns."""
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            for number in range(1, signal.NSIG):
                try:
                    signal.signal(number, signal.SIG_DFL)
                except (OSError, ValueError):
                    continue
            for target, end in enumerate(ends):
                os.dup2(end, target)
            _close_all_but(gate, error)
            self.limits.give_up(shim)
            self.tree.join()
            if not os.read(gate, 1):
                os._exit(0)
            os.chdir(self.spec["cwd"])
            os.execvpe(self.spec["argv"][0], self.spec["argv"], self._environment())
        except OSError as failure:
            where = failure.filename or self.spec["argv"][0]
            os.write(error, f"{os.strerror(failure.errno or 0)}: {where}".encode(errors="replace"))
        except BaseException as failure:
            os.write(error, repr(failure).encode(errors="replace"))
        finally:
            os._exit(127)

    def _environment(self) -> dict[str, str]:
        return {**self.spec["env"], self.tree_module.MARK: self.tree.mark}

    def _write_proc(self) -> None:
        lock = os.fstat(self.lock)
        start_time = self.tree_module.start_time
        self._write_file(
            "proc.json",
            {
                "layout": LAYOUT,
                "instance": self.spec["instance"],
                "uid": self.spec["uid"],
                "boot_id": _boot_id(),
                "shim_pid": os.getpid(),
                "shim_start": start_time(os.getpid()),
                "pid": self.agent,
                "start_time": start_time(self.agent) if self.agent else -1,
                "lock_device": lock.st_dev,
                "lock_inode": lock.st_ino,
                "tree": self.tree.name,
                "tree_base": self.tree.base,
            },
        )

    def _write_file(self, name: str, content: dict[str, Any]) -> None:
        """Whole or not at all, by rename."""
        temporary = name + ".tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self.directory)
        os.write(descriptor, json.dumps(content).encode())
        os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _note(self, fact: str, **fields: object) -> None:
        """Append a fact to the journal; `at` is what was spooled when it became true."""
        self._measure()
        line = {"fact": fact, "t": time.time_ns() // 1_000_000, "at": {n: s.size for n, s in self.spools.items()}}
        try:
            os.write(self.journal, json.dumps({**line, **fields}).encode() + b"\n")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _measure(self) -> None:
        if self.spec["stdio"] == "file":
            for spool in self.spools.values():
                spool.size = os.fstat(spool.file).st_size

    def _started(self) -> None:
        self.began = self.last_output = self.clock.now()
        self.check_at = time.monotonic() + _CHECK_S
        self.epoll.register(self.pidfd, select.EPOLLIN)
        self._note("started", pid=self.agent, start_time=self.tree_module.start_time(self.agent), tree=self.tree.name)

    def _loop(self) -> None:
        while self.status is None:
            for descriptor, events in self.epoll.poll(self._timeout()):
                self._handle(descriptor, events)
            self._keep_time()

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self.wake:
            os.read(self.wake, 4096)
            self._reap()
        elif descriptor == self.pidfd:
            self._reap()
        elif descriptor == self.ctl.fileno():
            self._accept()
        elif descriptor in self.clients:
            self._serve(self.clients[descriptor], events)
        elif descriptor == self.stdin:
            self._feed()
        else:
            for spool in self.spools.values():
                if spool.pipe == descriptor:
                    self._move(spool)

    def _reap(self) -> None:
        """Collect whatever has ended; the agent's own status is kept."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid == self.agent:
                self.status = found

    def _move(self, spool: Spool) -> None:
        """Splice what is there into the spool, as far as there is room."""
        room = self._room()
        if room <= 0:
            self._hold_back(spool)
            return
        try:
            count = os.splice(
                spool.pipe, spool.file, min(_CHUNK, room), offset_dst=spool.size, flags=os.SPLICE_F_NONBLOCK
            )
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
                raise
            self._drop(spool)
            return
        if count == 0:
            self._close_pipe(spool)
            return
        spool.size += count
        self.last_output = self.clock.now()
        self._index(spool)
        self._check_total()

    def _index(self, spool: Spool) -> None:
        try:
            os.write(self.idx, _IDX.pack(_STREAMS.index(spool.name), spool.size, time.time_ns()))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _drop(self, spool: Spool) -> None:
        """The disk is full: keep the agent going, count what is lost, say so."""
        dropped = len(os.read(spool.pipe, _CHUNK))
        spool.dropped += dropped
        self._note("output_dropped", stream=spool.name, bytes=dropped, total=spool.dropped)

    def _close_pipe(self, spool: Spool) -> None:
        if spool.open:
            self.epoll.unregister(spool.pipe)
            os.close(spool.pipe)
            spool.open = False
            spool.pipe = -1

    def _room(self) -> int:
        """Bytes that may still be spooled; recorded ones are punched out when it gets tight."""
        cap: int = self.spec["spool_cap_bytes"]
        room = cap - sum(spool.used() for spool in self.spools.values())
        if room >= min(_CHUNK, cap // 2):
            return room
        for spool in self.spools.values():
            end = spool.recorded // _PAGE * _PAGE
            if self.limits.punch(spool.file, spool.punched, end - spool.punched):
                spool.punched = end
        return cap - sum(spool.used() for spool in self.spools.values())

    def _hold_back(self, spool: Spool) -> None:
        self.epoll.modify(spool.pipe, 0)
        if "held" not in self.causes:
            self.causes.add("held")
            self._note("held", cap=self.spec["spool_cap_bytes"])

    def _let_flow(self) -> None:
        if self._room() <= 0:
            return
        if "held" in self.causes:
            self.causes.discard("held")
            for spool in self.spools.values():
                if spool.open:
                    self.epoll.modify(spool.pipe, select.EPOLLIN)
        self._freeze_for("cap", False)

    def _check_total(self) -> None:
        allowed = self.spec.get("output_bytes")
        if allowed is not None and sum(spool.size for spool in self.spools.values()) > allowed:
            self._hit("output_mb")

    def _hit(self, limit: str) -> None:
        if self.limit is None and not self.stopped:
            self.limit = limit
            self._note("limit", limit=limit)
            self._begin_stop()

    def _timeout(self) -> float | None:
        """Seconds until something is due, None where nothing will be."""
        now, due = time.monotonic(), []
        if self.stop_at:
            due.append(self.stop_at[0][0] - now)
        if self.deadline is not None:
            due.append(self.deadline - time.clock_gettime(time.CLOCK_BOOTTIME))
        if not self.frozen():
            due += [left for _, left in self._clocks()]
        if self.spec["stdio"] == "file" and not self.frozen():
            due.append(self.check_at - now)
        return max(0.0, min(due)) + 0.001 if due else None

    def _clocks(self) -> list[tuple[str, float]]:
        """What is left of each limit of time."""
        if self.limit is not None or self.stopped:
            return []
        now, left = self.clock.now(), []
        if (wall := self.spec.get("wall_s")) is not None:
            left.append(("wall_s", self.began + wall - now))
        silent = all(spool.size == 0 for spool in self.spools.values())
        if (start := self.spec.get("start_s")) is not None and silent:
            left.append(("start_s", self.began + start - now))
        if (idle := self.spec.get("idle_s")) is not None and not self.idle_held:
            left.append(("idle_s", self.last_output + idle - now))
        return left

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self.spec["stdio"] == "file" and now >= self.check_at and not self.frozen():
            self._check_files()
        if not self.frozen():
            for name, left in self._clocks():
                if left <= 0:
                    self._hit(name)
                    break
        if self.deadline is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= self.deadline:
            self.deadline = None
            self.limit = "deadline"
            self._note("deadline")
            self._kill_tree("kill")
        while self.stop_at and now >= self.stop_at[0][0]:
            self._stop_step(self.stop_at.pop(0)[1])

    def _check_files(self) -> None:
        """In file mode the agent writes by itself: look now and then how much."""
        before = sum(spool.size for spool in self.spools.values())
        self._measure()
        grown = sum(spool.size for spool in self.spools.values()) > before
        self.check_s = _CHECK_S if grown else min(self.check_s * 2, _LONGEST_CHECK_S)
        self.check_at = time.monotonic() + self.check_s
        if grown:
            self.last_output = self.clock.now()
            self._check_total()
            if self._room() <= 0:
                self._freeze_for("cap", True)

    def frozen(self) -> bool:
        """True where a wish or the cap holds the tree still."""
        return bool(self.causes & {"wish", "cap"})

    def _freeze_for(self, cause: str, on: bool) -> None:
        """Freeze for one cause, thaw when none is left."""
        was = self.frozen()
        (self.causes.add if on else self.causes.discard)(cause)
        if self.frozen() and not was:
            self.tree.freeze()
            self.clock.stop()
        elif was and not self.frozen():
            self.tree.thaw()
            self.clock.go()
            self.check_at = time.monotonic() + _CHECK_S
        if cause == "cap" and was != self.frozen():
            self._note("frozen" if on else "thawed", cause="cap")

    def _pause(self, rev: int) -> None:
        if "wish" not in self.causes:
            self._freeze_for("wish", True)
            for spool in self.spools.values():
                while spool.open and self._room() > 0:
                    before = spool.size
                    self._move(spool)
                    if spool.size == before:
                        break
        self._note("paused", rev=rev)

    def _resume(self, rev: int) -> None:
        self._freeze_for("wish", False)
        self._note("resumed", rev=rev)

    def _begin_stop(self, grace_s: float | None = None) -> None:
        """Interrupt, terminate, kill: each a third of the grace after the one before, a frozen tree thawed first."""
        if self.stop_at:
            return
        grace = self.spec["grace_s"] if grace_s is None else grace_s
        now = time.monotonic()
        self.stop_at = [(now, signal.SIGINT), (now + grace / 3, signal.SIGTERM), (now + grace, signal.SIGKILL)]

    def _stop_step(self, number: int) -> None:
        if number == signal.SIGKILL:
            self._kill_tree("kill")
            return
        self.step = "interrupt" if number == signal.SIGINT else "terminate"
        self._signal_agent(number)
        self._freeze_for("wish", False)
        self._freeze_for("cap", False)
        self._note("signal", signal=signal.Signals(number).name)

    def _signal_agent(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def _kill_tree(self, step: str) -> int:
        self.step = step
        self.causes -= {"wish", "cap"}
        try:
            count: int = self.tree.kill(_KILL_S, self._reap)
        except TimeoutError as error:
            self._note("unkillable", message=str(error))
            return -1
        self.clock.go()
        return count

    def _accept(self) -> None:
        try:
            connection, _ = self.ctl.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.clients[connection.fileno()] = Client(connection)
        self.epoll.register(connection, select.EPOLLIN)

    def _serve(self, client: Client, events: int) -> None:
        descriptor = client.socket.fileno()
        try:
            if events & select.EPOLLIN:
                data = client.socket.recv(1 << 16)
                if not data or len(client.incoming) + len(data) > _MAX_CLIENT_BYTES:
                    raise ConnectionError
                client.incoming += data
                while b"\n" in client.incoming:
                    line, _, client.incoming = client.incoming.partition(b"\n")
                    client.outgoing += json.dumps(self._obey(line)).encode() + b"\n"
            elif events & ~select.EPOLLOUT:
                raise ConnectionError
            if client.outgoing:
                client.outgoing = client.outgoing[client.socket.send(client.outgoing) :]
            self.epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if client.outgoing else 0))
        except BlockingIOError:
            self.epoll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self.epoll.unregister(descriptor)
            client.socket.close()
            del self.clients[descriptor]

    def _obey(self, line: bytes) -> dict[str, Any]:
        """One command; refused where its epoch is lower than one already seen."""
        try:
            command = json.loads(line)
            if command["epoch"] < self.epoch:
                return {"error": "stale_epoch", "epoch": self.epoch}
            self.epoch = command["epoch"]
            return {"ok": True, **(self._execute(command) or {})}
        except (ValueError, KeyError, TypeError) as error:
            return {"error": "bad_command", "detail": repr(error)}

    def _execute(self, command: dict[str, Any]) -> dict[str, Any] | None:
        name = command["cmd"]
        if name == "pause" and not self.stopped:
            self._pause(command["rev"])
        elif name == "resume" and not self.stopped:
            self._resume(command["rev"])
        elif name == "stop":
            self.stopped = True
            self._begin_stop(command.get("grace_s"))
        elif name == "input":
            return self._take_input(command["id"], command["text"])
        elif name == "recorded":
            for stream in _STREAMS:
                self.spools[stream].recorded = max(self.spools[stream].recorded, command[stream])
            self._let_flow()
        elif name == "deadline" and self.deadline is not None:
            self.deadline = max(self.deadline, command["boottime"])
        elif name == "idle":
            self.idle_held = command["hold"]
            self.last_output = self.clock.now()
        elif name == "cap":
            self._freeze_for("cap", command["on"])
        elif name == "status":
            self._measure()
            return {"frozen": self.tree.is_frozen(), "sizes": {n: s.size for n, s in self.spools.items()}}
        return None

    def _take_input(self, number: int, text: str) -> dict[str, Any]:
        """Journalled before it is written, and never written twice."""
        if self.spec["stdin"] != "pipe" or self.stdin < 0:
            return {"refused": "no stdin"}
        if number in self.known_inputs:
            return {"known": True}
        if sum(len(data) for _, data in self.inputs) > _MAX_INPUT_BYTES:
            return {"refused": "full"}
        self.known_inputs.add(number)
        self._note("input", id=number)
        data = text.encode()
        self.inputs.append((number, data if data.endswith(b"\n") else data + b"\n"))
        if len(self.inputs) == 1:
            self.epoll.register(self.stdin, select.EPOLLOUT)
        return {}

    def _feed(self) -> None:
        """Write what waits for the agent's stdin."""
        try:
            while self.inputs:
                number, data = self.inputs[0]
                left = data[os.write(self.stdin, data) :]
                if left:
                    self.inputs[0] = (number, left)
                    return
                self.inputs.pop(0)
                self._note("input_delivered", id=number)
        except BlockingIOError:
            return
        except OSError:
            self.inputs.clear()
            self.epoll.unregister(self.stdin)
            os.close(self.stdin)
            self.stdin = -1
            return
        self.epoll.unregister(self.stdin)

    def _end(self, spawn_error: str | None) -> None:
        """Drain, kill the tree and prove it empty, drain again, note the sizes, write `exit`."""
        self._drain()
        leftover = self._kill_leftover()
        self._drain()
        self._reap()
        code = self.status.si_status if self.status is not None and self.status.si_code == os.CLD_EXITED else None
        number = None if self.status is None or code is not None else self.status.si_status
        if spawn_error is not None:
            code = None
        self._note("exited", exit_code=code, signal=number)
        sizes = {name: spool.size for name, spool in self.spools.items()}
        sizes["journal"] = os.fstat(self.journal).st_size
        record: dict[str, Any] = {
            "exit_code": code,
            "signal": number,
            "spawn_error": spawn_error,
            "stopped": self.stopped,
        }
        record |= {"limit": self.limit, "step": self.step, "leftover": leftover, "sizes": sizes, "tree": self.tree.name}
        record["dropped"] = sum(spool.dropped for spool in self.spools.values())
        self._write_exit(record)
        self.tree.remove()

    def _kill_leftover(self) -> int:
        step = self.step
        found = self._kill_tree(step or "")
        self.step = step
        return found

    def _write_exit(self, record: dict[str, Any]) -> None:
        """Tried until there is room: without this record the end of the run is unknown."""
        while True:
            try:
                return self._write_file("exit", record)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                time.sleep(1.0)

    def _drain(self) -> None:
        """Take what the pipes hold, until their end or for a second; this may pass the cap."""
        until = time.monotonic() + _DRAIN_S
        for spool in self.spools.values():
            while spool.open and time.monotonic() < until:
                try:
                    count = os.splice(spool.pipe, spool.file, _CHUNK, offset_dst=spool.size, flags=os.SPLICE_F_NONBLOCK)
                except BlockingIOError:
                    if not self._others_write():
                        break
                    select.select([spool.pipe], [], [], 0.005)
                    continue
                except OSError:
                    self._drop(spool)
                    continue
                if count == 0:
                    self._close_pipe(spool)
                else:
                    spool.size += count
                    self._index(spool)
        self._measure()

    def _others_write(self) -> bool:
        return bool(self.tree.pids())


def _close_all_but(*keep: int) -> None:
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 1 << 20)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def main(path: str, tree: ModuleType, limits: ModuleType) -> None:
    """Own the agent of one run directory; never returns."""
    os.setsid()
    code = 0
    try:
        Shim(path, tree, limits).run()
    except Gate:
        pass
    except BaseException as error:
        sys.stderr.write(f"shim of {path}: {error!r}\n")
        import traceback

        traceback.print_exc()
        code = 1
    os._exit(code)
