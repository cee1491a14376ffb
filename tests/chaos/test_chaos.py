"""The short form of the drill, and proof that its judge finds what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.ledger import Plan, compare

DRILL = Path(__file__).parent
PLAN = Plan(lines=5, every=0.0, width=20, code=0, leaver=False, stdio="pipe", wish="none")
BOOK = [f"child {number} ".ljust(19, ".") for number in range(1, 6)]
NEXT = "child 6 ".ljust(19, ".")


@pytest.mark.timeout(90)
def test_a_short_drill_keeps_every_promise() -> None:
    """Server, worker, zygote and a shim are killed; no line is lost, nothing runs twice, nothing is left."""
    done = subprocess.run([sys.executable, DRILL, "--short"], capture_output=True, text=True, timeout=80)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"] is True
    assert min(figures["kills"][kind] for kind in ("server", "worker", "zygote")) >= 2
    assert figures["lines"] > 100


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        pytest.param(BOOK, (0, 0, 0, 0), id="all-there"),
        pytest.param([*BOOK, NEXT], (0, 0, 0, 0), id="one-not-booked-yet"),
        pytest.param(BOOK[:2] + BOOK[3:], (1, 0, 0, 0), id="lost"),
        pytest.param(BOOK[:4], (1, 0, 0, 0), id="lost-at-the-end"),
        pytest.param([*BOOK[:3], *BOOK[2:]], (0, 1, 0, 0), id="doubled"),
        pytest.param([BOOK[1], BOOK[0], *BOOK[2:]], (0, 0, 1, 0), id="reordered"),
        pytest.param([*BOOK[:4], BOOK[4][:-1] + "!"], (1, 0, 0, 1), id="altered"),
        pytest.param([*BOOK, NEXT, NEXT.replace("6", "7")], (0, 0, 0, 2), id="two-not-booked"),
    ],
)
def test_the_judge_sees_every_kind_of_difference(recorded: list[str], found: tuple[int, ...]) -> None:
    """A drill that could not fail would prove nothing."""
    difference = compare(BOOK, recorded, PLAN, "child", may_lose_end=False)
    assert (difference.lost, difference.doubled, difference.reordered, difference.foreign) == found


def test_a_killed_shim_may_cost_the_end_of_a_pipe_and_nothing_else() -> None:
    """What a pipe held when its reader was killed is gone; a hole in the middle is still a loss."""
    assert compare(BOOK, BOOK[:3], PLAN, "child", may_lose_end=True).is_none
    assert compare(BOOK, BOOK[:2] + BOOK[3:], PLAN, "child", may_lose_end=True).lost == 1
