"""The runner: many at once, starting that fails, taking over, and closing."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentrunner.local_runner import (
    AgentConfig,
    AgentStatus,
    IoError,
    LocalProcessRunner,
    NotFound,
    ProcessRunnerConfig,
    ResourceLimits,
    SpawnFailed,
)
from agentrunner.local_runner.agent import AgentSignal
from agentrunner.process import procfs
from local_runner.given import SHELL, Programs, configured, is_gone, line_of, said, sleeping
from process.given import every_mechanism
from waiting import eventually, until


async def one_runner(programs: Programs, number: int) -> list[str]:
    """A runner of its own with five agents; what they say, and nothing left."""
    async with LocalProcessRunner(configured()) as runner:
        handles = [
            await runner.spawn(
                AgentConfig(model_backend="hello-cli", task=f"{number}.{count}", environment=programs.environment)
            )
            for count in range(5)
        ]
        return [line for handle in handles for line in await said(handle)]


async def test_twenty_runners_at_once(programs: Programs) -> None:
    """Each has its own directory and zygote, and sees only its own agents."""
    programs.write(SHELL + 'echo "$1"\n', "hello")
    async with asyncio.timeout(50):
        found = await asyncio.gather(*(one_runner(programs, number) for number in range(20)))
    assert found == [[f"{number}.{count}" for count in range(5)] for number in range(20)]


async def test_two_hundred_agents_are_started_and_killed(runner: LocalProcessRunner) -> None:
    """All at once, and no process is left."""
    handles = await asyncio.gather(*(runner.spawn(sleeping(120)) for _ in range(200)))
    pids = [handle.pid for handle in handles]
    assert len(set(pids)) == 200
    assert {agent.status for agent in await runner.list_agents()} == {AgentStatus.RUNNING}
    shims = [proc.shim_pid for handle in handles if (proc := handle.life.directory.proc()) is not None]
    await asyncio.gather(*(runner.kill(handle.id) for handle in handles))
    assert await runner.list_agents() == []
    await asyncio.to_thread(until, lambda: all(pid is not None and is_gone(pid) for pid in (*pids, *shims)))


async def test_closing_ends_everything(programs: Programs) -> None:
    """Also the deaf, also the frozen; and the runner's directory goes."""
    async with LocalProcessRunner(configured(shutdown_timeout_secs=0.2)) as runner:
        deaf = await programs.start(runner, SHELL + "trap '' TERM\necho ready\nwhile :; do sleep 0.02; done\n")
        assert await line_of(deaf) == "ready"
        frozen = await runner.spawn(sleeping())
        await frozen.pause(force=True)
        pids = [deaf.pid, frozen.pid]
        home = deaf.life.path.parent.parent.parent
        assert home.stat().st_mode & 0o777 == 0o700
    assert all(pid is not None and is_gone(pid) for pid in pids)
    assert not home.exists()
    assert (await frozen.wait()).step == "terminate"
    await runner.close()
    with pytest.raises(SpawnFailed, match="closed"):
        await runner.spawn(sleeping())
    assert [agent.status for agent in await runner.list_agents()] == ["terminated", "terminated"]


async def test_detached_agents_outlive_the_runner(tmp_path: Path) -> None:
    """Left alone by the first, found, read and ended by the second; a pause is found too."""
    config = configured(state_dir=tmp_path / "state", detach=True)
    async with LocalProcessRunner(config) as first:
        handle = await first.spawn(sleeping(name := 60))
        await handle.pause(force=True)
        pid = handle.pid
        assert pid is not None
    assert not is_gone(pid)
    async with LocalProcessRunner(configured(state_dir=tmp_path / "state")) as second:
        info = await second.get_agent(handle.id)
        assert info is not None
        assert (info.pid, info.task, info.status, info.pause_mode) == (pid, str(name), "paused", "forced")
        await second.resume(handle.id)
        assert [agent.status for agent in await second.list_agents()] == ["running"]
    assert is_gone(pid)
    async with LocalProcessRunner(config) as third:
        assert [agent.status for agent in await third.list_agents()] == ["terminated"]


