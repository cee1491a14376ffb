"""What must be true after a drill, checked run by run, and the figures that say so."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.harness import Task
from chaos.ledger import TAGS, Difference, book, compare, of_writer, starts
from chaos.victims import Kills, instant
from e2e.processes import agents, of_directory

STREAMS = {"out": "stdout", "err": "stderr"}
ENDS = {"run.completed", "run.failed", "run.stopped"}


@dataclass(slots=True)
class Verdict:
    """Everything counted; `broken` names each promise that was not kept, with its run."""

    runs: int = 0
    lines: Difference = field(default_factory=Difference)
    wrong_ends: int = 0
    executed_twice: int = 0
    stuck: int = 0
    gaps: int = 0
    identity_changed: int = 0
    processes_left: int = 0
    pauses: int = 0
    statuses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    broken: list[str] = field(default_factory=list)

    def add(self, task: Task, spools: dict[int, list[Path]]) -> None:
        """Judge one run."""
        if task.run_id is None:
            return
        self.runs += 1
        self.statuses[task.status] += 1
        if not task.is_over:
            self.stuck += 1
            self._break(task, f"is stuck in {task.status}")
            return
        self._check_numbers(task)
        self._check_end(task)
        self._check_executions(task, spools.get(task.run_id, []))
        self._check_lines(task)
        self._check_spool(task, spools.get(task.run_id, []))
        self.pauses += task.has("run.paused")

    def look_around(self, data_dir: Path) -> None:
        """Count what is left of agents and shims."""
        left = agents(data_dir) + of_directory(data_dir, "shim")
        self.processes_left = len(left)
        self.broken += [f"process {process.pid} is left: {process.command[:120]}" for process in left]

    def _break(self, task: Task, what: str) -> None:
        self.broken.append(f"run {task.run_id} ({task.plan.wish}, {task.plan.stdio}) {what}")

    def _check_numbers(self, task: Task) -> None:
        ends = [event for event in task.events if event["type"] in ENDS]
        in_order = [event["seq"] for event in task.events] == list(range(1, len(task.events) + 1))
        if not in_order or len(ends) != 1 or ends[0] is not task.events[-1]:
            self.gaps += 1
            self._break(task, f"has gaps, or not its one end last: {[event['type'] for event in task.events][-5:]}")

    def _check_end(self, task: Task) -> None:
        end = task.events[-1]
        found = (task.status, end["payload"].get("reason"), end["payload"].get("exit_code"))
        if (found if found[0] != "STOPPED" else found[:2]) not in _expected(task):
            self.wrong_ends += 1
            self._break(task, f"ended {found}, not {_expected(task)}")

    def _check_executions(self, task: Task, spools: list[Path]) -> None:
        done = starts(task.directory)
        told = [event["payload"] for event in task.events if event["type"] == "run.started"]
        attempts = {event["attempt"] for event in task.events}
        executed = [spool for spool in spools if (spool / "proc.json").exists()]
        # Stopped in the queue it never ran; then nothing may say that it did.
        wanted = 0 if task.status == "STOPPED" and not told else 1
        if len(done) > wanted or attempts != {1} or len(told) != wanted or len(executed) != wanted:
            self.executed_twice += 1
            self._break(task, f"was executed {len(done)} times: {len(told)} told, {len(executed)} directories")
        elif done and identity(told[0]) != (done[0].pid, done[0].started):
            self.identity_changed += 1
            self._break(task, f"was told to be {told[0]} but was {done[0]}")

    def _check_lines(self, task: Task) -> None:
        for stream, name in STREAMS.items():
            recorded = recorded_lines(task, name)
            known = 0
            for tag in TAGS:
                mine = of_writer(recorded, tag)
                known += len(mine)
                may_lose_end = task.shim_killed and task.plan.stdio == "pipe"
                found = compare(book(task.directory, tag, stream), mine, task.plan, tag, may_lose_end=may_lose_end)
                self.lines.add(found)
                if not found.is_none:
                    self._break(task, f"{tag} on {name}: {found}")
            if foreign := len(recorded) - known:
                self.lines.foreign += foreign
                self._break(task, f"has {foreign} lines on {name} that nobody wrote")

    def _check_spool(self, task: Task, spools: list[Path]) -> None:
        """The interleaving of several writers is in no book, so the raw spool is the witness of that."""
        for spool in spools:
            for stream, name in STREAMS.items():
                raw = (spool / stream).read_bytes() if (spool / stream).exists() else b""
                if raw.decode().split("\n")[:-1] != recorded_lines(task, name) and (spool / "proc.json").exists():
                    self.lines.reordered += 1
                    self._break(task, f"has a timeline of {name} that is not its spool's")


def _expected(task: Task) -> list[tuple[Any, ...]]:
    """The ends that a run may have; a wish that came too late leaves the run's own."""
    plan = task.plan
    if task.shim_killed:
        return [("FAILED", "shim_lost", None)]
    if plan.is_endless:
        return [("STOPPED", "stopped_by_user")]
    return [("COMPLETED", None, 0)] if plan.code == 0 else [("FAILED", "exit_nonzero", plan.code)]


