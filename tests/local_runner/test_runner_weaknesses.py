"""Every weakness that was found in document 004's code, and that it is not ours."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentrunner.local_runner import (
    AgentConfig,
    AgentSignal,
    AgentStatus,
    ExecutionError,
    GracefulShutdown,
    InvalidContext,
    LocalProcessRunner,
    SpawnFailed,
)
from local_runner.given import MARK, PYTHON, SHELL, Programs, configured, is_gone, line_of, said, sleeping
from waiting import eventually, until

SOON = 2.0
"""Seconds that are far more than any of this takes, and less than any deadlock."""


def looping(answer: str, signal: str = "TERM") -> str:
    """A program that answers a signal and says when it is ready to."""
    return SHELL + f"trap '{answer}' {signal}\necho ready\nwhile :; do sleep 0.02; done\n"


def command_lines() -> list[bytes]:
    """Of every process, as anybody can read them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


async def test_the_runner_can_kill(runner: LocalProcessRunner) -> None:
    """There: `runner.kill()` deadlocks always."""
    handle = await runner.spawn(sleeping())
    pid = handle.pid
    assert pid is not None
    async with asyncio.timeout(SOON):
        await runner.kill(handle.id)
    assert is_gone(pid)


async def test_waiting_keeps_nobody_from_anything(runner: LocalProcessRunner) -> None:
    """There: `wait()` holds the lock that signal, kill and pid need."""
    handle = await runner.spawn(sleeping())
    waiters = [asyncio.create_task(handle.wait()) for _ in range(5)]
    async with asyncio.timeout(SOON):
        assert await runner.get_agent_pid(handle.id) == handle.pid
        await handle.pause(force=True)
        await handle.resume()
        await runner.signal(handle.id, AgentSignal.TERMINATE)
        assert {(await waiter).signal for waiter in waiters} == {signal.SIGTERM}


