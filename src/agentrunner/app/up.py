"""`agentrunner up`: a small parent that starts server and worker and restarts either; it holds no state of its own.

Both hold the read end of a pipe from here: when this process is gone, however that came about, they end themselves,
and their agents go on.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentrunner import __version__
from agentrunner.app.address import SOCKET_NAME, read_address
from agentrunner.app.log_line import line
from agentrunner.app.login import Link, link, open_page
from agentrunner.app.parent import PARENT_FD, REFUSED
from agentrunner.app.tokens import make_local_tokens
from agentrunner.config import BY_NAME, SETTINGS, Settings
from agentrunner.domain.errors import ConfigurationError
from agentrunner.process import holder
from agentrunner.process.adopt import is_live

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 10.0
_END_WITHIN_S = 10.0
_READY_WITHIN_S = 30.0
_WAKEUP = 0
"""Beside the signals' numbers: what was woken before."""


@dataclass(slots=True)
class Part:
    """A child and when it may be started again."""

    name: str
    argv: list[str]
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    started_at: float = 0.0
    start_at: float = 0.0
    pause_s: float = 0.0
    restarts: int = field(default=0)


class Parent:
    """Runs parts until told to end. `say` is given each line that a person should read.

    Without `tcp` nobody but this host's commands reaches the server; without `worker` there is the server alone.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None], *, tcp: bool = True, worker: bool = True
    ) -> None:
        self._settings = settings
        self._say = say
        hidden = [] if tcp else ["--no-tcp"]
        self._parts = [Part("server", [*_HERE, "server", *hidden])]
        if worker:
            self._parts.append(Part("worker", [*_HERE, "worker"]))
        self._told: list[int] = []
        self._code = 0
        self._lock = -1
        self._before: dict[int, Any] = {}
        self._selector = selectors.DefaultSelector()
        self._read_end, self._write_end = os.pipe()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def socket_path(self) -> str:
        """Where the server listens for this host's commands."""
        return str(self._settings.data_path / SOCKET_NAME)

    @property
    def is_told(self) -> bool:
        """Whether it has been told to end, or cannot go on."""
        return bool(self._told)

    def start(self) -> None:
        """Take over the signals and start the parts.

        Raises ConfigurationError where another parent runs in this data directory, or the directory cannot be used.
        """
        data_dir = self._settings.data_path
        try:
            self._lock = holder.take(data_dir / "up.lock")
            make_local_tokens(data_dir)
        except holder.Held as error:
            raise ConfigurationError(f"`agentrunner up` already runs in {data_dir}: {_holder(data_dir)}.") from error
        except OSError as error:
            raise ConfigurationError(f"{data_dir} cannot be used: {error.strerror or error}.") from error
        self._before[_WAKEUP] = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, lambda received, _frame: self._told.append(received))
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._start_due()

    def run(self) -> int:
        """Keep the parts until told to end, or until one refuses to start; answers the exit code when all ended."""
        try:
            while not self._told:
                self.step(self._start_due())
        finally:
            self.stop()
        return self._code

    def wait_ready(self, timeout_s: float) -> bool:
        """Keep the parts until the server answers; False after `timeout_s`, or when told to end."""
        deadline = time.monotonic() + timeout_s
        while not self._told and time.monotonic() < deadline:
            if _answers(self.socket_path):
                return True
            due = self._start_due()
            self.step(0.05 if due is None else min(due, 0.05))
        return False

    def step(self, timeout_s: float | None) -> None:
        """Wait for a part to end, a signal, or `timeout_s`."""
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                os.read(self._wake_read, 4096)
            else:
                self._reap(key.data)

    def _start_due(self) -> float | None:
        now = time.monotonic()
        waiting = [part for part in self._parts if part.process is None]
        for part in waiting:
            if part.start_at <= now:
                self._start(part)
        left = [part.start_at - now for part in waiting if part.process is None]
        return max(0.0, min(left)) if left else None

    def _start(self, part: Part) -> None:
        environment = {**os.environ, **_variables(self._settings), PARENT_FD: str(self._read_end)}
        if part.name == "worker":
            for secret in ("database_url", "agentops_api_key"):
                environment.pop(BY_NAME[secret].variable, None)
        part.process = subprocess.Popen(
            part.argv, env=environment, pass_fds=[self._read_end], stdin=subprocess.DEVNULL, start_new_session=True
        )
        part.pidfd = os.pidfd_open(part.process.pid)
        part.started_at = time.monotonic()
        self._selector.register(part.pidfd, selectors.EVENT_READ, part)

    def _reap(self, part: Part) -> None:
        assert part.process is not None
        code = part.process.wait()
        self._selector.unregister(part.pidfd)
        os.close(part.pidfd)
        part.process, part.pidfd = None, -1
        if self._told:
            return
        if code == REFUSED and part.restarts == 0:
            self._say(f"The {part.name} cannot start; see above.")
            self._code = 1
            self._told.append(signal.SIGTERM)
            return
        if time.monotonic() - part.started_at > _STEADY_S:
            part.pause_s = 0.0
        # At once the first time: only one that keeps ending is given a pause.
        part.start_at = time.monotonic() + part.pause_s
        part.pause_s = min(max(part.pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        part.restarts += 1
        self._say(f"The {part.name} ended ({_how(code)}); starting it again. Agents are not touched.")

    def tell(self) -> None:
        """Let `run` end, from another thread."""
        self._told.append(signal.SIGTERM)
        os.write(self._wake_write, b"!")

    def stop(self) -> None:
        """End the parts and wait for them; a second signal ends them at once. Harmless twice, and without `start`."""
        if self._write_end < 0:
            return
        os.close(self._write_end)
        self._write_end = -1
        self._told = self._told or [signal.SIGTERM]
        deadline = time.monotonic() + _END_WITHIN_S
        for part in self._parts:
            if part.process is not None:
                part.process.terminate()
        first = len(self._told)
        while living := [part for part in self._parts if part.process is not None]:
            if len(self._told) > first or time.monotonic() > deadline:
                for part in living:
                    assert part.process is not None
                    part.process.kill()
            self.step(max(0.05, min(1.0, deadline - time.monotonic())))

    def close(self) -> None:
        """Give back the signals and every descriptor; from the thread that started it."""
        self.stop()
        for number, before in self._before.items():
            if number == _WAKEUP:
                signal.set_wakeup_fd(before)
            else:
                signal.signal(number, before)
        self._before = {}
        self._selector.close()
        for descriptor in (self._read_end, self._wake_read, self._wake_write, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._read_end = self._wake_read = self._wake_write = self._lock = -1


def _holder(data_dir: Path) -> str:
    """Who holds the lock, for a person."""
    try:
        return f"process {json.loads((data_dir / 'up.lock').read_text())['pid']}; end that one first"
    except (OSError, ValueError, KeyError, TypeError):
        return "end that one first"


def _answers(socket_path: str) -> bool:
    """True where somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(socket_path)
        except OSError:
            return False
    return True


def _variables(settings: Settings) -> dict[str, str]:
    """The settings as the variables that the children read."""
    return {row.variable: str(getattr(settings, row.name)) for row in SETTINGS}


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


_HERE = [sys.executable, "-m", "agentrunner.app"]


def up(settings: Settings, open_console: bool = False) -> int:
    """Run server and worker in the foreground until told to end, with `disable_worker` the server alone; prints what a
    person needs to know, and opens the console where asked to.

    Raises ConfigurationError where it cannot begin. Answers the exit code.
    """
    parent = Parent(settings, _say, worker=not settings.disable_worker)
    try:
        parent.start()
        if parent.wait_ready(_READY_WITHIN_S):
            _greet(settings, open_console)
        elif not parent.is_told:
            _say("The server does not answer yet; see above. Ctrl-C ends everything but the agents.")
        code = parent.run()
    finally:
        parent.close()
    if (left := live_runs(settings)) > 0:
        plural = "agents go" if left > 1 else "agent goes"
        _say(f"{left} {plural} on. `agentrunner up` takes them up again, `agentrunner stop --all` ends them.")
    return code


def _greet(settings: Settings, open_console: bool) -> None:
    address = read_address(settings.data_path) or "the Unix socket"
    _say(f"Agent Runner {__version__} serves at {address}; data in {settings.data_path}")
    _say("In another terminal: `agentrunner run -- COMMAND`, `agentrunner ps`, `agentrunner --help`. Ctrl-C ends this.")
    found = link(settings)
    _say(_console(settings, found))
    if open_console and found is not None and not open_page(settings, found.url):
        _say("No browser could be started here; open the link above.")
    if settings.disable_worker:
        _say("DISABLE_WORKER: no worker here; runs wait in the queue until `agentrunner worker` runs somewhere.")
    if settings.insecure_no_auth:
        _say("WARNING: --insecure-no-auth: every program and every web page on this host can command it.")
    if os.geteuid() == 0:
        _say("Running as root: agents can do everything on this host.")


def _console(settings: Settings, found: Link | None) -> str:
    """Where the console is. A link that signs in goes to a person only: other lines are kept as logs."""
    address = read_address(settings.data_path)
    if address is None:
        return "Console: none without TCP."
    if found is not None and sys.stderr.isatty() and not settings.insecure_no_auth:
        return f"Console: {found.url} (signs one browser in, for five minutes; then: agentrunner login)"
    how = "" if settings.insecure_no_auth else "; `agentrunner login` prints a link that signs a browser in"
    return f"Console: {address}/console/{how}"


def _say(text: str) -> None:
    """A line for a person, or one of the log that the parts write too."""
    print(text if sys.stderr.isatty() else line("up", text), file=sys.stderr, flush=True)


def live_runs(settings: Settings) -> int:
    """How many agents of this data directory's instances live now."""
    return sum(1 for path in (settings.data_path / "runs").glob("*/*") if is_live(path))
