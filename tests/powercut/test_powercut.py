"""The power goes while the engine writes; `python tests/powercut` does it 3,000 times."""

import random
from pathlib import Path

import pytest

from powercut import trial
from powercut.disk import SECTOR, Disk, PowerCut
from powercut.drill import drill

CUTS = 100


def quiet(_: str) -> None:
    """Nobody reads progress here."""


def test_nothing_acknowledged_is_lost() -> None:
    """With `full`, the default: every row is there, the file is sound, and the product opens it."""
    figures = drill(CUTS, random.SystemRandom().randrange(1 << 32), "full", quiet)
    assert (figures["lost"], figures["corrupt"]) == (0, 0), figures
    assert figures["acknowledged"] > 20 * CUTS


def test_the_drill_can_fail() -> None:
    """With `normal` rows are lost, as the setting says, and the file is sound all the same."""
    figures = drill(20, 1, "normal", quiet)
    assert figures["lost"] > 0
    assert figures["corrupt"] == 0


def test_without_a_cut_nothing_is_lost(tmp_path: Path) -> None:
    """The ledger tells the truth where nothing goes wrong, and sees where something does."""
    image = trial.prepared(tmp_path)
    outcome = trial.run(image, tmp_path, 1, "full", None)
    assert (outcome.lost, outcome.problem) == (0, None)
    assert outcome.acknowledged > 100


def test_what_survives_a_cut() -> None:
    """What was synced, whole; of the rest any sectors; nothing of an operation that never came."""
    survivors = set()
    for seed in range(200):
        disk = Disk({"a": bytes(2 * SECTOR)}, seed, cut_at=5)
        disk.write("a", 0, b"1" * SECTOR)
        disk.sync("a")
        disk.write("a", SECTOR, b"2" * 2 * SECTOR)
        disk.write("a", 0, b"3" * 10)
        with pytest.raises(PowerCut):
            disk.sync("a")
        disk.write("a", 0, b"4" * SECTOR)
        assert disk.image is not None
        data = disk.image["a"].ljust(3 * SECTOR, b"-")
        survivors.add(bytes(data[n] for n in (0, 20, SECTOR, 2 * SECTOR)))
    assert survivors == {
        first + b"1" + second + third for first in (b"1", b"3") for second in (b"2", b"\0") for third in (b"2", b"-")
    }
