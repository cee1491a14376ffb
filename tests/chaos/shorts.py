"""Short runs, thousands of them: what each is to do, the book it keeps, and what its timeline must be."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("programs") / "short.sh"
ENDLESS = 1 << 30
LINGERING_S = 0.5
ENDS = {"run.completed", "run.failed", "run.stopped"}
STATUS = {"run.completed": "COMPLETED", "run.failed": "FAILED", "run.stopped": "STOPPED"}
KILLED = 9
ON_LOST = "ON_LOST"
"""The variable by which an agent's directory tells how its run stands to a lost worker."""
_STREAMS = {"stdout": "out", "stderr": "err"}


@dataclass(frozen=True, slots=True)
class Errand:
    """What one short run does. `wish`: none, or whose kill ends it: agent or shim. `pause_s` between two lines."""

    lines: int
    pause_s: float
    code: int
    stdio: str
    on_lost: str
    wish: str = "none"

    def argv(self, book: Path, number: int) -> list[str]:
        """The command that does it."""
        return ["/bin/sh", str(PROGRAM), str(book), *map(str, (number, self.lines, f"{self.pause_s:g}", self.code))]


def errands(chance: random.Random, amount: int, victims: dict[str, int]) -> list[Errand]:
    """`amount` errands by chance, so many of them victims of each kind, none among the last tenth."""
    wishes = [wish for wish, count in victims.items() for _ in range(count)]
    places = dict(zip(chance.sample(range(amount * 9 // 10), len(wishes)), wishes, strict=True))
    return [_errand(chance, places.get(number)) for number in range(amount)]


def _errand(chance: random.Random, victim: str | None) -> Errand:
    stdio = chance.choice(("pipe", "file"))
    if victim is not None:
        return Errand(ENDLESS, 0.2, 0, stdio, "wait", victim)
    on_lost = chance.choices(("wait", "fail", "retry"), (6, 1, 1))[0]
    return Errand(chance.randint(2, 12), 0, chance.choices((0, 3), (9, 1))[0], stdio, on_lost)


def lingering(chance: random.Random) -> Errand:
    """One that takes seconds, to be found by a worker's stop."""
    return Errand(
        chance.randint(8, 24), LINGERING_S, 0, chance.choice(("pipe", "file")), chance.choice(("wait", "fail", "retry"))
    )


@dataclass(slots=True, eq=False)
class Short:
    """One short run: its errand, where its book is, and what is known of it."""

    number: int
    errand: Errand
    book: Path
    run_id: int = 0
    is_killed: bool = False

    def executions(self) -> "dict[str, Execution]":
        """Every execution by its own account, by the attempt's name."""
        found: dict[str, Execution] = {}
        for kind, attempt, now, *rest in self._rows():
            if kind == "start":
                known = found.setdefault(attempt, Execution())
                known.starts.append((int(rest[0]), int(rest[1])))
                known.began = known.began or float(now)
            elif attempt in found:
                known = found[attempt]
                known.ended = float(now)
                known.is_whole = known.is_whole or kind == "end"
                if kind != "end":
                    known.lines[kind].append(int(rest[0]))
        return found

    def _rows(self) -> Iterator[list[str]]:
        try:
            text = self.book.read_text()
        except FileNotFoundError:
            return
        # A killed one may have been at its last row.
        yield from (row.split(" ") for row in text.split("\n")[:-1])


@dataclass(slots=True)
class Execution:
    """One execution of an attempt: pids with start times, seconds since boot, the numbers of its lines by stream."""

    starts: list[tuple[int, int]] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    is_whole: bool = False
    lines: dict[str, list[int]] = field(default_factory=lambda: {"out": [], "err": []})


@dataclass(frozen=True, slots=True)
class Stop:
    """A worker that stood still from `since` to `until`, milliseconds of wall time."""

    worker: str
    since: float
    until: float


@dataclass(slots=True)
class Faults:
    """What is wrong with short runs, by kind; `broken` says which run."""

    count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    broken: list[str] = field(default_factory=list)
    leases_lost: int = 0
    """Runs that ended so although nobody stood still: their worker was not answered for a lease."""

    def add(self, kind: str, short: Short, what: str) -> None:
        """One more."""
        self.count[kind] += 1
        self.broken.append(f"short run {short.run_id} ({short.errand}): {kind}: {what}")


def judge(short: Short, events: list[dict[str, Any]], stood: bool, faults: Faults) -> str:
    """Compare a run's timeline with its book; answers its status. `stood`: its worker stood still while it had it."""
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        faults.add("gaps", short, str([event["seq"] for event in events])[:200])
    prompt = [event for event in events if not event.get("late")]
    ends = [event for event in prompt if event["type"] in ENDS]
    if len(ends) != 1 or prompt[-1] is not ends[0]:
        faults.add("stuck", short, f"its end is not its one and last: {[event['type'] for event in prompt][-4:]}")
        return "UNKNOWN"
    _check_end(short, ends[0], stood, faults)
    executions = short.executions()
    _check_executions(short, events, executions, stood, faults)
    for attempt, execution in executions.items():
        _check_lines(short, events, attempt, execution, faults)
    foreign = [line for line in _lines(events) if line.split(" ")[1] not in executions]
    if foreign:
        faults.add("foreign", short, f"nobody wrote {foreign[:3]}")
    return STATUS[ends[0]["type"]]


def _check_end(short: Short, end: dict[str, Any], stood: bool, faults: Faults) -> None:
    payload = end["payload"]
    found = (STATUS[end["type"]], payload.get("reason"), payload.get("exit_code"), payload.get("signal"))
    if short.errand.wish == "agent":
        wanted = [("FAILED", "signal", None, KILLED)]
    elif short.errand.wish == "shim":
        wanted = [("FAILED", "shim_lost", None, None)]
    else:
        code = short.errand.code
        wanted = [("COMPLETED", None, 0, None)] if code == 0 else [("FAILED", "exit_nonzero", code, None)]
    if short.errand.on_lost == "fail" and (stood or payload.get("reason") == "worker_lost"):
        faults.leases_lost += not stood
        wanted += [("FAILED", "worker_lost", None, number) for number in (None, KILLED)]
    if found not in wanted:
        faults.add("wrong_ends", short, f"ended {found}, not {wanted}")


def _check_executions(
    short: Short, events: list[dict[str, Any]], executions: dict[str, Execution], stood: bool, faults: Faults
) -> None:
    """Every attempt at most once, none before the one before is dead, and the timeline names the processes there were.

    Only of one that does not wait for a lost worker may an attempt never have begun, or another have followed.
    """
    told = [(event["payload"]["pid"], event["payload"]["start_time"]) for event in _of(events, "run.started")]
    there = [start for execution in executions.values() for start in execution.starts]
    retries = len(_of(events, "run.retried"))
    if any(len(execution.starts) != 1 for execution in executions.values()) or len(executions) > retries + 1:
        faults.add("executed_twice", short, f"{len(there)} executions of {retries + 1} attempts")
    # Killed with its lease it may have been before it wrote a word; whoever wrote must have been told.
    killed = retries + any(event["payload"].get("reason") == "worker_lost" for event in _of(events, "run.failed"))
    silent = Counter(told) - Counter(there)
    if Counter(there) - Counter(told) or silent.total() > (killed if short.errand.on_lost != "wait" else 0):
        faults.add("identity_changed", short, f"told {told}, was {there}")
    faults.leases_lost += bool(retries) and not stood
    if (retries or len(there) != 1) and short.errand.on_lost == "wait":
        faults.add("executed_twice" if there else "lost", short, f"{len(there)} executions, {retries} retries")
    ordered = sorted(executions.values(), key=lambda execution: execution.began)
    for before, after in itertools.pairwise(ordered):
        # The kernel tells hundredths of seconds.
        if after.began < before.ended - 0.01:
            faults.add("executed_twice", short, "the next attempt began while the one before still wrote")


def _check_lines(
    short: Short, events: list[dict[str, Any]], attempt: str, execution: Execution, faults: Faults
) -> None:
    """What the book has must be recorded once and in order; of a killed one its last line may not be booked yet."""
    for stream in ("out", "err"):
        recorded = [int(line.split(" ")[3]) for line in _lines(events, f"{short.number} {attempt} {stream} ")]
        written = execution.lines[stream]
        if recorded == written:
            continue
        unbooked = len(recorded) - len(written) == 1 and not execution.is_whole
        lost_end = short.errand.wish == "shim" and short.errand.stdio == "pipe" and len(recorded) < len(written)
        if (unbooked and recorded[:-1] == written) or (lost_end and recorded == written[: len(recorded)]):
            continue
        kind = "doubled" if len(set(recorded)) < len(recorded) else "lost"
        if set(recorded) == set(written) and kind == "lost":
            kind = "reordered"
        faults.add(kind, short, f"{stream} of {attempt} has {recorded[-20:]}, not {written[-20:]}")


def _of(events: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == type]


def _lines(events: list[dict[str, Any]], start: str = "") -> list[str]:
    logs = [event["payload"] for event in _of(events, "log")]
    return [line for payload in logs for line in payload["lines"] if line.startswith(start)]


def held_by(events: list[dict[str, Any]], stops: list[Stop], instant: Any, slack_ms: float) -> bool:
    """Whether a worker that had the run stood still meanwhile."""
    claims = [(event["payload"]["worker"], instant(event["ts"])) for event in _of(events, "run.claimed")]
    over = max((instant(event["ts"]) for event in events if event["type"] in ENDS), default=float("inf"))
    return any(
        stop.worker == worker and at < stop.until + slack_ms and over > stop.since
        for worker, at in claims
        for stop in stops
    )
