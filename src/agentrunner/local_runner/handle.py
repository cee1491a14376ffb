"""The handle of one agent: everything that can be asked of it and done to it.

Nothing here waits for anything else: reading, waiting, signalling and ending go side by side, from any number of tasks.
"""

import asyncio
import signal as signals
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from agentrunner.local_runner import thought
from agentrunner.local_runner.agent import AgentInfo, AgentSignal, AgentStatus, ExitStatus, PauseMode
from agentrunner.local_runner.errors import CommunicationError, ExecutionError, Timeout, UnsupportedOperation
from agentrunner.local_runner.life import Life
from agentrunner.local_runner.output import LineReader, Subscription, last_line
from agentrunner.process.spool import Stream

_PAUSE = b'{"type":"pause","action":"pause"}\n'
_RESUME = b'{"type":"pause","action":"resume"}\n'
_PIECE = 128 << 10
"""So much goes to stdin with one command: what the agent does not read waits here, not with the shim."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.25
_ENDED_BY = {signals.SIGTERM, signals.SIGKILL}
_NUMBERS = {AgentSignal.INTERRUPT: signals.SIGINT, AgentSignal.TERMINATE: signals.SIGTERM}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an agent from its start on; kept beside its files."""

    id: str
    name: str
    model_backend: str
    task: str
    started_at: datetime


