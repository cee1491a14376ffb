"""Three agents run while everything around them is killed: `make demo`, about 20 seconds, nothing leaves this machine.

A fresh data directory, `agentrunner up`, and at the same time a command, a script that is paused and resumed, and the
real Claude Code writing a file against a scripted model on loopback. Server and worker are killed with -9 in the middle
and started again. At the end every line is counted. `--keep` goes on serving and says how to look.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentrunner.testing import ScriptedAgent, ScriptedModel, ToolCall, Turn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_timeline import TERMINAL, Screen, Timeline

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "tests/programs/node_modules/.bin/claude"
LINES = 130
STEPS = 80
POEM = """\
The server fell, the worker too;
the agent wrote its line.
And when they rose, all that they knew
was every word, on time.
"""
LIMIT_S = 120.0
_USAGE = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


class Failed(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Show:
    """One run of the demo: the product in `data_dir`, three runs, and what is done to them."""

    def __init__(self, screen: Screen, data_dir: Path, model: ScriptedModel, claude: str) -> None:
        self.screen = screen
        self.data_dir = data_dir
        self.model = model
        self.claude = claude
        self.up: subprocess.Popen[bytes] | None = None
        self.timelines: list[Timeline] = []
        self.outage_lines = 0
        self._deadline = time.monotonic() + LIMIT_S

    def until(self, condition: Callable[[], Any], what: str, within_s: float = 40.0) -> Any:
        """The first truthy answer of `condition`."""
        deadline = min(self._deadline, time.monotonic() + within_s)
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"Waited {within_s:.0f} s in vain: {what}.")
            if self.up is not None and self.up.poll() is not None:
                raise Failed(f"`agentrunner up` ended with exit code {self.up.returncode}.")
            for timeline in self.timelines:
                if timeline.failure is not None:
                    raise Failed(f"The timeline of {timeline.backend_name} is broken: {timeline.failure}")
            time.sleep(0.02)
        return found

    def start(self) -> None:
        """Start `agentrunner up` and wait for both its parts."""
        program = Path(sys.executable).with_name("agentrunner")
        words = [str(program), "up", "--data-dir", str(self.data_dir), "--port", "0", "--no-open"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTRUNNER_")}
        with (self.data_dir / "up.log").open("wb") as log:
            self.up = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=kept, start_new_session=True
            )
        self.screen.say("starting", f"agentrunner up --data-dir {self.data_dir}")
        self.until(self._is_ready, "server and worker to be ready")
        self.screen.good("server and worker are ready: two processes, one SQLite file")

    def _is_ready(self) -> bool:
        try:
            return any(worker["online"] for worker in self.ask("GET", "/v1/workers")["items"])
        except (OSError, httpx.TransportError, httpx.HTTPStatusError):
            return False

    def client(self) -> httpx.Client:
        """A client with the local token, over the Unix socket."""
        token = (self.data_dir / "token").read_text().strip()
        transport = httpx.HTTPTransport(uds=str(self.data_dir / "agentrunner.sock"))
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url="http://agentrunner", transport=transport, headers=headers, timeout=20)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request."""
        with self.client() as client:
            answer = client.request(method, path, json=body)
            answer.raise_for_status()
            return dict(answer.json())

    def create(self) -> None:
        """Start the three runs at once and follow them."""
        counting = f'i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo "line $i of {LINES}"; sleep 0.08; done'
        script = ScriptedAgent().spawn(2, double_fork=True, setsid=True, quiet=True)
        script.emit(f"of {STEPS} steps", repeat=STEPS, every=0.1, numbered=True)
        environment = {**self.model.environment(), "HOME": str(self.data_dir / "home")}
        runs: list[dict[str, Any]] = [
            {"backend": "command", "goal": "", "title": "count", "options": {"argv": ["sh", "-c", counting]}},
            {"backend": "script", "goal": "", "title": "steps", "options": script.options()},
            {
                "backend": "claude",
                "goal": "Write a poem about processes into poem.txt.",
                "title": "poem",
                "options": {"program": self.claude, "permission_mode": "bypass", "env": environment},
            },
        ]
        (self.data_dir / "home").mkdir()
        for run in self.ask("POST", "/v1/runs", {"runs": runs})["items"]:
            timeline = Timeline(run, self.client, self.screen)
            timeline.start()
            self.timelines.append(timeline)
        self.screen.good("three runs are queued, and followed live")

    def act(self) -> None:
        """Pause one run, kill server and worker under all of them, resume it, let all come to their end."""
        command, script, _ = self.timelines
        self.until(lambda: self.model.reached("middle", 0.0), "Claude Code to be in the middle of its answer")
        self.until(lambda: command.lines >= 30 and script.lines >= 10, "the first lines")
        self.screen.say("pausing", f"agentrunner pause {script.run_id}")
        self.ask("POST", f"/v1/runs/{script.run_id}/pause")
        self.until(lambda: script.status == "PAUSED", "the script to be paused")
        self._kill_both(command)
        self.screen.say("resuming", f"agentrunner resume {script.run_id}")
        self.ask("POST", f"/v1/runs/{script.run_id}/resume")
        self.until(lambda: script.status != "PAUSED", "the script to be resumed")
        self.model.open("middle")
        self.until(lambda: all(each.status in TERMINAL for each in self.timelines), "all three to end", 90)

    def _kill_both(self, command: Timeline) -> None:
        agents = {each.run_id: each.agent for each in self.timelines}
        spool = self._spool(command)
        before = spool.stat().st_size
        parts = {name: part for name in ("server", "worker") if (part := self._part(name))}
        if len(parts) != 2:
            raise Failed("Server and worker were not found among the children of `agentrunner up`.")
        for name, pid in parts.items():
            os.kill(pid, signal.SIGKILL)
            self.screen.bad(f"kill -9 {pid}: the {name} is dead")
        killed = time.monotonic()
        self.until(lambda: self._part("server") not in (None, parts["server"]) and self._is_ready(), "a new server")
        self.until(lambda: all(each.adoptions for each in self.timelines), "the new worker to adopt all runs")
        took = time.monotonic() - killed
        grown = spool.stat().st_size - before
        self.screen.good(f"both are back and have adopted all three runs after {took:.1f} s")
        if grown:
            self.screen.good(f"the agents went on meanwhile: {grown} bytes were waiting, and are here now")
        if any(each.agent != agents[each.run_id] or not each.is_same_process() for each in self.timelines):
            raise Failed("An agent was not the same process before and after.")

    def _spool(self, timeline: Timeline) -> Path:
        """Where the shim of a run keeps what its agent writes."""
        for spec in self.data_dir.glob("runs/*/*/spec.json"):
            if json.loads(spec.read_text())["run"] == timeline.run_id:
                return spec.with_name("out")
        raise Failed(f"There is no run directory of run {timeline.run_id}.")

    def _part(self, name: str) -> int | None:
        assert self.up is not None
        for pid, parent, command in processes():
            if parent == self.up.pid and f"agentrunner.app {name}" in command:
                return pid
        return None

    def check(self) -> bool:
        """Count everything, show the table; True where all of it is there."""
        command, script, poem = self.timelines
        file = next(self.data_dir.glob("workspaces/*/poem.txt"), None)
        usage = self.ask("GET", f"/v1/runs/{poem.run_id}")["usage"]
        used = {name: usage[name] for name in _USAGE}
        counted = {name: getattr(self.model.usage, name) for name in _USAGE}
        wanted_steps = [f"{number} of {STEPS} steps" for number in range(1, STEPS + 1)]
        steps = [line for line in script.texts if not line.startswith("child ")]
        told = f"{used['input_tokens']} + {used['cache_read_tokens']} cached in, {used['output_tokens']} out"
        findings = [
            (
                command,
                command.texts == [f"line {n} of {LINES}" for n in range(1, LINES + 1)],
                f"{LINES} lines of {LINES}",
            ),
            (script, steps == wanted_steps, f"{STEPS} steps of {STEPS}, paused and resumed"),
            (poem, file is not None and file.read_text() == POEM and used == counted, f"file written; tokens {told}"),
        ]
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for column in ("backend", "status", "attempt", "process", "events", "counted, line by line"):
            table.add_column(column)
        good = True
        for timeline, whole, words in findings:
            fine = whole and timeline.status == "COMPLETED" and timeline.attempt == 1
            good &= fine
            mark = Text(f"✓ {words}", "green") if fine else Text(f"✗ not: {words}", "bold red")
            status = Text(timeline.status, "green" if timeline.status == "COMPLETED" else "bold red")
            pid = f"pid {timeline.agent[0]}" if timeline.agent else "?"
            seqs = f"1 … {timeline.last_seq}"
            table.add_row(timeline.backend_name, status, str(timeline.attempt), pid, seqs, mark)
        self.screen.console.print()
        self.screen.console.print(table)
        return good

    def keep(self) -> None:
        """Go on serving until Ctrl-C."""
        prefix = f"AGENTRUNNER_DATA_DIR={self.data_dir} .venv/bin/agentrunner"
        lines = [f"{prefix} {words}" for words in ("login", "ps --all", "logs 1", "show 3", "explain 3")]
        self.screen.console.print(
            Panel("\n".join([*lines, "", "Ctrl-C here ends it."]), title="Still serving", expand=False)
        )
        # Outside of the frame and never wrapped, so that a terminal knows it as one link.
        link = str(self.ask("POST", "/v1/logins", {})["url"])
        self.screen.console.print("The three runs in the console; the link signs one browser in, for five minutes:")
        self.screen.console.print(link, soft_wrap=True)
        try:
            while self.up is not None and self.up.poll() is None:
                time.sleep(0.2)
        except KeyboardInterrupt:
            return

    def end(self) -> None:
        """End `up`, then what is left in the data directory."""
        for timeline in self.timelines:
            timeline.end()
        if self.up is not None:
            self.up.terminate()
            try:
                self.up.wait(15)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait(5)
        deadline = time.monotonic() + 10
        while (left := of_directory(self.data_dir)) and time.monotonic() < deadline:
            for descriptor in left:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                os.close(descriptor)
            time.sleep(0.05)


