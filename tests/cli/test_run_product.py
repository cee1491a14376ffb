"""`agentrunner run` with the product itself: real processes, a real server that is killed."""

import json

import pytest

from cli.conftest import running
from e2e.product import Product, product
from waiting import until


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (["echo", "a b"], 0, ["a b"], []),
        (["sh", "-c", "echo out; echo err >&2; exit 7"], 7, ["out"], ["err"]),
        (["sh", "-c", "kill -9 $$"], 137, [], []),
    ],
    ids=["completed", "failed", "killed"],
)
def test_a_command_ends_as_if_it_ran_here(
    real: Product, words: list[str], code: int, out: list[str], err: list[str]
) -> None:
    """Its lines, its streams, its exit code."""
    done = real.command("run", "--raw", "--", *words)
    assert done.returncode == code, done
    assert done.stdout.splitlines() == out
    assert done.stderr.splitlines()[:-1] == err


def test_a_program_that_is_not_there(real: Product) -> None:
    """Fails with what to do about it."""
    done = real.command("run", "--", "no-such-program-anywhere")
    assert done.returncode == 1
    assert "spawn_error" in done.stderr
    assert "Correct the command" in done.stderr


def test_a_scenario(real: Product) -> None:
    """The stand-in agent of tests and demonstrations."""
    path = real.data_dir / "scenario.yaml"
    path.write_text("- emit: hello from a scenario\n- exit: 4\n")
    done = real.command("run", "--raw", "--script", str(path))
    assert (done.stdout, done.returncode) == ("hello from a scenario\n", 4), done


def test_a_replay(real: Product) -> None:
    """The same lines and the same end, a second later or at once."""
    script = "echo one; sleep 1; echo two >&2; exit 3"
    first = real.command("run", "--detach", "--", "sh", "-c", script)
    run_id = int(first.stdout)
    real.wait(run_id, "FAILED")
    done = real.command("run", "--raw", "--replay", str(run_id), "--speed", "max")
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (3, "one\n", "two"), done
    refused = real.command("run", "--replay", "999999")
    assert refused.returncode != 0
    assert "there is no run 999999" in refused.stderr


def test_a_secret_reaches_the_agent_and_nothing_else(real: Product) -> None:
    """It is masked where it is printed, and stored with no run."""
    real.environment["MY_KEY"] = "geheim-4711"
    try:
        done = real.command("run", "--json", "--secret", "MY_KEY", "--", "sh", "-c", "echo ${#MY_KEY} $MY_KEY")
    finally:
        del real.environment["MY_KEY"]
    assert done.returncode == 0, done
    assert "geheim" not in done.stdout
    assert '"11 ' in done.stdout


def test_a_stopped_run_exits_130(real: Product) -> None:
    """However it was stopped; `stop` reports the fact."""
    with running(["run", "--json", "--", "sleep", "600"], real.environment) as started:
        assert started.stdout is not None
        run_id = json.loads(started.stdout.readline())["run_id"]
        real.wait(run_id, "RUNNING")
        stopped = real.command("stop", str(run_id))
        assert stopped.stdout.split() == [str(run_id), "STOPPED"]
        assert started.wait(20) == 130


def test_pause_and_resume_report_facts(real: Product) -> None:
    """Through the whole of it."""
    run_id = real.command("run", "-d", "--", "sleep", "600").stdout.strip()
    until(lambda: real.run(int(run_id))["started_at"], 20)
    assert real.command("pause", run_id).stdout.split() == [run_id, "PAUSED"]
    assert real.command("resume", run_id).stdout.split()[:2] == [run_id, "RUNNING"]
    assert real.command("stop", run_id).returncode == 0


def test_a_server_that_is_killed_again_and_again_loses_no_line() -> None:
    """What is followed over three lives of the server is what was written: each line once, in order."""
    script = "for i in $(seq 1 400); do echo line $i; sleep 0.01; done"
    with product(grace_s=2) as made:
        server = made.start("server")
        made.start("worker")
        made.wait_ready()
        with running(["run", "--raw", "--", "sh", "-c", script], made.environment) as started:
            assert started.stdout is not None
            lines = []
            for _ in range(3):
                lines += [started.stdout.readline() for _ in range(60)]
                server.kill()
                until(lambda server=server: not server.is_alive)  # type: ignore[misc]
                server = made.start("server")
            # Not `communicate`, which would leave what `readline` has read ahead.
            lines.append(started.stdout.read())
            assert started.wait(20) == 0
        assert "".join(lines) == "".join(f"line {number}\n" for number in range(1, 401))


def test_stop_all_needs_no_server() -> None:
    """One is started for as long as it takes; nothing is left afterwards."""
    with product(grace_s=2) as made:
        server, worker = made.start("server"), made.start("worker")
        made.wait_ready()
        run_id = made.command("run", "-d", "--", "sleep", "600").stdout.strip()
        made.wait(int(run_id), "RUNNING")
        until(lambda: made.run(int(run_id))["started_at"], 20)
        for part in (server, worker):
            part.kill()
            until(lambda part=part: not part.is_alive)  # type: ignore[misc]
        done = made.command("stop", "--all", timeout=60)
        assert done.stdout.split() == [run_id, "STOPPED"], done
        assert done.returncode == 0
        assert made.command("ps").returncode == 3
