"""One agent from its first byte to its exit record: how it ends, what it is told, which clocks it has."""

import os
import signal
import time
from pathlib import Path

import pytest

from agentrunner.process.adopt import State
from process.attempts import Host, is_running, passed


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_an_agent_from_start_to_exit(host: Host, stdio: str) -> None:
    """Both streams, the exit code, the final sizes, and the two facts that frame it all."""
    attempt = host.shell("echo out; echo err >&2; exit 3", stdio=stdio)
    record = attempt.ended()
    assert (attempt.output("out"), attempt.output("err")) == (b"out\n", b"err\n")
    assert (record.exit_code, record.signal, record.stopped, record.limit, record.step) == (3, None, False, None, None)
    sizes = (record.sizes.out, record.sizes.err, record.sizes.journal)
    assert sizes == (4, 4, (attempt.path / "journal").stat().st_size)
    started, *_, exited = attempt.facts()
    assert (started.name, started.at_out, started.at_err) == ("started", 0, 0) or stdio == "file"
    assert (exited.name, exited.at_out, exited.at_err, exited.fields["exit_code"]) == ("exited", 4, 4, 3)
    assert started.fields["pid"] == attempt.proc().pid
    assert attempt.directory.state() is State.EXITED


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_no_exit_code(host: Host, number: signal.Signals) -> None:
    """Which one it was stands in the record."""
    record = host.shell(f"ulimit -c 0; kill -{int(number)} $$").ended()
    assert (record.exit_code, record.signal) == (None, number)


def test_stdout_closed_early(host: Host) -> None:
    """End of file is not the end: exit decides."""
    attempt = host.shell("echo first; exec >&- 2>&-; read line; exit 4", stdin="pipe")
    attempt.says(b"first")
    assert attempt.tell("input", id=1, text="go")["ok"] is True
    assert attempt.ended().exit_code == 4


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_a_background_child_keeps_stdout(host: Host, stdio: str) -> None:
    """It is waited for one second at most, then killed, and what it wrote until then is there."""
    attempt = host.shell("(echo child; exec sleep 1000) & echo parent; exit 6", stdio=stdio)
    began = time.monotonic()
    record = attempt.ended()
    assert time.monotonic() - began < 5
    assert (record.exit_code, record.leftover) == (6, 1)
    assert b"parent" in attempt.output()


def test_the_last_bytes_are_kept(host: Host) -> None:
    """An agent that writes much and ends at once loses nothing of what its pipe held."""
    attempt = host.python("import os\nfor i in range(400): os.write(1, b'x' * 9999 + b'\\n')\nos._exit(0)")
    assert attempt.ended().exit_code == 0
    assert attempt.output() == (b"x" * 9999 + b"\n") * 400


@pytest.mark.parametrize(
    ("stdin", "script", "expected"),
    [
        pytest.param("null", "cat; echo end", b"end\n", id="null"),
        pytest.param("prompt", "cat", b"the goal\nin two lines", id="prompt"),
        pytest.param("prompt", "ls -l /proc/self/fd/0 | grep -c prompt", b"1\n", id="prompt-is-a-file"),
    ],
)
def test_stdin(host: Host, stdin: str, script: str, expected: bytes) -> None:
    """Nothing, or the goal from a file of its own."""
    attempt = host.shell(script, stdin=stdin, prompt="the goal\nin two lines" if stdin == "prompt" else None)
    attempt.ended()
    assert attempt.output() == expected


def test_the_prompt_is_on_no_command_line(host: Host) -> None:
    """Neither spec.json nor a process list shows it."""
    attempt = host.shell("cat; read never", stdin="prompt", prompt="very private")
    attempt.ended()
    assert b"very private" not in (attempt.path / "spec.json").read_bytes()


def test_ps_shows_whose_shim_it_is(host: Host) -> None:
    """The title names the run; the zygote's own stays as it was."""
    attempt = host.shell("read line", stdin="pipe", run=4711)
    attempt.proc()
    title = Path(f"/proc/{attempt.shim}/cmdline").read_bytes().rstrip(b"\0")
    assert title == b"agentrunner-shim 4711"
    assert b"zygote.py" in Path(f"/proc/{host.zygote.pid}/cmdline").read_bytes()


def test_the_shim_is_outside_what_it_controls(host: Host) -> None:
    """It leads a session of its own, and its signals are not the agent's."""
    attempt = host.shell("read line", stdin="pipe")
    agent = attempt.proc().pid
    assert os.getsid(attempt.shim) == attempt.shim
    assert os.getsid(agent) == agent
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(attempt.shim, number)
    assert attempt.tell("status")["ok"] is True
    assert is_running(agent)


def test_an_idle_shim_does_not_wake(host: Host) -> None:
    """Without output, limits and commands it sleeps: not one voluntary switch in 1.2 seconds."""
    attempt = host.shell("read line", stdin="pipe")
    attempt.fact("started")
    attempt.tell("status")
    passed(0.3)
    before = _switches(attempt.shim)
    passed(1.2)
    assert _switches(attempt.shim) == before


def _switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary_ctxt")).split()[1])


@pytest.mark.parametrize(
    ("script", "limits", "name"),
    [
        pytest.param("while :; do echo x; sleep 0.05; done", {"wall_s": 0.4}, "wall_s", id="wall"),
        pytest.param("exec sleep 1000", {"start_s": 0.3, "wall_s": 900.0}, "start_s", id="start"),
        pytest.param("echo x; exec sleep 1000", {"start_s": 0.3, "idle_s": 0.5}, "idle_s", id="idle"),
    ],
)
@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_limits_of_time(host: Host, script: str, limits: dict[str, float], name: str, stdio: str) -> None:
    """Each ends the run under its own name, gracefully, and not before its time."""
    began = time.monotonic()
    attempt = host.shell(script, grace_s=0.6, stdio=stdio, **limits)
    record = attempt.ended()
    assert (record.limit, record.stopped) == (name, False)
    assert time.monotonic() - began >= limits[name]
    assert attempt.fact("limit").fields["limit"] == name


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_output_starts_the_idle_clock_anew(host: Host, stdio: str) -> None:
    """An agent that keeps writing is not idle."""
    attempt = host.shell("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.15; done", stdio=stdio, idle_s=0.6, start_s=0.6)
    assert (record := attempt.ended()).exit_code == 0, record


