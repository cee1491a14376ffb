"""Run directories as a worker finds them: adopted, lost, copied, of another boot or another version."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from agentrunner.process import gate, procfs
from agentrunner.process.adopt import LAYOUT, READABLE, RunDirectory, State, UnknownLayout, foreign, is_live
from process.given import Runs, output, tell
from process.link import ShimLink
from waiting import until


def rewritten(directory: RunDirectory, **fields: object) -> RunDirectory:
    """The directory, its `proc.json` changed."""
    path = directory.path / "proc.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return RunDirectory(directory.path)


def test_everything_is_private(runs: Runs) -> None:
    """Directory 0700, files 0600."""
    directory, _ = runs.run(["sh", "-c", "echo o; echo e >&2"], stdin="prompt", prompt="x")
    assert directory.path.stat().st_mode & 0o777 == 0o700
    names = {path.name: path.stat().st_mode & 0o777 for path in directory.path.iterdir()}
    assert set(names.values()) == {0o600}
    assert set(names) == {
        "spec.json", "prompt", "lock", "start", "proc.json", "out", "err", "idx", "journal", "ctl", "exit",
    }  # fmt: skip


def test_a_new_worker_adopts(runs: Runs) -> None:
    """From the files alone: alive, who it is, and its door."""
    started = runs.start(["sh", "-c", "echo x; exec sleep 60"])
    runs.zygote.close()
    directory = RunDirectory.latest(runs.root, started.path.name)
    assert directory is not None
    assert directory.spec() == started.spec()
    assert directory.state() is State.ALIVE
    shim = directory.open_shim()
    assert shim is not None
    os.close(shim)
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit)
    assert until(lambda: directory.state() is State.EXITED)
    assert directory.sizes().out == 2


def test_an_attempt_is_found_without_looking_at_all_others(tmp_path: Path) -> None:
    """By its name, so that a start costs the same on a host that keeps ten thousand; one that is missing is no end."""
    for number in range(2000):
        (tmp_path / f"{number:016x}").mkdir()
    for name in ("feed", "feed.3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.json").write_text("{}")
    found = RunDirectory.latest(tmp_path, "feed")
    assert found is not None
    assert found.path.name == "feed.3"
    assert RunDirectory.latest(tmp_path, "fee") is None
    began = time.process_time()
    for _ in range(200):
        RunDirectory.latest(tmp_path, "feed")
    assert time.process_time() - began < 0.2


def test_two_hundred_directories_are_adopted_quickly(runs: Runs) -> None:
    """Each is proven alive by its lock and its shim's start time."""
    directory = runs.start(["sleep", "60"])
    began = time.monotonic()
    for _ in range(200):
        found = RunDirectory(directory.path)
        assert found.state() is State.ALIVE
        os.close(found.open_shim() or -1)
    assert time.monotonic() - began < 2


def test_a_copy_is_recognised(runs: Runs) -> None:
    """Its `lock` is another file than the one that `proc.json` names: nothing of it is signalled."""
    directory = runs.start(["sleep", "60"])
    copy = directory.path.with_name("copy")
    shutil.copytree(directory.path, copy, ignore=shutil.ignore_patterns("ctl"))
    assert RunDirectory(copy).state() is State.COPY
    (copy / "lock").unlink()
    assert RunDirectory(copy).state() is State.COPY
    assert directory.state() is State.ALIVE


def test_another_boot_is_recognised(runs: Runs) -> None:
    """Whoever has these pids now is somebody else."""
    directory = runs.start(["sleep", "60"])
    true = directory.proc()
    other = rewritten(directory, boot_id="another")
    assert other.state() is State.OTHER_BOOT
    assert other.open_shim() is None
    rewritten(directory, boot_id=true.boot_id)  # type: ignore[union-attr]


def test_a_reused_pid_is_not_the_shim(runs: Runs) -> None:
    """The start time must be the same."""
    directory = runs.start(["sleep", "60"])
    true = directory.proc()
    assert true is not None
    assert rewritten(directory, shim_start=true.shim_start + 1).open_shim() is None
    rewritten(directory, shim_start=true.shim_start)


