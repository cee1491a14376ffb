"""Many trials, one after the other, and their figures."""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from powercut import trial

PROGRESS_S = 4.0


def drill(cuts: int, seed: int, durability: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """So many trials; the figures of all."""
    began = told = time.monotonic()
    chance = random.Random(seed)
    acknowledged = lost = reported = operations = 0
    problems: list[str] = []
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="ar-", dir=memory if memory.is_dir() else None) as name:
        directory = Path(name)
        image = trial.prepared(directory)
        for number in range(cuts):
            own = chance.randrange(1 << 32)
            # A trial that is not cut tells how many operations there are to choose from.
            if number % 50 == 0:
                operations = trial.run(image, directory, own, durability, None).operations
            outcome = trial.run(image, directory, own, durability, chance.randrange(1, operations + 1))
            acknowledged += outcome.acknowledged
            lost += outcome.lost
            reported += outcome.is_reported
            problems += [f"cut {number}, seed {own}: {outcome.problem}"] if outcome.problem else []
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                tell(f"{told - began:4.0f} s: {number + 1} cuts, {acknowledged} acknowledged, {lost} lost")
    for problem in problems[:10]:
        tell(problem)
    return {
        "ok": not lost and not problems,
        "durability": durability,
        "cuts": cuts,
        "acknowledged": acknowledged,
        "lost": lost,
        "corrupt": len(problems),
        "cut_commits_reported": reported,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
    }
