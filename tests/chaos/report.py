"""What a person reads of a drill: who was killed and what came of it, what was lost, how long recovery took."""

from typing import Any

EFFECTS = {
    "server": "workers retried, agents went on",
    "worker": "the next one took its runs up, agents went on",
    "zygote": "the worker started another, agents went on",
    "shim": "the tree ended, FAILED shim_lost",
    "agent": "FAILED signal",
    "stop": "wait: taken up again; fail: FAILED worker_lost; retry: another attempt",
}


def summary(found: dict[str, Any]) -> str:
    """The table and the promises, a line each."""
    lines = [f"{'what':8}{'times':>6}  effect"]
    for kind, effect in EFFECTS.items():
        lines.append(f"{kind:8}{found['kills'].get(kind, 0):>6}  {effect}{_counted(found, kind)}")
    runs, ready, adopted, gone = found["runs"], found["server_ready_s"], found["adopted_s"], found["shim_tree_gone_s"]
    lines += [
        f"{runs} runs with {found['lines']} lines: {found['lost']} lost, {found['doubled']} doubled, "
        f"{found['reordered']} reordered, {found['executed_twice']} executed twice, {found['stuck']} stuck, "
        f"{found['processes_left']} processes left, {found['gaps']} gaps",
        f"server back after {ready['p50']} s (p99 {ready['p99']}), runs adopted after {adopted['p50']} s "
        f"(p99 {adopted['p99']}), tree of a killed shim gone after {gone['p50']} s (at most {gone['max']})",
        f"{found['leases_lost']} runs lost their lease by kills of the server alone",
        f"{found['runs_per_s']} runs a second while killing, {found['calm_runs_per_s']} without; "
        f"{found['cpu_s']} CPU seconds of servers, workers and the drill",
        *(f"BROKEN: {what}" for what in found["broken"]),
    ]
    return "\n".join(f"chaos: {line}" for line in lines)


def _counted(found: dict[str, Any], kind: str) -> str:
    if kind == "stop":
        late = found["late_events"]
        return "".join(f", {count} {what}" for what, count in sorted(found["stop_effects"].items())) + f", {late} late"
    if kind in found["agents_unchanged"]:
        return f": {found['agents_unchanged'][kind]} agents seen unchanged"
    return f": {found['victims'].get(kind, 0)} runs"
