"""Proof that the judge of short runs finds what is wrong with one."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.shorts import Errand, Faults, Short, Stop, errands, held_by, judge
from chaos.victims import instant

BOOK = "start aa 10.00 70 900\nout aa 10.00 1\nout aa 10.01 2\nerr aa 10.02 3\nend aa 10.02 0\n"
SECOND = "start bb 12.00 71 950\nout bb 12.00 1\nend bb 12.01 0\n"
Events = list[dict[str, Any]]


def event(seq: int, type: str, **payload: Any) -> dict[str, Any]:
    """One event of the first attempt."""
    return {"seq": seq, "type": type, "attempt": 1, "ts": f"2026-01-01T00:00:{seq:02}.000Z", "payload": payload}


def whole() -> Events:
    """The timeline of a run that went well."""
    return [
        event(1, "run.created"),
        event(2, "run.claimed", worker="w"),
        event(3, "run.started", pid=70, start_time=900),
        event(4, "log", stream="stdout", lines=["7 aa out 1", "7 aa out 2"]),
        event(5, "log", stream="stderr", lines=["7 aa err 3"]),
        event(6, "run.completed", exit_code=0),
    ]


def with_lines(*lines: str) -> Callable[[Events], Any]:
    """A change of what is recorded of the standard output."""
    return lambda events: events[3]["payload"].update(lines=list(lines))


def judged(tmp_path: Path, events: Events, book: str = BOOK, on_lost: str = "wait", stood: bool = False) -> set[str]:
    """The kinds of faults that are found."""
    (tmp_path / "book").write_text(book)
    faults = Faults()
    judge(Short(7, Errand(3, 0, 0, "file", on_lost), tmp_path / "book", 1), events, stood, faults)
    return set(faults.count)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(lambda events: None, set(), id="all-well"),
        pytest.param(with_lines("7 aa out 1"), {"lost"}, id="lost"),
        pytest.param(with_lines("7 aa out 1", "7 aa out 1", "7 aa out 2"), {"doubled"}, id="doubled"),
        pytest.param(with_lines("7 aa out 2", "7 aa out 1"), {"reordered"}, id="reordered"),
        pytest.param(with_lines("7 aa out 1", "7 aa out 2", "7 zz out 3"), {"foreign"}, id="another-attempt's"),
        pytest.param(lambda events: events.pop(4), {"gaps", "lost"}, id="gap"),
        pytest.param(lambda events: events.pop(), {"stuck"}, id="no-end"),
        pytest.param(lambda events: events.append(event(7, "log", lines=[])), {"stuck"}, id="end-not-last"),
        pytest.param(lambda events: events[5]["payload"].update(exit_code=1), {"wrong_ends"}, id="another-code"),
        pytest.param(lambda events: events[2]["payload"].update(pid=71), {"identity_changed"}, id="another-process"),
    ],
)
def test_every_fault_of_a_timeline_is_seen(tmp_path: Path, change: Callable[[Events], Any], found: set[str]) -> None:
    """Each by its name, and nothing where there is none."""
    events = whole()
    change(events)
    assert judged(tmp_path, events) == found


def test_a_second_execution_is_seen_by_the_book_alone(tmp_path: Path) -> None:
    """Whatever the timeline says: the agent has written down that it began."""
    assert "executed_twice" in judged(tmp_path, whole(), BOOK + BOOK)
    assert "executed_twice" in judged(tmp_path, whole(), BOOK + SECOND)


def retried() -> Events:
    """A run whose worker stood still: its first attempt was killed, the second went well, late output in between."""
    events = whole()[:5]
    events += [event(6, "run.retried"), event(7, "run.started", pid=71, start_time=950)]
    late = {**event(8, "log", stream="stdout", lines=[]), "late": True}
    return [
        *events,
        late,
        event(9, "log", stream="stdout", lines=["7 bb out 1"]),
        event(10, "run.completed", exit_code=0),
    ]


def test_another_attempt_needs_a_reason_and_a_dead_one_before(tmp_path: Path) -> None:
    """Only where it was not to wait for its worker, and never beside the first; without a stop it is counted."""
    killed = BOOK.partition("end")[0]
    assert judged(tmp_path, retried(), killed + SECOND, "retry", stood=True) == set()
    assert "executed_twice" in judged(tmp_path, retried(), killed + SECOND, "wait", stood=True)
    beside = killed.replace("10.02", "12.50") + SECOND
    assert "executed_twice" in judged(tmp_path, retried(), beside, "retry", stood=True)


def test_an_attempt_that_was_killed_at_once_may_have_written_nothing(tmp_path: Path) -> None:
    """Ended with its lease, and told as started; one that ended by itself has to have been there."""
    lost = [*whole()[:3], event(4, "run.failed", reason="worker_lost", signal=9)]
    assert judged(tmp_path, lost, "", "fail", stood=True) == set()
    assert "identity_changed" in judged(tmp_path, [*whole()[:3], event(4, "run.completed", exit_code=0)], "", "fail")
    events = retried()
    late = [each for each in events if each["type"] != "log" or "bb" in str(each)]
    for number, each in enumerate(late, 1):
        each["seq"] = number
    assert judged(tmp_path, late, SECOND, "retry", stood=True) == set()


def test_a_run_is_held_by_a_worker_that_stood_still_while_it_had_it() -> None:
    """Not by another worker, nor by one that stood still before or after."""
    at = instant(whole()[1]["ts"])
    stops = {"w": (at + 1, at + 2), "v": (at + 1, at + 2)}
    assert held_by(whole(), [Stop("w", *stops["w"])], instant, 0)
    assert not held_by(whole(), [Stop("v", *stops["v"])], instant, 0)
    assert not held_by(whole(), [Stop("w", at - 9, at - 8)], instant, 0)
    assert not held_by(whole(), [Stop("w", at + 60_000, at + 61_000)], instant, 0)


def test_a_seed_says_everything_that_runs_do() -> None:
    """The same errands, the same victims among them, none at the end where nothing is killed any more."""
    made = [errands(random.Random("5/shorts"), 200, {"shim": 4, "agent": 3}) for _ in range(2)]
    assert made[0] == made[1]
    wishes = [errand.wish for errand in made[0]]
    assert (wishes.count("shim"), wishes.count("agent")) == (4, 3)
    assert set(wishes[180:]) == {"none"}
