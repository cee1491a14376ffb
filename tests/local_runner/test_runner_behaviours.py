"""Document 004's tested behaviours, each under the name of its test there, and never less than it asks."""

import time
import uuid

import pytest

from agentrunner.local_runner import (
    AgentConfig,
    AgentSignal,
    AgentStatus,
    GracefulShutdown,
    LocalProcessRunner,
    NotFound,
    ProcessRunnerConfig,
    SpawnFailed,
)
from local_runner.given import configured, sleeping
from waiting import eventually


async def test_spawn_unsupported_backend(runner: LocalProcessRunner) -> None:
    """A backend that is no program is refused in the document's words."""
    with pytest.raises(SpawnFailed, match="Unsupported model backend"):
        await runner.spawn(AgentConfig(name="test-unsupported", model_backend="openai-api", task="Hello World"))


async def test_list_agents(runner: LocalProcessRunner) -> None:
    """Nobody is there at first."""
    assert await runner.list_agents() == []


async def test_get_nonexistent_agent(runner: LocalProcessRunner) -> None:
    """Who is unknown is None."""
    assert await runner.get_agent(str(uuid.uuid4())) is None


async def test_kill_nonexistent_agent(runner: LocalProcessRunner) -> None:
    """Who is unknown cannot be killed."""
    with pytest.raises(NotFound, match="Agent not found"):
        await runner.kill(str(uuid.uuid4()))


async def test_signal_nonexistent_agent(runner: LocalProcessRunner) -> None:
    """Who is unknown cannot be signalled."""
    with pytest.raises(NotFound):
        await runner.signal(str(uuid.uuid4()), AgentSignal.INTERRUPT)


async def test_process_runner_with_max_agents() -> None:
    """With room for none, none is started."""
    async with LocalProcessRunner.with_config(ProcessRunnerConfig(max_concurrent_agents=0)) as runner:
        with pytest.raises(SpawnFailed, match="limit reached: 0"):
            await runner.spawn(AgentConfig(name="test", model_backend="claude", task="test"))


def test_process_config_defaults() -> None:
    """The document's defaults."""
    config = ProcessRunnerConfig()
    assert config.enable_json_streaming
    assert config.enable_health_checks
    assert config.health_check_interval_secs == 30
    assert config.max_concurrent_agents is None
    assert config.working_dir is None


def test_graceful_shutdown_creation() -> None:
    """With a time, and five seconds without."""
    assert GracefulShutdown(10).timeout_secs == 10
    assert GracefulShutdown().timeout_secs == 5


def test_agent_status_values() -> None:
    """The document's six, and the two of its code."""
    assert {"idle", "running", "paused", "completed", "failed", "terminated"} < set(AgentStatus)
    assert set(AgentStatus) - {"idle", "running", "paused", "completed", "failed", "terminated"} == {
        "initializing",
        "thinking",
    }
    assert {status for status in AgentStatus if status.is_terminal} == {"completed", "failed", "terminated"}


def test_agent_config_creation() -> None:
    """Every field is kept, and every field has a default."""
    config = AgentConfig(
        name="test-agent", model_backend="claude", task="Write a test", context="Test context",
        system_prompt="You are a test assistant", environment={"TEST_VAR": "test_value"},
    )  # fmt: skip
    assert (config.name, config.model_backend, config.task) == ("test-agent", "claude", "Write a test")
    assert (config.context, config.system_prompt) == ("Test context", "You are a test assistant")
    assert config.environment == {"TEST_VAR": "test_value"}
    assert AgentConfig().environment == {}


async def test_multiple_runners(runner: LocalProcessRunner) -> None:
    """Two runners know nothing of each other."""
    async with LocalProcessRunner(configured()) as other:
        handle = await runner.spawn(sleeping())
        assert await other.list_agents() == []
        assert await other.get_agent(handle.id) is None
        assert [agent.id for agent in await runner.list_agents()] == [handle.id]


async def test_spawn_with_sleep_backend(runner: LocalProcessRunner) -> None:
    """`sleep-cli` runs `sleep`, and is running at once."""
    handle = await runner.spawn(sleeping(2))
    assert handle.status is AgentStatus.RUNNING
    await handle.kill()
    assert handle.status is AgentStatus.TERMINATED


async def test_agent_lifecycle(runner: LocalProcessRunner) -> None:
    """Spawned, found, listed, killed; by its handle it stays known, by the runner it is forgotten."""
    handle = await runner.spawn(AgentConfig(name="lifecycle-test", model_backend="sleep-cli", task="30"))
    info = await runner.get_agent(handle.id)
    assert info is not None
    assert (info.name, info.status, info.pid) == ("lifecycle-test", "running", await runner.get_agent_pid(handle.id))
    assert [agent.id for agent in await runner.list_agents()] == [handle.id]
    await handle.kill()
    assert [agent.status for agent in await runner.list_agents()] == ["terminated"]
    await runner.kill(handle.id)
    assert await runner.list_agents() == []


async def test_graceful_shutdown(runner: LocalProcessRunner) -> None:
    """Thirty seconds of sleep end with the first word."""
    handle = await runner.spawn(sleeping(30))
    before = time.monotonic()
    ended = await GracefulShutdown(1).shutdown(handle)
    assert time.monotonic() - before <= 2
    assert (ended.signal, ended.step, ended.success) == (15, "terminate", False)
    assert handle.status is AgentStatus.TERMINATED


async def test_graceful_shutdown_timeout(runner: LocalProcessRunner) -> None:
    """Its time is kept, whatever the agent would do."""
    handle = await runner.spawn(sleeping(10))
    before = time.monotonic()
    await GracefulShutdown(1).shutdown(handle)
    assert time.monotonic() - before <= 3
    assert handle.status.is_terminal


async def test_stdio_streaming(runner: LocalProcessRunner) -> None:
    """Writing and reading go without error, also where the agent does neither."""
    handle = await runner.spawn(sleeping(5))
    await handle.write_stdin(b"test input\n")
    assert await handle.read_stdout() is None
    assert await handle.read_stderr() is None
    await handle.kill()


async def test_health_checks() -> None:
    """Who lives is found alive, who was killed is `terminated` and still known."""
    async with LocalProcessRunner(configured(health_check_interval_secs=0.1)) as runner:
        handle = await runner.spawn(sleeping(30))

        async def is_checked() -> bool:
            info = await runner.get_agent(handle.id)
            assert info is not None
            assert info.status is AgentStatus.RUNNING
            return info.checked_at is not None

        await eventually(is_checked, timeout=5)
        await handle.kill()
        info = await runner.get_agent(handle.id)
        assert info is not None
        assert info.status is AgentStatus.TERMINATED


async def test_process_exit_detection(runner: LocalProcessRunner) -> None:
    """A natural end: success, code 0, `completed`."""
    handle = await runner.spawn(sleeping(0.3))
    assert handle.status is AgentStatus.RUNNING
    assert handle.exit_code is None
    ended = await handle.wait()
    assert (ended.success, ended.code) == (True, 0)
    assert (handle.exit_code, handle.status) == (0, "completed")


async def test_signal_handling(runner: LocalProcessRunner) -> None:
    """SIGTERM is delivered, the status says so once it is true, and killing the dead is harmless."""
    handle = await runner.spawn(sleeping(10))
    await runner.signal(handle.id, AgentSignal.TERMINATE)
    ended = await handle.wait(timeout=5)
    assert (ended.signal, handle.status) == (15, "terminated")
    await handle.kill()