def processes() -> Iterator[tuple[int, int, str]]:
    """Pid, parent and command line of every process."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if stat[0] not in "ZX":
            yield int(name), int(stat[1]), command


def of_directory(data_dir: Path) -> list[int]:
    """A pidfd of every other process that was started with, or has open, something of a data directory."""
    found: list[int] = []
    for pid, _, _ in processes():
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            continue
        # Looked at behind pidfd_open: from there on the pid cannot become somebody else's.
        if pid != os.getpid() and _concerns(pid, str(data_dir)):
            found.append(descriptor)
        else:
            os.close(descriptor)
    return found


def _concerns(pid: int, directory: str) -> bool:
    root = Path(f"/proc/{pid}")
    try:
        if any(directory.encode() in (root / name).read_bytes() for name in ("cmdline", "environ")):
            return True
        return any(os.readlink(link).startswith(directory) for link in [root / "cwd", *(root / "fd").iterdir()])
    except OSError:
        return False


def turns() -> list[Turn]:
    """What the scripted model says: it thinks, is held in the middle of a sentence, writes the file, and is done."""
    write = ToolCall(name="Write", input={"file_path": "poem.txt", "content": POEM})
    read = ToolCall(name="Bash", input={"command": "wc -l poem.txt", "description": "Count the lines"})
    return [
        Turn(
            thinking="Four lines will do.",
            text="I shall write the poem now, line by line.",
            tools=(write,),
            gate="middle",
        ),
        Turn(text="Let me count its lines.", tools=(read,)),
        Turn(text="The poem is in poem.txt: four lines."),
    ]


def program() -> str:
    """The pinned Claude Code, else the one in PATH."""
    found = str(PINNED) if PINNED.exists() else shutil.which("claude")
    if found is None:
        raise Failed("Claude Code is not here: `make programs` installs the pinned one.")
    return found


@contextmanager
def directory() -> Iterator[Path]:
    """A fresh data directory with a short name, deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="agentrunner-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def main() -> int:
    """The whole demo; 0 where every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--keep", action="store_true", help="go on serving at the end")
    keep = parser.parse_args().keep
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # However it is told to end, it ends what it started.
        signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    screen = Screen(console)
    console.print(Panel(_INTRODUCTION, title="Agent Runner", title_align="left", expand=False))
    with ExitStack() as stack:
        data_dir = stack.enter_context(directory())
        show: Show | None = None
        try:
            model = stack.enter_context(ScriptedModel(turns()))
            show = Show(screen, data_dir, model, program())
            show.start()
            show.create()
            show.act()
            good = show.check()
            console.print(f"\n[bold]{'Nothing was lost.' if good else 'A promise broke.'}[/] {screen.elapsed:.0f} s\n")
            if keep:
                show.keep()
            return 0 if good else 1
        except (Failed, httpx.HTTPError, OSError) as error:
            screen.bad(f"the demo failed: {error}")
            log = data_dir / "up.log"
            console.print((log.read_text("utf-8", "replace")[-4000:] if log.exists() else ""), markup=False)
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            if show is not None:
                show.end()


_INTRODUCTION = (
    "Three agents run at the same time: a [cyan]command[/], a [magenta]script[/] with children of its own, and\n"
    "the real [yellow]Claude Code[/] (its model is scripted and local: no key, no internet).\n"
    "Then server and worker are killed with [bold red]kill -9[/] under them. Watch the timelines."
)

if __name__ == "__main__":
    sys.exit(main())
