"""Which raw output goes, which never does, and that nothing else takes half a directory for a whole one."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.worker.retention import GONE, Kept, Spools, due
from waiting import eventually
from worker.recording import digest_of
from worker.world import World

MIB = 1 << 20


def directory(runs: Path, name: str, age_s: float, size: int = 0, recorded: bool = True) -> Path:
    """An attempt's directory that was recorded some time ago."""
    path = runs / name
    path.mkdir(parents=True)
    (path / "spec.json").write_text("{}")
    (path / "out").write_bytes(os.urandom(size))
    if recorded:
        (path / "recorded").touch()
        os.utime(path / "recorded", (time.time() - age_s,) * 2)
    return path


def names(runs: Path) -> list[str]:
    """What is there."""
    return sorted(path.name for path in runs.iterdir())


def test_age(tmp_path: Path) -> None:
    """What was recorded longer ago than its retention goes, nothing that is not recorded, nothing that is used."""
    directory(tmp_path, "old", 100)
    directory(tmp_path, "young", 10)
    directory(tmp_path, "used", 100)
    directory(tmp_path, "used.2", 100)
    directory(tmp_path, "unrecorded", 100, recorded=False)
    gone = Spools(tmp_path).sweep(50, 0, lambda uid: uid == "used")
    assert [old.path.name for old in gone] == ["old"]
    assert names(tmp_path) == ["unrecorded", "used", "used.2", "young"]


def test_size(tmp_path: Path) -> None:
    """The oldest go first, until the rest fits; what is not recorded is not counted."""
    for age in (1, 2, 3, 4):
        directory(tmp_path, f"age{age}", age, MIB)
    directory(tmp_path, "active", 9, 20 * MIB, recorded=False)
    spools = Spools(tmp_path)
    assert spools.sweep(1000, 5 * MIB, lambda _: False) == []
    spools.sweep(1000, 5 * MIB // 2, lambda _: False)
    assert names(tmp_path) == ["active", "age1", "age2"]
    assert [kept.path.name for kept in spools.kept()] == ["age2", "age1"]


def test_half_deleted(tmp_path: Path) -> None:
    """What a killed worker has left of a directory goes with the next sweep, whatever is in it."""
    path = directory(tmp_path, f"half{GONE}", 0)
    (path / "recorded").unlink()
    Spools(tmp_path).sweep(1000, 0, lambda _: False)
    assert names(tmp_path) == []


def test_what_cannot_be_deleted(tmp_path: Path) -> None:
    """It is said, keeps no other from going, and is tried again."""
    directory(tmp_path, "blocked", 100)
    directory(tmp_path, "old", 90)
    spools = Spools(tmp_path)
    (tmp_path / f"blocked{GONE}").write_text("a file where a directory is to be")
    assert [old.path.name for old in spools.sweep(50, 0, lambda _: False)] == ["old"]
    assert list(spools.problems) == [tmp_path / "blocked"]
    (tmp_path / f"blocked{GONE}").unlink()
    assert [old.path.name for old in spools.sweep(50, 0, lambda _: False)] == ["blocked"]
    assert spools.problems == {}


def test_nothing_there(tmp_path: Path) -> None:
    """A worker that never ran anything has no directory."""
    assert Spools(tmp_path / "none").sweep(0, 1, lambda _: False) == []


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), max_size=30), st.integers(0, 100), st.integers(0, 400)
)
def test_what_is_due(found: list[tuple[int, int]], retention_s: int, most: int) -> None:
    """Always the oldest; what stays is young enough and fits, and nothing goes that could stay."""
    kept = [Kept(Path(f"{number:03}"), 100.0 - age, size) for number, (age, size) in enumerate(found)]
    gone = due(kept, 100.0, retention_s, most)
    stays = [each for each in kept if each not in gone]
    assert all(100 - each.recorded_at <= retention_s for each in stays)
    assert not most or sum(each.size for each in stays) <= most
    assert all(one.recorded_at <= other.recorded_at for one in gone for other in stays)
    if gone and 100 - gone[-1].recorded_at <= retention_s:
        assert most
        assert sum(each.size for each in [*stays, gone[-1]]) > most


@pytest.mark.parametrize("changes", [{"spool_retention_s": 0.0}, {"spool_retention_bytes": 1}])
async def test_a_worker_deletes(here: World, changes: dict[str, float]) -> None:
    """By age and by size; the timeline stays, and an agent that runs is not touched."""
    await here.start_worker()
    ended = await here.create("echo kept")
    active = await here.create("echo active; exec sleep 60")
    await here.wait(ended)
    await here.wait_line(active, "active")
    path, alive = here.directory(ended).path, here.directory(active).path
    foreign = directory(here.data_dir / "runs" / ("f" * 32), "foreign", 1e6)
    before = await digest_of(here, ended)
    await here.stop_worker()
    await here.start_worker(**changes)

    async def deleted() -> bool:
        return not path.exists()

    await eventually(deleted)
    assert await digest_of(here, ended) == before
    assert (alive / "out").read_bytes() == b"active\n"
    assert foreign.exists()
    assert (await here.run(active))["status"] == "RUNNING"


async def test_a_recording_that_is_replayed_stays(here: World) -> None:
    """Until its replay has ended."""
    await here.start_worker()
    run_id = await here.create("echo one; sleep 1; echo two")
    await here.wait(run_id)
    path = here.directory(run_id).path
    body = {"backend": "replay", "options": {"run": run_id, "speed": 0.05}}
    made = await here.ask("POST", "/v1/runs", json=body)
    await here.wait(made["id"], "RUNNING", phase="working")
    await here.stop_worker()
    worker = await here.start_worker(spool_retention_s=0.0)
    await here.wait_online()

    async def adopted() -> bool:
        return bool(worker.executions)

    await eventually(adopted)
    assert worker._is_supervised(path.name)
    assert path.exists()
    await here.ask("POST", f"/v1/runs/{made['id']}/stop")
    await here.wait(made["id"])
