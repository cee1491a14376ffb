"""The demo's screen, and one run's timeline followed live through everything that happens to the server."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

TERMINAL = {"COMPLETED", "FAILED", "STOPPED"}
COLOURS = {"command": "cyan", "script": "magenta", "claude": "yellow"}
_STATUS = {
    "run.created": "QUEUED",
    "run.claimed": "RUNNING",
    "run.paused": "PAUSED",
    "run.resumed": "RUNNING",
    "run.completed": "COMPLETED",
    "run.failed": "FAILED",
    "run.stopped": "STOPPED",
}
_QUIET = {"run.created", "run.claimed", "turn.started", "turn.finished", "cost"}
_STYLES = {
    "log": "dim",
    "run.started": "bold",
    "run.paused": "bold yellow",
    "run.resumed": "bold yellow",
    "run.adopted": "bold green",
    "run.completed": "bold green",
    "run.failed": "bold red",
}
_EVERY_S = 0.9
"""Numbered lines are shown together, this often: a reader follows a timeline, not a flood."""


class Screen:
    """Lines with the time since the start, a name and a text; safe to use from several threads."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def line(self, name: str, what: str, text: str, style: str) -> None:
        """One line, never broken."""
        shown = Text()
        shown.append(f"{self.elapsed:5.1f} s ", "dim")
        shown.append(f" {name:8}", style)
        shown.append(f" {what:16}" if what else " ", _STYLES.get(what, ""))
        shown.append(text, "" if what else style)
        with self._lock:
            self.console.print(shown, no_wrap=True, overflow="ellipsis", crop=True)

    def say(self, what: str, text: str) -> None:
        """What the demo does."""
        self.line("▸", what, text, "bold")

    def good(self, text: str) -> None:
        """What went well."""
        self.line("✓", "", text, "bold green")

    def bad(self, text: str) -> None:
        """What was destroyed, or went wrong."""
        self.line("✗", "", text, "bold red")


class Timeline(threading.Thread):
    """Follows a run by its stream, resuming by `seq` whenever the server dies, and checks that no number is missing."""

    def __init__(self, run: dict[str, Any], connect: Callable[[], httpx.Client], screen: Screen) -> None:
        super().__init__(name=f"timeline-{run['id']}", daemon=True)
        self.run_id: int = run["id"]
        self.title: str = run["title"]
        self.backend_name: str = run["backend"]
        self.status = "QUEUED"
        self.attempt = 1
        self.adoptions = 0
        self.last_seq = 0
        self.agent: tuple[int, int] | None = None
        self.texts: list[str] = []
        self.failure: str | None = None
        self._connect = connect
        self._screen = screen
        self._ended = threading.Event()
        self._held: list[str] = []
        self._shown = 0.0

    @property
    def lines(self) -> int:
        """How many lines of output are recorded."""
        return len(self.texts)

    def run(self) -> None:
        """Follow until the run has ended."""
        while not self._ended.is_set() and self.failure is None and self.status not in TERMINAL:
            try:
                self._follow()
            except (httpx.TransportError, httpx.HTTPStatusError, OSError):
                self._ended.wait(0.1)

    def end(self) -> None:
        """Follow no more."""
        self._ended.set()

    def is_same_process(self) -> bool:
        """Whether the agent that was told of is still that very process."""
        if self.agent is None:
            return False
        try:
            stat = Path(f"/proc/{self.agent[0]}/stat").read_text()
        except OSError:
            return False
        return int(stat.rpartition(")")[2].split()[19]) == self.agent[1]

    def _follow(self) -> None:
        path = f"/v1/runs/{self.run_id}/stream"
        with self._connect() as client, client.stream("GET", path, params={"after": self.last_seq}) as answer:
            answer.raise_for_status()
            for event in frames(answer.iter_lines()):
                if self._ended.is_set():
                    return
                self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        if event["seq"] != self.last_seq + 1:
            self.failure = f"{event['seq']} came behind {self.last_seq}"
        self.last_seq = event["seq"]
        self.attempt = event["attempt"]
        type, payload = event["type"], event["payload"]
        if type == "run.started":
            self.agent = (payload["pid"], payload["start_time"])
        if type == "log":
            self.texts += payload["lines"]
            self._hold(payload["lines"])
        else:
            self._show_held()
            if type not in _QUIET:
                self._screen.line(self.backend_name, type, describe(type, payload), COLOURS[self.backend_name])
        self.adoptions += type == "run.adopted"
        self.status = _STATUS.get(type, self.status)

    def _hold(self, lines: list[str]) -> None:
        self._held += lines
        if time.monotonic() - self._shown >= _EVERY_S:
            self._show_held()

    def _show_held(self) -> None:
        if not self._held:
            return
        first, last = self._held[0], self._held[-1]
        text = first if len(self._held) == 1 else f"{first}   …   {last}"
        self._screen.line(self.backend_name, "log", text, COLOURS[self.backend_name])
        self._held = []
        self._shown = time.monotonic()


def frames(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream of server-sent ones; the closing `end` is none."""
    name, data = "", ""
    for line in lines:
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif not line and data:
            if name != "end":
                yield json.loads(data)
            name, data = "", ""


def describe(type: str, payload: dict[str, Any]) -> str:
    """One line about an event."""
    match type, payload:
        case "run.started", {"pid": pid}:
            return f"pid {pid}"
        case "run.adopted", _:
            return "by the new worker, where its stored offsets end"
        case "run.paused", _:
            return "the whole tree is frozen"
        case "run.resumed", _:
            return "it goes on where it stood"
        case (("message" | "thinking"), {"text": text}):
            return " ".join(str(text).split())
        case "tool.called", {"name": name, "input": given}:
            return f"{name} {json.dumps(given, ensure_ascii=False)}"
        case "tool.result", {"output": output}:
            return " ".join(re.sub(r"\s+", " ", str(output)).split())
        case "usage", {"input_tokens": spent, "cache_read_tokens": cached, "output_tokens": made}:
            return f"{spent} in, {cached} cached, {made} out"
        case "session.started", {"version": version}:
            return f"Claude Code {version}"
        case (("run.completed" | "run.failed"), _):
            return " ".join(f"{name} {payload[name]}" for name in ("reason", "exit_code", "message") if name in payload)
    return ""
