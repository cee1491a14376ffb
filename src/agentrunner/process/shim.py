"""The shim: a small process that owns one agent and outlives the worker. Stand-alone, forked by the zygote.

It is session leader, subreaper and parent of the agent; moves output to spools, owns the clocks, obeys `ctl`, writes
facts to the journal and at last the exit record. Everything it knows is in its directory: files are the truth.
"""

from __future__ import annotations

import os
import select
import time

from agentrunner.process import facts, gate, kernel, tree
from agentrunner.process.ctl import Ctl
from agentrunner.process.freezer import Freezer
from agentrunner.process.gate import Gate, Start
from agentrunner.process.inputs import Inputs
from agentrunner.process.kernel import signals
from agentrunner.process.limits import Clock, Deadline, Limits
from agentrunner.process.output import STREAMS, Output
from agentrunner.process.resources import Watch
from agentrunner.process.stopping import Stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DRAIN_S = 1.0
_UNKILLABLE_S = 5.0
_RETRY_S = 0.5
_KILL_PAUSE_S, _LONGEST_KILL_PAUSE_S = 0.0005, 0.25
_MOST_FAULTS = 100
_MOST_EVENTS = 16
"""Room for what is ready at once: it is allocated at every wait, and by default it is for a thousand."""
_SIGNALS = {"interrupt": "SIGINT", "terminate": "SIGTERM"}