async def test_a_detached_agent_keeps_its_files(tmp_path: Path) -> None:
    """Also once nobody in this program refers to it any more: without them nobody could find, read or end it."""
    config = configured(state_dir=tmp_path / "state", detach=True)

    async def start() -> str:
        async with LocalProcessRunner(config) as first:
            return (await first.spawn(sleeping())).id

    agent_id = await start()
    gc.collect()
    async with LocalProcessRunner(configured(state_dir=tmp_path / "state")) as second:
        info = await second.get_agent(agent_id)
        assert info is not None
        assert info.status == "running"


async def test_a_cancelled_close_keeps_nothing_from_the_next(tmp_path: Path, programs: Programs) -> None:
    """Whoever gives up waiting for the deaf leaves the directory, and them, to the next runner."""
    config = configured(state_dir=tmp_path / "state", shutdown_timeout_secs=1)
    first = LocalProcessRunner(config)
    deaf = await programs.start(first, SHELL + "trap '' TERM\necho ready\nwhile :; do sleep 0.02; done\n")
    assert await line_of(deaf) == "ready"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(first.close(), 0.1)
    await first.close()
    async with LocalProcessRunner(config) as second:
        assert [agent.id for agent in await second.list_agents()] == [deaf.id]
    assert await second.get_agent_pid(deaf.id) is None


async def test_a_directory_has_one_runner(tmp_path: Path) -> None:
    """A second one is refused: two would take each other's agents over."""
    config = configured(state_dir=tmp_path / "state")
    async with LocalProcessRunner(config):
        with pytest.raises(IoError, match="held by another"):
            await LocalProcessRunner(config).list_agents()
    async with LocalProcessRunner(config) as again:
        assert await again.list_agents() == []


@every_mechanism
async def test_a_cancelled_start_leaves_nothing(mechanism: str) -> None:
    """Whoever gives up waiting for an agent gets none, at whatever moment: neither at the gate nor behind it."""
    cancelled = 0
    async with LocalProcessRunner(configured(tree=mechanism)) as runner:
        await runner.spawn(sleeping())
        for step in range(60):
            starts = [asyncio.create_task(runner.spawn(sleeping(7777))) for _ in range(2)]
            await asyncio.wait(starts, timeout=0.00014 * step)
            for start in starts:
                start.cancel()
            for result in await asyncio.gather(*starts, return_exceptions=True):
                if isinstance(result, BaseException):
                    cancelled += 1
                else:
                    await result.kill()
        assert cancelled > 50
        assert sum(agent.status is AgentStatus.RUNNING for agent in await runner.list_agents()) == 1
        await asyncio.to_thread(until, lambda: not sleepers("7777"))


def sleepers(task: str) -> list[int]:
    """The processes that sleep so long."""
    found = []
    for pid in procfs.living():
        try:
            line = procfs.read(f"/proc/{pid}/cmdline")
        except OSError:
            continue
        if line.split(b"\0")[-2:] == [task.encode(), b""] and b"sleep" in line:
            found.append(pid)
    return found


async def test_what_cannot_start_says_why(runner: LocalProcessRunner, programs: Programs, tmp_path: Path) -> None:
    """No program, no interpreter, no directory; and nobody is listed."""
    with pytest.raises(SpawnFailed, match="no program 'nowhere' in PATH"):
        await runner.spawn(AgentConfig(model_backend="nowhere-cli", task="x"))
    with pytest.raises(SpawnFailed, match="No such file"):
        await programs.start(runner, "#!/no/such/interpreter\n")
    async with LocalProcessRunner(configured(working_dir=tmp_path / "missing")) as other:
        with pytest.raises(SpawnFailed, match="missing"):
            await other.spawn(sleeping())
        assert await other.list_agents() == []


async def test_agents_work_where_the_runner_says(tmp_path: Path) -> None:
    """`working_dir`."""
    async with LocalProcessRunner(configured(working_dir=tmp_path)) as runner:
        handle = await runner.spawn(AgentConfig(model_backend="pwd-cli"))
        assert await said(handle) == [str(tmp_path)]


async def test_limits_end_an_agent(runner: LocalProcessRunner) -> None:
    """Its wall time; the reason is known, and it counts as failed."""
    handle = await runner.spawn(sleeping(limits=ResourceLimits(max_runtime_secs=0.2)))
    await handle.wait(timeout=10)
    info = await runner.get_agent(handle.id)
    assert info is not None
    assert (info.status, info.reason) == ("failed", "wall_s")