async def test_grandchildren_end_too(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: they survive a kill. Also the one in a session of its own, whose parent has gone."""
    handle = await programs.start(runner, SHELL + "sleep 61 & echo $!\nsetsid sh -c 'sleep 62 & echo $!'\nwait\n")
    pids = [int(await line_of(handle)) for _ in range(2)]
    await handle.kill()
    assert all(is_gone(pid) for pid in pids)


async def test_an_interrupt_is_no_pause(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: a dying process is shown as `paused`."""
    handle = await programs.start(runner, looping("echo interrupted", "INT"))
    assert await line_of(handle) == "ready"
    await handle.signal(AgentSignal.INTERRUPT)
    assert await line_of(handle) == "interrupted"
    assert handle.status is AgentStatus.RUNNING
    dying = await runner.spawn(sleeping())
    await dying.signal(AgentSignal.INTERRUPT)
    seen = {dying.status}
    while not dying.status.is_terminal:
        seen.add(dying.status)
        await asyncio.wait_for(dying.wait(), SOON)
    assert AgentStatus.PAUSED not in seen
    assert dying.status is AgentStatus.FAILED


async def test_a_signal_is_never_delayed(runner: LocalProcessRunner) -> None:
    """There: each can wait a quarter of a second for the exit observer's lock."""
    handle = await runner.spawn(sleeping())
    before = time.monotonic()
    for _ in range(40):
        await handle.signal(AgentSignal.FORCE_PAUSE)
        await handle.signal(AgentSignal.RESUME)
    assert time.monotonic() - before < 80 * 0.125, "each takes half of what it could there"


async def test_the_limit_holds_whoever_comes_at_once() -> None:
    """There: all who check before the first has started get in."""
    async with LocalProcessRunner(configured(max_concurrent_agents=3)) as runner:
        came = await asyncio.gather(*(runner.spawn(sleeping()) for _ in range(12)), return_exceptions=True)
        refused = [one for one in came if isinstance(one, SpawnFailed)]
        assert (len(refused), len(await runner.list_agents())) == (9, 3)
        await runner.kill((await runner.list_agents())[0].id)
        assert (await runner.spawn(sleeping())).status is AgentStatus.RUNNING


async def test_a_failed_start_takes_no_place() -> None:
    """What was counted before it started is given back where it did not."""
    async with LocalProcessRunner(configured(max_concurrent_agents=1)) as runner:
        for _ in range(3):
            with pytest.raises(SpawnFailed, match="no program"):
                await runner.spawn(AgentConfig(model_backend="nosuchprogram-cli", task="x"))
        await runner.spawn(sleeping())


async def test_the_finished_leave(programs: Programs) -> None:
    """There: they stay for ever. Here the newest are kept, and of the others neither entry nor file."""
    async with LocalProcessRunner(configured(keep_finished=3)) as runner:
        ids = []
        for _ in range(8):
            handle = await programs.start(runner, SHELL + "exit 0\n")
            await handle.wait()
            ids.append(handle.id)
        assert [agent.id for agent in await runner.list_agents()] == ids[-3:]
        kept = handle.life.path.parent
        assert len(list(kept.iterdir())) == 3
        del handle


async def test_unread_output_is_bounded(programs: Programs) -> None:
    """There: unbounded channels. Here the oldest output goes, the agent goes on, and the reader knows how much."""
    text = PYTHON + "import sys\nfor n in range(20000):\n    sys.stdout.write(f'{n:07}' + 'x' * 992 + '\\n')\n"
    async with LocalProcessRunner(configured(spool_cap_bytes=4 << 20)) as runner:
        handle = await programs.start(runner, text)
        assert (await handle.wait(timeout=30)).success
        used = sum(os.stat(handle.life.path / name).st_blocks * 512 for name in ("out", "idx"))
        assert used <= (4 << 20) + (1 << 16)
        lines = [line async for line in handle.subscribe_stdout()]
        assert 0 < len(lines) < 20000
        assert [int(line[:7]) for line in lines] == list(range(20000 - len(lines), 20000))
        assert (await handle.read_stdout()) == lines[0]
        assert handle.missed["stdout"] == (20000 - len(lines)) * 1000


async def test_a_line_without_end_is_cut(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: it is read into memory whole. Here a MiB of it is kept, the rest counted, the next line whole."""
    text = PYTHON + "import sys\nfor _ in range(80): sys.stdout.write('y' * 100_000)\nprint()\nprint('next')\n"
    handle = await programs.start(runner, text)
    lines = handle.subscribe_stdout()
    found = [line async for line in lines]
    assert [len(line) for line in found] == [(1 << 20) + 1, 5]
    assert (found[1], lines.cut) == (b"next\n", 8_000_000 - (1 << 20))


async def test_any_bytes_are_output(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: the first line that is no UTF-8 ends the reader."""
    handle = await programs.start(runner, SHELL + r"printf 'a\377\376b\n\000\nend\n'" + "\n")
    assert [line async for line in handle.subscribe_stdout()] == [b"a\xff\xfeb\n", b"\0\n", b"end\n"]
    assert (await handle.wait()).success


async def test_a_slow_subscriber_loses_nothing(programs: Programs) -> None:
    """There: who lags behind 1,024 lines loses some. Here the agent waits for him, even with a tiny spool."""
    text = PYTHON + "import sys\nfor n in range(16000):\n    sys.stdout.write(f'{n:07}' + 'x' * 992 + '\\n')\n"
    async with LocalProcessRunner(configured(spool_cap_bytes=4 << 20)) as runner:
        handle = await programs.start(runner, text)
        lines = handle.subscribe_stdout()
        first = await anext(lines)
        # The spool is full, and the agent waits.
        await asyncio.to_thread(until, lambda: os.stat(handle.life.path / "out").st_size > 3 << 20)
        assert not handle.status.is_terminal
        rest = [int(line[:7]) async for line in lines]
        assert [int(first[:7]), *rest] == list(range(16000))
        assert lines.missed == 0


async def test_a_late_subscriber_gets_everything(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: what was written before is gone. Also for one who comes when all is over, and for the second one."""
    handle = await programs.start(runner, SHELL + "seq 1 5000\nseq 1 10 >&2\n")
    await handle.wait()
    wanted = [str(number) for number in range(1, 5001)]
    assert await said(handle) == wanted
    assert await said(handle) == wanted
    assert len([line async for line in handle.subscribe_stderr()]) == 10


async def test_terminated_means_gone(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: the status is set when the signal is sent."""
    handle = await programs.start(runner, looping("echo no"))
    assert await line_of(handle) == "ready"
    await handle.signal(AgentSignal.TERMINATE)
    assert await line_of(handle) == "no"
    assert handle.status is AgentStatus.RUNNING
    await handle.kill()
    assert handle.status is AgentStatus.TERMINATED


PARENT = f"""
import asyncio, sys
from agentrunner.local_runner import *
async def main():
    config = ProcessRunnerConfig(pass_env=({MARK!r},), detach=sys.argv[1] == "detach", state_dir=sys.argv[2])
    runner = LocalProcessRunner(config)
    handle = await runner.spawn(AgentConfig(name="orphan", model_backend="sleep-cli", task="60"))
    print(handle.id, handle.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def _orphan(state: Path, mode: str) -> tuple[str, int]:
    """An agent whose program was killed: its id and pid."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, mode, str(state)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    agent_id, pid = parent.stdout.readline().split()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return agent_id, int(pid)


async def test_agents_end_with_their_owner(tmp_path: Path) -> None:
    """There: they stay when the supervisor is killed. The next runner of the directory knows what became of them."""
    agent_id, pid = _orphan(tmp_path / "state", "owned")
    until(lambda: is_gone(pid), timeout=SOON)
    async with LocalProcessRunner(configured(state_dir=tmp_path / "state")) as runner:

        async def ended() -> bool:
            info = await runner.get_agent(agent_id)
            assert info is not None
            return info.status is AgentStatus.TERMINATED and info.reason == "owner_gone"

        await eventually(ended)


async def test_state_outlives_the_program(tmp_path: Path) -> None:
    """There: it is in memory only. A detached agent goes on, and the next runner reads, pauses and ends it."""
    agent_id, pid = _orphan(tmp_path / "state", "detach")
    async with LocalProcessRunner(configured(state_dir=tmp_path / "state", shutdown_timeout_secs=1)) as runner:
        info = await runner.get_agent(agent_id)
        assert info is not None
        assert (info.name, info.status, info.pid, info.task) == ("orphan", "running", pid, "60")
        await runner.pause(agent_id, force=True)
    assert is_gone(pid)


async def test_the_environment_is_not_passed_on(programs: Programs) -> None:
    """There: agents get all of it. Here they get what is usual, what is named, and what they were given."""
    source = {**os.environ, "AWS_SECRET": "no", "SOME_TOKEN": "no", "NAMED": "yes"}
    config = configured(environment=source)
    async with LocalProcessRunner(config) as runner:
        handle = await programs.start(runner, SHELL + "env\n", environment={"GIVEN": "1"}, context="some context")
        found = dict(line.split("=", 1) for line in await said(handle) if "=" in line)
    assert not {"AWS_SECRET", "SOME_TOKEN", "NAMED"} & found.keys()
    assert (found["GIVEN"], found["AGENT_CONTEXT"]) == ("1", "some context")


async def test_claudes_task_is_in_no_list_of_processes(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: the task is an argument. Here it comes by stdin, and nothing in /proc shows it."""
    programs.write(
        PYTHON + "import sys, time\nprint(sys.stdin.read())\nprint(sys.argv[1:])\ntime.sleep(60)\n", "claude"
    )
    config = AgentConfig(model_backend="claude", task="a secret plan", environment=programs.environment)
    handle = await runner.spawn(config)
    assert await line_of(handle) == "a secret plan"
    assert "secret" not in await line_of(handle)
    everybody = await asyncio.to_thread(command_lines)
    assert len(everybody) > 3
    assert not [line for line in everybody if b"a secret plan" in line]


async def test_a_task_is_no_option(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: a task that begins with `-` is one."""
    handle = await programs.start(runner, SHELL + 'for word; do echo "$word"; done\n', task="--help me")
    assert await said(handle) == ["--", "--help me"]


async def test_graceful_means_sigterm_first(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: no SIGTERM is sent at all. Here everybody gets it, and who does not end is killed in time."""
    kind = await programs.start(
        runner, SHELL + "trap 'echo bye; exit 3' TERM\necho ready\nwhile :; do sleep 0.02; done\n"
    )
    assert await line_of(kind) == "ready"
    ended = await GracefulShutdown(5).shutdown(kind)
    assert (ended.code, ended.step, await line_of(kind)) == (3, "terminate", "bye")
    deaf = await programs.start(runner, looping(""))
    assert await line_of(deaf) == "ready"
    before = time.monotonic()
    ended = await GracefulShutdown(0.3).shutdown(deaf)
    assert (ended.signal, ended.step) == (signal.SIGKILL, "kill")
    assert 0.3 <= time.monotonic() - before < SOON


async def test_json_is_streamed(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: the setting does nothing."""
    text = """echo '{"type":"system","n":1}'\necho not json\necho '{"type":"thinking","text":"hm"}'\nread line\n"""
    handle = await programs.start(runner, SHELL + text)
    messages = handle.messages()
    assert [await anext(messages) for _ in range(3)] == [
        {"type": "system", "n": 1}, {"type": "raw", "text": "not json"}, {"type": "thinking", "text": "hm"},
    ]  # fmt: skip
    assert handle.status is AgentStatus.THINKING
    await handle.write_stdin(b"go on\n")
    assert [message async for message in messages] == []
    assert handle.status is AgentStatus.COMPLETED


async def test_nothing_that_was_asked_for_is_left_out(runner: LocalProcessRunner, programs: Programs) -> None:
    """There: an unknown tool level is left out in silence, and a system prompt for all but Claude."""
    with pytest.raises(InvalidContext, match="tool level 'everything'"):
        await runner.spawn(AgentConfig(task="x", tool_level="everything"))
    handle = await programs.start(runner, SHELL + 'echo "$AGENT_SYSTEM_PROMPT"\n', system_prompt="Be brief")
    assert await said(handle) == ["Be brief"]


async def test_pausing_twice_and_resuming_the_running_are_refused(runner: LocalProcessRunner) -> None:
    """As there, and by what is the case, not by what was said."""
    handle = await runner.spawn(sleeping())
    with pytest.raises(ExecutionError, match="not paused"):
        await handle.resume()
    await handle.pause(force=True)
    with pytest.raises(ExecutionError, match="already paused"):
        await runner.pause(handle.id)
    await handle.kill()
    with pytest.raises(ExecutionError, match="terminal state: terminated"):
        await handle.pause()
    with pytest.raises(ExecutionError, match="terminated"):
        await handle.resume()