class LocalAgentHandle:
    """One agent, live or ended. Ended ones can still be read and asked, for as long as somebody has the handle."""

    def __init__(self, about: About, life: Life, is_json: bool) -> None:
        self._about = about
        self._life = life
        self._is_json = is_json
        self._readers: dict[Stream, LineReader] = {"out": LineReader(life, "out"), "err": LineReader(life, "err")}
        self._writing = asyncio.Lock()
        self._steering = asyncio.Lock()
        self._is_asked_to_end = False
        self._pause_mode: PauseMode | None = None
        self._paused_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.checked_at: datetime | None = None

    @property
    def id(self) -> str:
        """A UUID."""
        return self._about.id

    @property
    def life(self) -> Life:
        """Its run directory, followed."""
        return self._life

    @property
    def pid(self) -> int | None:
        """The process id of its program; None where it was never forked, or is gone."""
        proc = None if self._life.is_over else self._life.directory.proc()
        return None if proc is None else proc.pid

    @property
    def status(self) -> AgentStatus:
        """Where it is, by what its files say now."""
        self._life.look()
        if self._life.is_over:
            return self._end()
        if self._pause_mode is not None:
            return AgentStatus.PAUSED
        is_thinking = self._is_json and thought.is_thought(last_line(self._life.path / "out"))
        return AgentStatus.THINKING if is_thinking else AgentStatus.RUNNING

    def _end(self) -> AgentStatus:
        """`terminated` where it ended because somebody asked, never because somebody asked alone."""
        record = self._life.record
        if record is None:
            return AgentStatus.TERMINATED if self._is_asked_to_end else AgentStatus.FAILED
        if record.stopped or record.limit == "deadline" or (self._is_asked_to_end and self._is_ended_by_signal()):
            return AgentStatus.TERMINATED
        return AgentStatus.COMPLETED if record.exit_code == 0 and record.limit is None else AgentStatus.FAILED

    def _is_ended_by_signal(self) -> bool:
        record = self._life.record
        assert record is not None
        return record.signal in _ENDED_BY or record.exit_code in {0, *(128 + number for number in _ENDED_BY)}

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs, and where a signal ended it."""
        return None if self._life.record is None else self._life.record.exit_code

    @property
    def exit_status(self) -> ExitStatus | None:
        """How it ended; None while it runs."""
        if not self._life.is_over:
            return None
        if (record := self._life.record) is None:
            return ExitStatus(code=None, success=False, signal=signals.SIGKILL)
        return ExitStatus(
            code=record.exit_code,
            success=record.exit_code == 0,
            signal=record.signal,
            step=record.step,
            leftover=record.leftover,
        )

    @property
    def missed(self) -> dict[str, int]:
        """Bytes of `stdout` and `stderr` that were given up for want of room before `read_…` came to them."""
        return {"stdout": self._readers["out"].missed, "stderr": self._readers["err"].missed}

    def info(self) -> AgentInfo:
        """Everything known of it, at this moment."""
        status = self.status
        is_paused = status is AgentStatus.PAUSED
        return AgentInfo(
            id=self._about.id,
            name=self._about.name,
            status=status,
            model_backend=self._about.model_backend,
            started_at=self._about.started_at,
            task=self._about.task,
            paused_at=self._paused_at if is_paused else None,
            pause_mode=self._pause_mode if is_paused else None,
            ended_at=self.ended_at,
            checked_at=self.checked_at,
            pid=self.pid,
            exit_code=self.exit_code,
            reason=self._reason(),
        )

    def _reason(self) -> str | None:
        record = self._life.record
        if record is None:
            return "shim_lost" if self._life.is_lost else None
        return "owner_gone" if record.limit == "deadline" else record.limit

    async def wait(self, timeout: float | None = None) -> ExitStatus:
        """How it ended, once nothing of it is left. Raises Timeout; it goes on then."""
        try:
            async with asyncio.timeout(timeout):
                await self._life.wait()
        except TimeoutError:
            raise Timeout(f"The agent has not ended within {timeout:g} s.") from None
        status = self.exit_status
        assert status is not None
        return status

    async def read_stdout(self) -> bytes | None:
        """The next line of stdout, with its newline; None where there is none now. Never waits."""
        return self._readers["out"].next()

    async def read_stderr(self) -> bytes | None:
        """The next line of stderr, with its newline; None where there is none now. Never waits."""
        return self._readers["err"].next()

    def subscribe_stdout(self) -> Subscription:
        """Every line of stdout, from the first on, until the agent has ended."""
        return self._subscribe("out")

    def subscribe_stderr(self) -> Subscription:
        """Every line of stderr, from the first on, until the agent has ended."""
        return self._subscribe("err")

    def _subscribe(self, stream: Stream) -> Subscription:
        subscription = Subscription(self._life, stream)
        self._life.subscriptions.add(subscription)
        return subscription

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Every line of stdout as a JSON object; a line that is none is `{"type": "raw", "text": …}`.

        Raises UnsupportedOperation where the runner's `enable_json_streaming` is off.
        """
        if not self._is_json:
            raise UnsupportedOperation("`enable_json_streaming` is off for this runner.")
        async with self.subscribe_stdout() as lines:
            async for line in lines:
                yield thought.message_of(line)

    async def write_stdin(self, data: bytes, timeout: float | None = 30.0) -> None:
        """Write to the agent's stdin; returns once its pipe, or the 4 MiB that may wait for it, has taken all.

        Raises CommunicationError where it reads no more, Timeout where it does not read for so long, and
        UnsupportedOperation where its backend takes no input.
        """
        async with self._writing:
            for start in range(0, len(data), _PIECE):
                await self._write({"raw": data[start : start + _PIECE].decode("latin-1")}, timeout)

    async def close_stdin(self) -> None:
        """Let the agent read the end of its stdin, behind all that was written."""
        async with self._writing:
            await self._write({"raw": "", "end": True}, None)

    def get_stdin_sender(self) -> Callable[[bytes], Awaitable[None]]:
        """`write_stdin`, to hand to somebody who is to do nothing else."""
        return self.write_stdin

    async def _write(self, piece: dict[str, Any], timeout: float | None) -> None:
        if self._life.directory.spec().stdin != "pipe":
            raise UnsupportedOperation(f"The backend {self._about.model_backend!r} reads its task, and nothing else.")
        pause_s = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self._life.is_over:
                        raise CommunicationError("The agent has ended.")
                    refused = (await self._life.ask({"cmd": "input", **piece})).get("refused")
                    if refused is None:
                        return
                    if refused != "full":
                        raise CommunicationError("The agent has closed its stdin.")
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError as error:
            raise Timeout(f"The agent has not read what it was sent within {timeout} s.") from error

    async def signal(self, signal: AgentSignal) -> None:
        """Send a signal; its effect shows in `status` once it is a fact. Raises ExecutionError where it has ended."""
        if signal is AgentSignal.KILL:
            await self.kill()
        elif signal is AgentSignal.FORCE_PAUSE:
            await self.pause(force=True)
        elif signal is AgentSignal.RESUME:
            await self.resume()
        else:
            self._life.signal(_NUMBERS[signal])
            self._is_asked_to_end |= signal is AgentSignal.TERMINATE

    async def kill(self) -> None:
        """End it and all it has started, at once; returns when nothing is left. Harmless where it has ended."""
        await self.shutdown(0)

    async def shutdown(self, timeout_secs: float) -> None:
        """SIGTERM to it and all it has started, then SIGKILL after `timeout_secs`; returns when nothing is left."""
        self._is_asked_to_end = True
        await self._life.stop(timeout_secs)

    async def pause(self, force: bool = False) -> None:
        """Have it pause: told on its stdin, or with `force` frozen by the kernel, with all it has started.

        Raises ExecutionError where it is paused already or has ended, UnsupportedOperation where it cannot be told.
        """
        async with self._steering:
            if (status := self.status) not in {AgentStatus.RUNNING, AgentStatus.THINKING}:
                is_ended = f"cannot pause in terminal state: {status}"
                raise ExecutionError(f"Agent {is_ended if status.is_terminal else 'is already paused'}.")
            if force:
                await self._freeze(True)
            else:
                await self.write_stdin(_PAUSE)
            self._pause_mode = PauseMode.FORCED if force else PauseMode.COOPERATIVE
            self._paused_at = datetime.now(UTC)

    async def resume(self) -> None:
        """Have it go on, the way it was paused. Raises ExecutionError where it is not paused."""
        async with self._steering:
            if (status := self.status) is not AgentStatus.PAUSED:
                raise ExecutionError(f"Agent is not paused, current status: {status}.")
            if self._pause_mode is PauseMode.FORCED:
                await self._freeze(False)
            else:
                await self.write_stdin(_RESUME)
            self._pause_mode = self._paused_at = None

    async def _freeze(self, on: bool) -> None:
        await self._life.freeze(on)

    def take_over(self) -> None:
        """Go on with an agent that an earlier runner has started; whether it is paused is in its journal."""
        if (since := self._life.take_over()) is not None:
            self._pause_mode, self._paused_at = PauseMode.FORCED, datetime.fromtimestamp(since / 1000, UTC)


AgentHandle = LocalAgentHandle