class Shim:
    """One agent. `run` returns when the exit record is written."""

    def __init__(self, path: str, probes: dict[str, tree.Probe | None], umask: int) -> None:
        self._probes = probes
        self._umask = umask
        self._uid = path.rpartition("/")[2]
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._spec: dict[str, Any] = facts.read_whole(self._directory, "spec.json")
        self._gate = Gate(self._directory, self._spec)
        self._epoch: int = self._spec["epoch"]
        self._clock = Clock()
        self._limits = Limits(self._spec, self._clock)
        self._deadline = Deadline(self._spec.get("deadline"), self._spec.get("owner"))
        self._stopping = Stopping()
        self._agent = 0
        self._pidfd = self._error_fd = -1
        self._status: Any = None
        self._reaped = self._faults = 0
        self._stopped = False
        self._limit: str | None = None
        self._step: str | None = None
        self._spawn_error: str | None = None

    def run(self, title: kernel.Title) -> None:
        """From the start gate to the exit record."""
        title.set(f"agentrunner-shim {self._spec['run']}")
        if self._deadline.left() == 0.0:
            # Asked for by a worker that stood still: the run may be over by now, or another host's.
            self._limit = "deadline"
            return self._refuse()
        try:
            self._prepare()
            self._start()
        except OSError as error:
            if self._agent:
                raise
            self._spawn_error = f"the shim: {error.strerror or error}"
            return self._refuse()
        while self._status is None and self._agent:
            self._turn(None)
        self._end()

    def _refuse(self) -> None:
        """Nothing was forked and nothing will be: say so, or the worker would try for ever."""
        if hasattr(self, "_tree"):
            self._tree.remove()
        none = tree.make("walk", "", self._spec["instance"], self._uid)
        self._gate.record(0, none)
        record = self._record(0, dict.fromkeys((*STREAMS, "journal"), 0), 0, none)
        facts.insist(self._directory, lambda: facts.write_whole(self._directory, "exit", record))

    def _prepare(self) -> None:
        for number in (signals.SIGHUP, signals.SIGINT, signals.SIGTERM, signals.SIGPIPE):
            signals.signal(number, signals.SIG_IGN)
        for number in (signals.SIGCHLD, signals.SIGIO):
            signals.signal(number, _nothing)
        self._wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signals.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        kernel.become_subreaper()
        tree.note_subreaper()
        self._epoll = select.epoll()
        self._epoll.register(self._wake, select.EPOLLIN)
        self._deadline.watch(self._epoll)
        self._output = Output(self._directory, self._epoll, self._spec)
        self._journal = self._output.journal
        facts.reserve_whole(self._directory, "exit")
        self._ctl = Ctl(self._directory, self._epoll, self._obey)
        self._tree = tree.set_up(self._spec, self._uid, self._probes)
        self._freezer = Freezer(self._tree, self._clock, self._output)
        self._watch = Watch(self._tree.resources, self._journal, self._epoll)

    def _start(self) -> None:
        """Fork the child, name it in `proc.json`, let it execute."""
        stdin, stdin_write = self._open_stdin()
        self._inputs = Inputs(stdin_write, self._epoll, self._journal)
        start = Start(self._gate, self._spec, self._tree, [stdin, *self._output.open_ends()], self._umask)
        self._agent, self._pidfd, self._error_fd = start.pid, start.pidfd, start.error_read
        self._gate.record(self._agent, self._tree)
        self._gate.stall("proc")
        self._epoll.register(self._pidfd, select.EPOLLIN)
        self._epoll.register(self._error_fd, select.EPOLLIN)
        start.release()

    def _open_stdin(self) -> tuple[int, int]:
        """The agent's 0, and the other end where it is a pipe."""
        if self._spec["stdin"] == "prompt":
            return os.open("prompt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory), -1
        if self._spec["stdin"] == "pipe":
            return os.pipe2(os.O_CLOEXEC)
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1

    def _turn(self, most_s: float | None) -> None:
        """Wait for something, handle it, keep the time. No fault in it may end the shim while its agent lives."""
        try:
            ready = self._epoll.poll(self._timeout(most_s), _MOST_EVENTS)
            # The agent executes before it can write: said in this order too.
            ready.sort(key=lambda pair: pair[0] != self._error_fd)
            for descriptor, events in ready:
                self._handle(descriptor, events)
            self._keep_time()
        except Exception as error:
            self._faults += 1
            report(f"fault {self._faults} in the shim of run {self._spec['run']}", error)
            if self._faults >= _MOST_FAULTS:
                # Nothing can be waited for any more: end what can be ended, and see by itself that it has.
                self._tree.kill_once()
                self._reap()
            time.sleep(min(1.0, 0.001 * self._faults))

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._wake:
            if signals.SIGIO in os.read(self._wake, 4096):
                self._output.check_now()
            self._reap()
        elif descriptor == self._pidfd:
            self._reap()
        elif descriptor == self._error_fd:
            self._begin()
        elif descriptor == self._inputs.pipe:
            self._inputs.feed()
        elif descriptor == self._watch.descriptor:
            self._watch.told()
        elif descriptor == self._deadline.owner:
            self._deadline.pass_now()
        elif (moved := self._output.handle(descriptor)) is not None:
            if moved:
                self._limits.note_output()
        else:
            self._ctl.handle(descriptor, events)

    def _begin(self) -> None:
        """The child executes now, or says why it cannot."""
        if self._error_fd < 0:
            return
        message = os.read(self._error_fd, 4096).decode(errors="replace")
        self._epoll.unregister(self._error_fd)
        os.close(self._error_fd)
        self._error_fd = -1
        if message:
            self._spawn_error = message
            return
        self._limits.begin()
        self._output.check_now()
        start_time = tree.start_time(self._agent)
        self._journal.note("started", pid=self._agent, start_time=start_time, tree=self._tree.name)

    def _reap(self) -> bool:
        """Collect whatever has ended; the agent's own status is kept. False where no child is left."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                return False
            if found is None:
                return True
            if found.si_pid == self._agent and self._status is None:
                self._begin()
                self._status = found
                self._epoll.unregister(self._pidfd)
            else:
                self._reaped += 1

    def _timeout(self, most_s: float | None) -> float | None:
        """Seconds until something is due, None where nothing will be."""
        due = [most_s, self._stopping.left(), self._deadline.left(), self._output.pressure.left()]
        if not self._clock.is_stopped:
            due += [self._output.check_left(), self._watch.left()]
        if not self._stopping.has_begun and (coming := self._limits.next()) is not None:
            due.append(max(0.0, coming[1]))
        if self._output.is_behind or self._freezer.is_pausing:
            due.append(_RETRY_S)
        times = [left for left in due if left is not None]
        # epoll counts whole milliseconds: a wait too short by a part of one would be a turn for nothing.
        return min(times) + 0.001 if times else None

    def _keep_time(self) -> None:
        if self._output.is_behind:
            self._output.catch_up()
        self._output.pressure.say()
        if self._freezer.is_pausing:
            self._freezer.confirm()
        if not self._clock.is_stopped and self._output.check_left() == 0.0:
            self._check_files()
        if self._output.is_over:
            self._hit("output_mb")
        if self._watch.look():
            self._hit("memory_mb", grace_s=0)
        if (coming := self._limits.next()) is not None and coming[1] <= 0:
            self._hit_time(coming[0])
        if self._deadline.left() == 0.0:
            self._pass_deadline()
        for step in self._stopping.due():
            self._take_step(step)

    def _hit_time(self, name: str) -> None:
        """In file mode the last look may be old: the agent may have written meanwhile.

        One whose pipe is not read for want of room would write, if only it could: it is not idle.
        """
        if name == "idle_s" and self._output.is_held:
            self._limits.note_output()
            return
        if self._output.in_files and self._check_files():
            coming = self._limits.next()
            if coming is None or coming[1] > 0:
                return
        self._hit(name)

    def _hit(self, limit: str, grace_s: float | None = None) -> None:
        if self._status is None and self._limit is None and not self._stopping.has_begun:
            self._note_limit(limit)
            self._stopping.begin(self._spec["grace_s"] if grace_s is None else grace_s, self._freezer.is_frozen)

    def _note_limit(self, limit: str) -> None:
        """What ends the run, what was allowed and what was used."""
        self._limit = limit
        spent = {"memory_mb": self._watch.memory, "output_mb": self._output.spent}.get(limit)
        self._journal.note("limit", limit=limit, **(spent() if spent else self._limits.spent(limit)))

    def _pass_deadline(self) -> None:
        self._deadline.clear()
        if self._status is None and self._limit is None and not self._stopped:
            self._limit = "deadline"
        self._journal.note("deadline")
        self._stopping.begin(0, True)

    def _check_files(self) -> bool:
        """In file mode the agent writes by itself: look how much, and freeze it where there is no room."""
        grown = self._output.check()
        if grown:
            self._limits.note_output()
        if grown and not self._output.has_room():
            if self._stopping.has_begun:
                # It was asked to end and fills the disk instead.
                self._stopping.begin(0, True)
            else:
                self._freezer.cap(True)
        return grown

    def _take_step(self, step: str) -> None:
        """One step of a stop. What is frozen is signalled first, so that it runs on only to die."""
        self._step = step
        if step == "kill":
            # It may not have joined its group yet. What escapes this by forking is ended when the agent is reaped.
            self._signal_agent(signals.SIGKILL)
            self._tree.kill_once()
        elif step == "terminate":
            self._tree.signal(signals.SIGTERM)
        else:
            self._signal_agent(signals.SIGINT)
        self._freezer.thaw()
        if step != "kill":
            self._journal.note("signal", signal=_SIGNALS[step])

    def _signal_agent(self, number: int) -> None:
        try:
            signals.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """One command; refused where its epoch is lower than one already seen."""
        epoch: int = command["epoch"]
        if epoch < self._epoch:
            return {"error": "stale_epoch", "epoch": self._epoch}
        execute = _COMMANDS[command["cmd"]]
        self._epoch = epoch
        return {"ok": True, **(execute(self, command) or {})}

    def _obey_wish(self, command: dict[str, Any]) -> None:
        if self._status is not None:
            return  # it has ended by itself
        if command["cmd"] == "stop":
            self._stopped = True
            grace_s = command.get("grace_s")
            terminates = self._freezer.is_frozen or command.get("first") == "terminate"
            self._stopping.begin(self._spec["grace_s"] if grace_s is None else grace_s, terminates)
        elif not self._stopping.has_begun:
            (self._freezer.pause if command["cmd"] == "pause" else self._freezer.resume)(command["rev"])

    def _obey_input(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._inputs.obey(command)

    def _obey_recorded(self, command: dict[str, Any]) -> None:
        self._output.note_recorded({name: command[name] for name in STREAMS})
        if self._freezer.is_capped and self._output.has_room():
            self._freezer.cap(False)

    def _obey_cap(self, command: dict[str, Any]) -> None:
        """The worker has seen much growth, or its end: look now.

        What is found here decides: who was frozen although all is recorded would be thawed by nobody.
        """
        if command["on"] and self._output.in_files and self._status is None and not self._clock.is_stopped:
            self._check_files()
        elif self._freezer.is_capped and self._output.has_room():
            self._freezer.cap(False)

    def _obey_status(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"frozen": self._tree.is_frozen(), "sizes": self._output.sizes()}

    def _end(self) -> None:
        """Drain, kill the tree and prove it empty, drain again, note the sizes, write `exit`."""
        until = time.monotonic() + (0 if self._step == "kill" else _DRAIN_S)
        while self._output.is_open() and (left := until - time.monotonic()) > 0:
            self._turn(left)
        leftover = len(self._tree.pids())
        self._kill_tree()
        self._output.drain(_DRAIN_S)
        self._inputs.close()
        self._watch.note_refused(finally_=True)
        if self._limit is None and self._watch.is_out_of_memory():
            self._note_limit("memory_mb")
        code, number = self._exit_code()
        self._output.finish()
        self._journal.note("exited", exit_code=code, signal=number)
        self._insist(self._journal.flush)
        sizes = {**self._output.sizes(), "journal": self._journal.size()}
        record = self._record(leftover, sizes, self._output.dropped(), self._tree)
        self._insist(lambda: facts.write_whole(self._directory, "exit", record))
        self._tree.remove()

    def _insist(self, write: Callable[[], object]) -> None:
        """Until the disk takes it; `ctl` is served meanwhile, for what is recorded then makes room."""
        while not facts.has_written(self._directory, write):
            self._turn(_RETRY_S)
            self._output.give_back()

    def _record(self, leftover: int, sizes: dict[str, int], dropped: int, made: tree.Tree) -> dict[str, object]:
        code, number = self._exit_code()
        return {
            "exit_code": code,
            "signal": number,
            "spawn_error": self._spawn_error,
            "stopped": self._stopped,
            "limit": self._limit,
            "step": self._step,
            "leftover": leftover,
            "reaped": self._reaped,
            "dropped": dropped,
            "sizes": sizes,
            "tree": made.name,
            "used": made.used(),
        }

    def _exit_code(self) -> tuple[int | None, int | None]:
        """Exit code or signal; neither for what never executed."""
        if self._status is None or self._spawn_error is not None:
            return None, None
        if self._status.si_code == os.CLD_EXITED:
            return self._status.si_status, None
        return None, self._status.si_status

    def _kill_tree(self) -> None:
        """Kill until the tree is proven empty and no child is left; `ctl` is served meanwhile.

        Never given up: a run whose processes cannot be ended has not ended, and its journal says so.
        """
        pause, say_at = _KILL_PAUSE_S, time.monotonic() + _UNKILLABLE_S
        has_children = self._reap()
        while not self._tree.is_empty() or has_children:
            self._tree.kill_once()
            if has_children and self._tree.is_empty():
                tree.kill_children()
            self._turn(pause)
            has_children = self._reap()
            pause = min(pause * 2, _LONGEST_KILL_PAUSE_S)
            if time.monotonic() > say_at:
                self._journal.note("unkillable", pids=self._tree.pids()[:10])
                say_at = float("inf")


_COMMANDS = {
    "pause": Shim._obey_wish,
    "resume": Shim._obey_wish,
    "stop": Shim._obey_wish,
    "input": Shim._obey_input,
    "recorded": Shim._obey_recorded,
    "deadline": lambda shim, command: shim._deadline.move(command["boottime"]),
    "idle": lambda shim, command: shim._limits.hold_idle(command["hold"]),
    "cap": Shim._obey_cap,
    "status": Shim._obey_status,
}


def _nothing(number: int, frame: object) -> None:
    """The signal has done its work by waking the shim."""


def report(what: str, error: BaseException) -> None:
    """A line in the zygote's log."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "?" if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
    os.write(2, f"{what}: {error!r} at {where}\n".encode(errors="replace"))


def main(path: str, probes: dict[str, tree.Probe | None], umask: int, title: kernel.Title) -> None:
    """Own the agent of one run directory; never returns."""
    os.setsid()
    code = 0
    try:
        Shim(path, probes, umask).run(title)
    except gate.Closed:
        pass
    except BaseException as error:
        report(f"the shim of {path} could not go on", error)
        code = 1
    finally:
        os._exit(code)