def recorded_lines(task: Task, stream: str) -> list[str]:
    """The lines of a stream as the timeline has them."""
    logs = [event["payload"] for event in task.events if event["type"] == "log"]
    return [line for payload in logs if payload["stream"] == stream for line in payload["lines"]]


def identity(started: dict[str, Any]) -> tuple[int, int]:
    """Pid and start time of the agent in the payload of `run.started`."""
    return started["pid"], started["start_time"]


def spools_by_run(data_dir: Path) -> dict[int, list[Path]]:
    """The run directories of a data directory by run id."""
    found: dict[int, list[Path]] = defaultdict(list)
    for spec in sorted(data_dir.glob("runs/*/*/spec.json")):
        found[json.loads(spec.read_text())["run"]].append(spec.parent)
    return found


def adoption_times(tasks: list[Task], kills: Kills) -> list[float]:
    """Seconds from each kill of the worker until each run that was active then was adopted by the next."""
    times: list[float] = []
    for task in tasks:
        adopted = [instant(event["ts"]) for event in task.events if event["type"] == "run.adopted"]
        begun = [instant(event["ts"]) for event in task.events if event["type"] == "run.started"]
        for at in kills.at_ms["worker"]:
            later = [then for then in adopted if then >= at]
            if begun and begun[0] < at and later:
                times.append((min(later) - at) / 1000)
    return times


def share(values: list[float], part: float) -> float | None:
    """The value below which that part of the values lies; None without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 3) if ordered else None


def figures(verdict: Verdict, kills: Kills, tasks: list[Task]) -> dict[str, Any]:
    """Everything counted and measured, for one line of JSON."""
    adopted = adoption_times(tasks, kills)
    started = [event["payload"] for task in tasks for event in task.events if event["type"] == "run.started"]
    return {
        "tree": sorted({payload["tree"] for payload in started}),
        "kills": dict(kills.count),
        "kills_without_effect": kills.without_effect,
        "runs": verdict.runs,
        "statuses": dict(verdict.statuses),
        "runs_paused": verdict.pauses,
        "lines": verdict.lines.written,
        "lost": verdict.lines.lost,
        "doubled": verdict.lines.doubled,
        "reordered": verdict.lines.reordered,
        "foreign": verdict.lines.foreign,
        "wrong_ends": verdict.wrong_ends,
        "executed_twice": verdict.executed_twice,
        "stuck": verdict.stuck,
        "gaps": verdict.gaps,
        "identity_changed": verdict.identity_changed,
        "agents_unchanged_by_kills": kills.agents_unchanged,
        "processes_left": verdict.processes_left + kills.trees_left,
        "server_ready_s": {"p50": share(kills.ready_s, 0.5), "p99": share(kills.ready_s, 0.99)},
        "adopted_s": {"p50": share(adopted, 0.5), "p99": share(adopted, 0.99)},
        "shim_tree_gone_s": {"p50": share(kills.tree_gone_s, 0.5), "max": share(kills.tree_gone_s, 1.0)},
    }