async def test_a_killed_shim_is_seen(runner: LocalProcessRunner, programs: Programs) -> None:
    """The agent and all it started end with it, waiting ends, and what was written is kept."""
    handle = await programs.start(runner, SHELL + "echo before\nsleep 63 & echo $!\nwait\n")
    lines = handle.subscribe_stdout()
    assert await anext(lines) == b"before\n"
    child = int(await anext(lines))
    proc = handle.life.directory.proc()
    assert proc is not None
    os.kill(proc.shim_pid, signal.SIGKILL)
    ended = await handle.wait(timeout=10)
    assert (ended.success, ended.code, handle.status, handle.info().reason) == (False, None, "failed", "shim_lost")
    assert is_gone(child)
    assert is_gone(proc.pid)
    assert await said(handle) == ["before", str(child)]


async def test_a_hanging_shim_is_no_obstacle_to_killing(runner: LocalProcessRunner) -> None:
    """It is killed itself, and its agent with it."""
    handle = await runner.spawn(sleeping())
    proc = handle.life.directory.proc()
    assert proc is not None
    os.kill(proc.shim_pid, signal.SIGSTOP)
    await asyncio.wait_for(handle.kill(), 20)
    assert is_gone(proc.pid)
    assert handle.status is AgentStatus.TERMINATED


async def test_every_call_by_id(runner: LocalProcessRunner, programs: Programs) -> None:
    """What a handle can do, the runner can by id."""
    handle = await programs.start(runner, SHELL + "read line\necho got $line\necho err >&2\nexec sleep 60\n")
    await runner.write_stdin(handle.id, b"it\n")
    assert await line_of(handle) == "got it"
    assert await eventually(lambda: runner.read_stderr(handle.id)) == b"err\n"
    assert await runner.read_stdout(handle.id) is None
    await runner.pause(handle.id, force=True)
    await runner.resume(handle.id)
    await runner.signal(handle.id, AgentSignal.KILL)
    assert await runner.get_agent_handle(handle.id) is handle
    assert await runner.get_agent_pid(handle.id) is None
    with pytest.raises(NotFound):
        await runner.read_stdout("nobody")


async def test_a_foreign_backend(programs: Programs) -> None:
    """A builder adds a backend by name, as the built-in ones are added."""
    from agentrunner.agents.base import Command

    async with LocalProcessRunner(
        configured(), {"greeter": lambda config, extra: Command(argv=("echo", *extra, config.task))}
    ) as runner:
        config = AgentConfig(model_backend="greeter", task="you", environment={"AGENT_EXTRA_ARGS": "hello  to"})
        assert await said(await runner.spawn(config)) == ["hello to you"]


def test_it_needs_neither_server_nor_database() -> None:
    """Importing it loads nothing of either."""
    program = (
        "import sys, agentrunner.local_runner\n"
        "print([n for n in sys.modules if n.split('.')[:2] in ([['agentrunner', x] for x in "
        "('api', 'app', 'cli', 'client', 'engine', 'store', 'config')]) or n in ('sqlite3', 'litestar', 'uvicorn', "
        "'httpx', 'asyncpg')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


async def test_without_asking_nothing_is_made() -> None:
    """A runner that is never used has no directory, no task and no descriptor to leave behind."""
    before = len(os.listdir("/proc/self/fd"))
    runners = [LocalProcessRunner(ProcessRunnerConfig()) for _ in range(10)]
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(asyncio.all_tasks()) == 1
    for runner in runners:
        await runner.close()


async def test_descriptors_come_back(runner: LocalProcessRunner, programs: Programs) -> None:
    """A hundred agents leave none open."""
    handle = await programs.start(runner, SHELL + "echo x\n")
    await said(handle)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        handle = await programs.start(runner, SHELL + "echo x\n")
        assert await said(handle) == ["x"]
        assert await handle.read_stdout() == b"x\n"
        await handle.wait()
        assert await handle.read_stdout() is None
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_the_documentations_example_runs(tmp_path: Path) -> None:
    """As it is printed."""
    page = (Path(__file__).parents[2] / "docs/local-runner.md").read_text()
    program = tmp_path / "example.py"
    program.write_text(page.partition("```python\n")[2].partition("```")[0])
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "etc\n" in done.stdout
    assert done.stdout.endswith("step='terminate', leftover=0) terminated\n")
