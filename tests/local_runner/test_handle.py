"""The handle: stdin, pausing, waiting."""

import asyncio

import pytest

from agentrunner.local_runner import (
    AgentConfig,
    AgentStatus,
    CommunicationError,
    ExecutionError,
    LocalProcessRunner,
    Timeout,
    UnsupportedOperation,
)
from agentrunner.local_runner.agent import AgentSignal
from local_runner.given import PYTHON, SHELL, Programs, configured, line_of, said, sleeping
from waiting import until


async def test_stdin_takes_any_bytes(runner: LocalProcessRunner, programs: Programs) -> None:
    """As they are, in order, without a newline of ours, up to the end."""
    text = PYTHON + "import sys\ndata = sys.stdin.buffer.read()\nprint(len(data), data[:4], data[-2:])\n"
    handle = await programs.start(runner, text)
    data = bytes(range(256)) * 2000
    await handle.write_stdin(data)
    await handle.write_stdin(b"no newline")
    await handle.close_stdin()
    assert await said(handle) == [rf"{len(data) + 10} b'\x00\x01\x02\x03' b'ne'"]
    with pytest.raises(CommunicationError, match="ended"):
        await handle.write_stdin(b"x")


async def test_writers_do_not_mix(runner: LocalProcessRunner, programs: Programs) -> None:
    """What one writes stays together, however large it is."""
    handle = await programs.start(runner, SHELL + "exec uniq -c\n")
    send = handle.get_stdin_sender()
    await asyncio.gather(*(send(f"{n}\n".encode() * 100_000) for n in range(3)))
    await handle.close_stdin()
    assert sorted(line.split() for line in await said(handle)) == [["100000", str(n)] for n in range(3)]


async def test_who_does_not_read_is_waited_for_so_long(runner: LocalProcessRunner) -> None:
    """Memory stays bounded: 4 MiB wait, then the writer does."""
    handle = await runner.spawn(sleeping())
    with pytest.raises(Timeout, match="not read"):
        await handle.write_stdin(b"x" * (6 << 20), timeout=0.3)


async def test_a_closed_stdin_is_told_at_once(runner: LocalProcessRunner, programs: Programs) -> None:
    """The first write that cannot arrive fails, not the second."""
    handle = await programs.start(runner, SHELL + "exec 0<&-\necho closed\nexec sleep 60\n")
    assert await line_of(handle) == "closed"
    with pytest.raises(CommunicationError, match="closed its stdin"):
        await handle.write_stdin(b"x\n")


async def test_a_backend_without_input_says_so(runner: LocalProcessRunner, programs: Programs) -> None:
    """Claude reads its task from stdin: it cannot be told to pause, but it can be frozen."""
    programs.write(SHELL + "exec sleep 60\n", "claude")
    handle = await runner.spawn(AgentConfig(model_backend="claude", task="x", environment=programs.environment))
    with pytest.raises(UnsupportedOperation, match="reads its task, and nothing else"):
        await handle.write_stdin(b"x")
    with pytest.raises(UnsupportedOperation):
        await handle.pause()
    assert handle.status is AgentStatus.RUNNING
    await handle.pause(force=True)
    assert handle.status is AgentStatus.PAUSED


async def test_a_cooperative_pause_is_told(runner: LocalProcessRunner, programs: Programs) -> None:
    """In the document's words, on stdin."""
    handle = await programs.start(runner, SHELL + 'while read -r line; do echo "$line"; done\n')
    await handle.pause()
    assert await line_of(handle) == '{"type":"pause","action":"pause"}'
    info = handle.info()
    assert (info.status, info.pause_mode, info.paused_at is not None) == ("paused", "cooperative", True)
    await handle.resume()
    assert await line_of(handle) == '{"type":"pause","action":"resume"}'
    info = handle.info()
    assert (info.status, info.pause_mode, info.paused_at) == ("running", None, None)


async def test_a_forced_pause_stops_everything(runner: LocalProcessRunner, programs: Programs) -> None:
    """Also what runs in a session of its own: nothing is written until it goes on."""
    text = "setsid sh -c 'while :; do echo child; sleep 0.01; done' &\nwhile :; do echo parent; sleep 0.01; done\n"
    handle = await programs.start(runner, SHELL + text)
    await line_of(handle)
    await handle.pause(force=True)
    out = handle.life.path / "out"
    size = out.stat().st_size
    with pytest.raises(Timeout):
        await handle.wait(timeout=0.2)
    assert out.stat().st_size == size
    await handle.resume()
    await asyncio.to_thread(until, lambda: out.stat().st_size > size)


async def test_waiting_has_a_time_limit(runner: LocalProcessRunner) -> None:
    """The agent goes on; the error is Python's TimeoutError too."""
    handle = await runner.spawn(sleeping())
    with pytest.raises(TimeoutError, match=r"not ended within 0\.05 s"):
        await handle.wait(timeout=0.05)
    assert handle.status is AgentStatus.RUNNING


async def test_the_dead_cannot_be_signalled(runner: LocalProcessRunner, programs: Programs) -> None:
    """Nor anybody who has their number by now."""
    handle = await programs.start(runner, SHELL + "exit 4\n")
    assert (await handle.wait()).code == 4
    assert handle.status is AgentStatus.FAILED
    with pytest.raises(ExecutionError, match="ended"):
        await handle.signal(AgentSignal.TERMINATE)


async def test_leftovers_are_counted(runner: LocalProcessRunner, programs: Programs) -> None:
    """What an agent leaves behind when it ends by itself is ended, and said."""
    handle = await programs.start(runner, SHELL + "sleep 64 >/dev/null 2>&1 &\n")
    ended = await handle.wait()
    assert (ended.code, ended.leftover, handle.status) == (0, 1, "completed")


async def test_json_streaming_can_be_off(programs: Programs) -> None:
    """Then there are no messages, and no line is looked into."""
    async with LocalProcessRunner(configured(enable_json_streaming=False)) as runner:
        handle = await programs.start(runner, SHELL + """echo '{"type":"thinking"}'\nexec sleep 60\n""")
        await line_of(handle)
        assert handle.status is AgentStatus.RUNNING
        with pytest.raises(UnsupportedOperation, match="enable_json_streaming"):
            await anext(handle.messages())


async def test_a_subscription_can_be_closed(runner: LocalProcessRunner, programs: Programs) -> None:
    """From another task too: whoever waits for the next line is told that there is none."""
    handle = await programs.start(runner, SHELL + "echo one\nexec sleep 60\n")
    lines = handle.subscribe_stdout()
    assert await anext(lines) == b"one\n"
    waiting = asyncio.create_task(anext(lines, b"over"))
    asyncio.get_running_loop().call_later(0.05, lines.close)
    assert await asyncio.wait_for(waiting, 5) == b"over"
