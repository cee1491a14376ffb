"""The script program, each step played for real."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrunner.agents.script import ScriptBackend
from agents.given import assignment
from waiting import until


def play(folder: Path, *steps: Any, goal: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a scenario to its end as the backend would."""
    command = ScriptBackend().command(assignment("script", goal, scenario=list(steps)), {}, folder)
    prompt = (command.prompt or "").encode()
    return subprocess.run(command.argv, input=prompt, capture_output=True, cwd=folder, timeout=20, check=False)


@contextmanager
def playing(folder: Path, *steps: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a scenario in the background, its output in the file `out`."""
    command = ScriptBackend().command(assignment("script", scenario=list(steps)), {}, folder)
    (folder / "prompt").write_text(command.prompt or "")
    with (folder / "prompt").open("rb") as prompt, (folder / "out").open("wb") as out:
        process = subprocess.Popen(command.argv, stdin=prompt, stdout=out, stderr=out, cwd=folder)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


def alive(pid: int) -> bool:
    """True while a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def children() -> Iterator[list[int]]:
    """Pids to kill at the end."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid))


def test_emit(tmp_path: Path) -> None:
    """Lines, repeated, numbered, on either stream."""
    done = play(
        tmp_path,
        {"emit": "tea"},
        {"emit": {"lines": ["a", "b"], "repeat": 2, "numbered": True, "every": 0.001}},
        {"emit": {"text": "é", "stream": "stderr"}},
    )
    assert done.stdout.decode().split("\n") == ["tea", "1 a", "2 b", "3 a", "4 b", ""]
    assert (done.stderr.decode(), done.returncode) == ("é\n", 0)


def test_emit_waits_between_lines_and_sleep_waits(tmp_path: Path) -> None:
    """The program is still there while it waits, and what it said is out."""
    with playing(tmp_path, {"emit": "before"}, {"sleep": 60}, {"emit": "after"}) as process:
        until(lambda: (tmp_path / "out").read_text() == "before\n")
        assert process.poll() is None


def test_write(tmp_path: Path) -> None:
    """A file in the run's directory."""
    play(tmp_path, {"write": {"path": "f", "text": "1"}}, {"write": {"path": "f", "text": "2", "append": True}})
    assert (tmp_path / "f").read_text() == "12"


@pytest.mark.parametrize("how", [{}, {"double_fork": True, "setsid": True, "ignore": "TERM"}])
def test_spawn(tmp_path: Path, children: list[int], how: dict[str, Any]) -> None:
    """Children outlive the program; they can leave its session, its family and shrug off a signal."""
    with playing(tmp_path, {"spawn": {"count": 2, "pids": "pids", "quiet": True, "lifetime": 60, **how}}) as process:
        assert process.wait(10) == 0
        children += [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert sorted((tmp_path / "out").read_text().split("\n")[:-1]) == sorted(f"child {pid}" for pid in children)
    assert len(children) == 2
    for pid in children:
        assert (os.getsid(pid) == pid) is bool(how)
        os.kill(pid, signal.SIGTERM)
    survivors = [pid for pid in children if alive(pid)]
    assert survivors == children if how else until(lambda: not any(alive(pid) for pid in children))


def test_spawned_children_end_by_themselves(tmp_path: Path, children: list[int]) -> None:
    """After their lifetime."""
    play(tmp_path, {"spawn": {"lifetime": 0.01, "pids": "pids"}})
    children.append(int((tmp_path / "pids").read_text()))
    until(lambda: not alive(children[0]))


def test_setsid(tmp_path: Path, children: list[int]) -> None:
    """The script goes on in a session of its own, its exit code passed on."""
    steps = ("setsid", {"spawn": {"pids": "pids", "quiet": True}}, {"exit": 4})
    with playing(tmp_path, *steps) as process:
        session = os.getsid(process.pid)
        assert process.wait(10) == 4
        children.append(int((tmp_path / "pids").read_text()))
        assert os.getsid(children[0]) != session


def test_ignore(tmp_path: Path) -> None:
    """A signal that is ignored does nothing."""
    with playing(tmp_path, {"ignore": "TERM"}, {"emit": "deaf"}, {"sleep": 60}) as process:
        until(lambda: (tmp_path / "out").read_text() == "deaf\n")
        process.terminate()
        mask = int(Path(f"/proc/{process.pid}/status").read_text().partition("SigIgn:")[2].split()[0], 16)
        assert mask & (1 << (signal.SIGTERM - 1))
        assert process.poll() is None


@pytest.mark.parametrize(("size", "line"), [(1_000_000, 80), (1000, 14), (1000, 5), (300_000, 0), (7, 100), (3, 1)])
def test_flood(tmp_path: Path, size: int, line: int) -> None:
    """Exactly as many bytes as asked for, in lines as long as asked for, numbered without a gap."""
    out = play(tmp_path, {"flood": {"bytes": size, "line": line}}).stdout
    assert len(out) == size
    lines = out.split(b"\n")[:-1] if line else []
    assert {len(one) + 1 for one in lines} == ({line} if size >= line > 0 else set())
    if line >= 14:
        assert [int(one[:12]) for one in lines] == list(range(size // line))


def test_close(tmp_path: Path) -> None:
    """What is said on a closed stream is gone, the program goes on."""
    done = play(tmp_path, {"close": "stdout"}, {"emit": "lost"}, {"emit": {"text": "kept", "stream": "stderr"}})
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"kept\n", 0)


@pytest.mark.parametrize(("how", "code"), [("KILL", -9), ("SEGV", -11), ("TERM", -15), (70, 70), ({"exit": 0}, 0)])
def test_crash(tmp_path: Path, how: Any, code: int) -> None:
    """By signal, even one that was ignored, or by code; what follows does not happen."""
    assert play(tmp_path, {"ignore": "TERM"}, {"crash": how}, {"exit": 99}).returncode == code


@pytest.mark.parametrize(("step", "code"), [("exit", 0), ({"exit": 3}, 3)])
def test_exit(tmp_path: Path, step: Any, code: int) -> None:
    """With its code."""
    assert play(tmp_path, step, {"emit": "never"}).returncode == code


def test_read(tmp_path: Path) -> None:
    """The goal's lines, then the end."""
    out = play(tmp_path, {"read": "got "}, "read", {"read": "got "}, goal="one\ntwo").stdout
    assert out == b"got one\ntwo\ngot (end of input)\n"


def test_ledger(tmp_path: Path) -> None:
    """The file holds what stdout got, line by line, with number and pid."""
    done = play(tmp_path, {"ledger": {"path": "book", "lines": 50, "width": 40}})
    assert done.stdout == (tmp_path / "book").read_bytes()
    lines = done.stdout.decode().splitlines()
    assert [int(line.split()[1]) for line in lines] == list(range(1, 51))
    assert {len(line) for line in lines} == {40}


def test_a_ledger_survives_the_kill(tmp_path: Path) -> None:
    """After kill -9 both are whole lines, and the file is behind stdout by one line at most."""
    with playing(tmp_path, {"ledger": {"path": "book", "lines": 1_000_000}}) as process:
        until(lambda: (tmp_path / "book").exists() and (tmp_path / "book").stat().st_size > 10_000)
        process.kill()
        process.wait(10)
    said, booked = (tmp_path / "out").read_bytes(), (tmp_path / "book").read_bytes()
    assert said.startswith(booked)
    assert said.endswith(b"\n")
    assert said.count(b"\n") - booked.count(b"\n") in (0, 1)