def test_a_reused_pid_is_never_killed(runs: Runs) -> None:
    """Ending what a killed shim left does not touch a process that only has the agent's number."""
    directory, _ = runs.run(["true"])
    me = os.getpid()
    lost = rewritten(directory, pid=me, start_time=procfs.start_time(me) + 1)
    assert lost.kill_leftovers() == 0


@pytest.mark.parametrize("layout", [min(READABLE) - 1, LAYOUT + 1, None])
def test_unknown_layouts(runs: Runs, layout: object) -> None:
    """Loudly, of both files, at every look."""
    directory, _ = runs.run(["true"])
    found = rewritten(directory, layout=layout)
    spec = directory.path / "spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "layout": layout}))
    for _ in range(2):
        with pytest.raises(UnknownLayout, match="layout"):
            found.proc()
        with pytest.raises(UnknownLayout, match="layout"):
            found.spec()
    rewritten(directory, layout=LAYOUT)


def test_the_layout_before_is_read(runs: Runs) -> None:
    """Without what it did not have: the groups of limits, and what was used."""
    directory, record = runs.run(["sh", "-c", "exit 3"])
    for name, unknown in (("proc.json", "groups"), ("exit", "used"), ("spec.json", "memory_mb")):
        content = json.loads((directory.path / name).read_text())
        del content[unknown]
        content["layout"] = LAYOUT - 1
        (directory.path / name).write_text(json.dumps(content))
    found = RunDirectory(directory.path)
    assert found.state() is State.EXITED
    assert found.proc().groups == []  # type: ignore[union-attr]
    assert found.spec().memory_mb is None
    assert (found.exit().exit_code, found.exit().used.cpu_us) == (3, 0)  # type: ignore[union-attr]
    assert record.used.cpu_us > 0


def test_shim_and_worker_speak_of_one_layout() -> None:
    """The shim, which imports nothing of the worker's, has the number of its own."""
    assert gate.LAYOUT == LAYOUT
    assert LAYOUT in READABLE
    assert LAYOUT - 1 in READABLE


def test_foreign_directories_are_seen_and_left_alone(runs: Runs, tmp_path: Path) -> None:
    """Live runs of another instance, for a person to look at."""
    directory = runs.start(["sleep", "60"])
    root = tmp_path / "all"
    (root / "other").mkdir(parents=True)
    os.rename(directory.path, root / "other" / directory.path.name)
    moved = root / "other" / directory.path.name
    assert foreign(root, "mine") == [moved]
    assert foreign(root, "other") == []
    assert is_live(moved)
    os.rename(moved, directory.path)


def test_the_highest_directory_decides(runs: Runs) -> None:
    """Counted, and one without a spec is not there yet."""
    first = runs.create(["true"])
    uid = first.path.name
    for number in (2, 3, 4):
        assert RunDirectory.create(runs.root, first.spec()).path.name == f"{uid}.{number}"
    (runs.root / f"{uid}.9").mkdir()
    latest = RunDirectory.latest(runs.root, uid)
    assert latest is not None
    assert latest.path.name == f"{uid}.4"
    assert RunDirectory.latest(runs.root, "nobody") is None


def test_a_link_to_an_ended_shim_fails(runs: Runs) -> None:
    """At once, as an OSError."""
    directory = runs.start(["sleep", "60"])
    link = ShimLink(directory.path)
    shim = directory.open_shim()
    assert shim is not None
    signal.pidfd_send_signal(shim, signal.SIGKILL)
    os.close(shim)
    until(lambda: directory.state() is State.SHIM_LOST)
    with pytest.raises(OSError, match=r".*"):
        link.send({"cmd": "status", "epoch": 1})
    link.close()
    with pytest.raises(ConnectionRefusedError):
        ShimLink(directory.path)


def test_recorded_directories_say_since_when(runs: Runs) -> None:
    """For their retention."""
    directory = runs.create(["true"])
    assert directory.recorded_at() is None
    directory.mark_recorded()
    assert abs((directory.recorded_at() or 0) - time.time()) < 60
    assert output(directory) == b""