def test_paused_time_does_not_count(host: Host) -> None:
    """A run paused for longer than its limits goes on as if nothing had been."""
    attempt = host.shell("echo x; sleep 0.3; echo y", wall_s=0.8, idle_s=0.7, start_s=0.7)
    attempt.says(b"x")
    attempt.tell("pause", rev=1)
    attempt.fact("paused")
    passed(1.0)
    attempt.tell("resume", rev=2)
    assert (record := attempt.ended()).exit_code == 0, record


def test_the_idle_clock_is_held_while_a_person_is_awaited(host: Host) -> None:
    """The worker holds it over `ctl`; let go, it counts anew."""
    attempt = host.shell("echo x; exec sleep 1000", idle_s=0.5, grace_s=0.3)
    attempt.says(b"x")
    attempt.tell("idle", hold=True)
    passed(0.9)
    assert attempt.directory.exit() is None
    attempt.tell("idle", hold=False)
    assert attempt.ended().limit == "idle_s"


def test_a_deadline_ends_the_run_unless_it_is_moved(host: Host) -> None:
    """It is on CLOCK_BOOTTIME, moves forward only, and kills at once, saying so."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    attempt = host.shell("trap '' INT TERM; echo x; while :; do sleep 0.01; done", deadline=now + 0.8, grace_s=900.0)
    attempt.says(b"x")
    attempt.tell("deadline", boottime=now + 1.4)
    attempt.tell("deadline", boottime=now + 0.1)
    record = attempt.ended()
    assert time.clock_gettime(time.CLOCK_BOOTTIME) >= now + 1.4
    assert (record.limit, record.stopped, record.signal) == ("deadline", False, 9)
    assert attempt.fact("deadline").name == "deadline"


def test_a_lower_epoch_is_refused(host: Host) -> None:
    """The highest ever seen rules, whoever else may still be connected; nothing of the refused command happens."""
    attempt = host.shell("read line", stdin="pipe", epoch=5)
    attempt.fact("started")
    assert attempt.tell("pause", epoch=4, rev=1)["error"] == "stale_epoch"
    assert attempt.tell("status", epoch=9)["ok"] is True
    refused = attempt.tell("stop", epoch=8, rev=2)
    assert (refused["error"], refused["epoch"]) == ("stale_epoch", 9)
    assert attempt.tell("status", epoch=9)["frozen"] is False
    assert [fact.name for fact in attempt.facts()] == ["started"]


def test_facts_answer_the_revision_of_the_wish(host: Host) -> None:
    """A repeated pause answers with the newer revision; a resume of what is not paused is a fact too."""
    attempt = host.shell("read line", stdin="pipe")
    attempt.fact("started")
    for rev, cmd in enumerate(("pause", "pause", "resume", "resume", "pause"), start=1):
        attempt.tell(cmd, rev=rev)
        attempt.fact({"pause": "paused", "resume": "resumed"}[cmd], rev=rev)
    assert attempt.tell("status")["frozen"] is True


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"cmd": "pause"}',
        b'{"cmd": "dance", "epoch": 1}',
        b'{"cmd": "recorded", "epoch": 1}',
    ],
)
def test_nonsense_on_ctl_is_answered_and_harmless(host: Host, line: bytes) -> None:
    """An error comes back on the same connection, which goes on."""
    attempt = host.shell("read line; exit 9", stdin="pipe")
    attempt.fact("started")
    with attempt.connect() as connection:
        connection.sendall(line + b"\n")
        assert b'"error"' in connection.recv(65536)
        connection.sendall(b'{"cmd": "status", "epoch": 1}\n')
        assert b'"ok":true' in connection.recv(65536).replace(b" ", b"")


def test_a_client_that_takes_no_answers_blocks_nobody(host: Host) -> None:
    """Others are served meanwhile, and the agent's output flows."""
    attempt = host.shell("read line; echo done", stdin="pipe")
    attempt.fact("started")
    with attempt.connect() as deaf:
        deaf.setblocking(False)
        try:
            for _ in range(200):
                deaf.send(b'{"cmd": "status", "epoch": 1}\n' * 2000)
        except OSError:
            pass
        assert attempt.tell("input", id=1, text="go")["ok"] is True
        assert attempt.ended().exit_code == 0
    assert attempt.output() == b"done\n"


def test_many_ends_at_once(host: Host) -> None:
    """Fifty attempts side by side: each has its own record, journal and output."""
    attempts = [host.shell(f"echo {number}; exit {number}") for number in range(50)]
    assert [attempt.ended(30).exit_code for attempt in attempts] == list(range(50))
    assert [attempt.output() for attempt in attempts] == [b"%d\n" % number for number in range(50)]


def test_memory_of_a_shim(host: Host) -> None:
    """An idle shim costs little of its own; 1.3 MB is what it may, shared pages counted by their share."""
    attempts = [host.shell("read line", stdin="pipe") for _ in range(10)]
    for attempt in attempts:
        attempt.fact("started")
    sizes = sorted(_pss_kb(attempt.shim) for attempt in attempts)
    assert sizes[len(sizes) // 2] <= 2000, sizes


def _pss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])
