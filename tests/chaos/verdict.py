"""What must be true after a drill, checked run by run, and the figures that say so."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import remains, shorts
from chaos.flow import timelines
from chaos.harness import Task
from chaos.ledger import TAGS, Difference, book, compare, of_writer, starts
from chaos.shorts import Stop
from chaos.victims import Drill, Kills, instant
from e2e.processes import agents, of_directory

STREAMS = {"out": "stdout", "err": "stderr"}
ENDS = {"run.completed", "run.failed", "run.stopped"}
_LEASES_LOST = 0.02
"""The part of the runs whose worker may be without an answer for a lease: a loaded host starts a killed server late."""
_STARTS = 8
"""Starts that one kill may cut short: directories are then there that nothing was executed in."""
_STOP_SLACK_MS = 5000.0
"""How long a worker that goes on may take until it has caught up."""


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
    for directory in sorted(remains.directories(data_dir)):
        spec = directory / "spec.json"
        if spec.exists():
            found[json.loads(spec.read_text())["run"]].append(directory)
    return found


def adoption_times(events: list[dict[str, Any]], killed_ms: list[float], worker: str) -> list[float]:
    """Seconds from each kill of a worker until a run that it had then was adopted by the next."""
    mine = [event for event in events if event["payload"].get("worker") == worker]
    adopted = [instant(event["ts"]) for event in mine if event["type"] == "run.adopted"]
    begun = [instant(event["ts"]) for event in events if event["type"] == "run.started"]
    # Of one that changed hands the first start is another worker's.
    if not adopted or not begun or any(event["type"] == "run.retried" for event in events):
        return []
    # Milliseconds are rounded in an event: an adoption just before a kill must not count for it.
    later = [(at, [then for then in adopted if then > at + 1]) for at in killed_ms if at > begun[0]]
    return [(min(then) - at) / 1000 for at, then in later if then]


def share(values: list[float], part: float) -> float | None:
    """The value below which that part of the values lies; None without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 3) if ordered else None


def figures(verdict: Verdict, kills: Kills, tasks: list[Task], adopted: list[float]) -> dict[str, Any]:
    """Everything counted and measured, for one line of JSON."""
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
        "agents_unchanged": dict(kills.agents_unchanged),
        "processes_left": verdict.processes_left + kills.trees_left,
        "server_ready_s": {"p50": share(kills.ready_s, 0.5), "p99": share(kills.ready_s, 0.99)},
        "adopted_s": {"p50": share(adopted, 0.5), "p99": share(adopted, 0.99)},
        "shim_tree_gone_s": {"p50": share(kills.tree_gone_s, 0.5), "max": share(kills.tree_gone_s, 1.0)},
    }


@dataclass(slots=True)
class ShortVerdict:
    """Every short run judged, and what was seen on the way."""

    faults: shorts.Faults = field(default_factory=shorts.Faults)
    statuses: Counter[str] = field(default_factory=Counter)
    victims: Counter[str] = field(default_factory=Counter)
    stop_effects: Counter[str] = field(default_factory=Counter)
    adopted: list[float] = field(default_factory=list)
    lines: int = 0
    late: int = 0
    attempts: int = 0

    def add(self, short: shorts.Short, events: list[dict[str, Any]], stops: list[Stop]) -> None:
        """Judge one run."""
        stood = shorts.held_by(events, stops, instant, _STOP_SLACK_MS)
        self.statuses[shorts.judge(short, events, stood, self.faults)] += 1
        self.victims[short.errand.wish] += short.is_killed
        self.lines += sum(len(event["payload"]["lines"]) for event in events if event["type"] == "log")
        self.late += sum(bool(event.get("late")) for event in events)
        types = [event["type"] for event in events]
        self.attempts += 1 + types.count("run.retried")
        if stood and "run.lost" in types:
            effect = "retried" if "run.retried" in types else "taken up again" if short.errand.on_lost == "wait" else ""
            self.stop_effects[effect or ("failed" if events[-1]["type"] == "run.failed" else "ended before")] += 1


def judge_all(drill: Drill, stops: list[Stop], descriptors: tuple[dict[str, int], dict[str, int]]) -> dict[str, Any]:
    """Every promise against what there is, with the product still running."""
    verdict, others, tasks = Verdict(), ShortVerdict(), drill.feeder.tasks
    worker = json.loads((drill.product.data_dir / "worker.json").read_text())["worker_id"]
    killed_ms = drill.kills.at_ms["worker"]
    spools = spools_by_run(drill.product.data_dir)
    adopted: list[float] = []
    for task in tasks:
        verdict.add(task, spools)
        adopted += adoption_times(task.events, killed_ms, worker)
    for short, events in timelines(drill.product, drill.flow.shorts):
        others.add(short, events, stops)
        adopted += adoption_times(events, killed_ms, worker)
    verdict.look_around(drill.product.data_dir)
    found = figures(verdict, drill.kills, tasks, adopted)
    for name, count in others.faults.count.items():
        found[name] += count
    found["runs"] += len(drill.flow.shorts)
    found["lines"] += others.lines
    found |= {
        "short_statuses": dict(others.statuses),
        "victims": dict(others.victims),
        "stop_effects": dict(others.stop_effects),
        "late_events": others.late,
        "leases_lost": others.faults.leases_lost,
    }
    broken = verdict.broken + others.faults.broken + _unreached(drill, others)
    count = drill.kills.count
    starts_cut = count["worker"] + count["zygote"] + count["server"] + count["stop"]
    broken += remains.look_at(drill.product, (others.attempts + len(tasks), starts_cut * _STARTS), *descriptors)
    return {**found, "broken": broken[:50]}


def _unreached(drill: Drill, others: ShortVerdict) -> list[str]:
    """A drill that did not do what it was to do has proven nothing."""
    found = []
    if not drill.goal.is_met(drill.kills.count):
        found.append(f"too few kills in time: {dict(drill.kills.count)}")
    if others.faults.leases_lost > _LEASES_LOST * len(drill.flow.shorts):
        found.append(f"{others.faults.leases_lost} runs lost their lease with nobody standing still")
    if drill.kills.trees_left:
        found.append(f"{drill.kills.trees_left} processes outlived their shim")
    if drill.goal.stops and not {"retried", "failed", "taken up again"} <= others.stop_effects.keys():
        found.append(f"the stopped workers had too few kinds of runs: {dict(others.stop_effects)}")
    return found
