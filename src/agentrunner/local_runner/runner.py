"""The runner: starts agents, knows them, ends them. No server, no database, no thread of its own."""

import asyncio
import os
import select
import shutil
import time
import uuid
import weakref
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from agentrunner.agents.base import Command
from agentrunner.local_runner import backends
from agentrunner.local_runner.agent import AgentConfig, AgentInfo, AgentSignal
from agentrunner.local_runner.backends import CommandBuilder
from agentrunner.local_runner.config import ProcessRunnerConfig
from agentrunner.local_runner.errors import IoError, NotFound, SpawnFailed
from agentrunner.local_runner.handle import About, LocalAgentHandle
from agentrunner.local_runner.home import Home
from agentrunner.local_runner.life import EPOCH, Life
from agentrunner.local_runner.output import Pulse
from agentrunner.process import procfs
from agentrunner.process.adopt import RunDirectory, Settled, Spec, UnknownLayout, is_live
from agentrunner.worker.hints import Hints
from agentrunner.workspace import environment

log = structlog.get_logger("agentrunner.local_runner")

_ABOUT = "agent.json"
_GONE_S = 10.0
_FRESH_S = 60.0
"""An agent's directory that is younger may still be on its way to be started."""


class LocalProcessRunner:
    """Runs agents as supervised processes of this host; `async with` ends them with the block.

    Belongs to the event loop of its first call. Without `async with` or `close` its agents end with this program,
    however that ends. `builders` adds backends by name, or replaces them.
    """

    def __init__(
        self, config: ProcessRunnerConfig | None = None, builders: Mapping[str, CommandBuilder] | None = None
    ) -> None:
        self.config = config or ProcessRunnerConfig()
        self._builders = {**backends.BUILTIN, **(builders or {})}
        self._agents: dict[str, LocalAgentHandle] = {}
        self._finished: deque[str] = deque()
        self._starting = self._count = 0
        self._home: Home | None = None
        self._hints: Hints | None = None
        self._checks: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._settled = Pulse()
        self._spawning = asyncio.Lock()
        self._is_closed = False

    @classmethod
    def with_config(cls, config: ProcessRunnerConfig) -> Self:
        """A runner of this configuration."""
        return cls(config)

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self) -> Home:
        """Have the directory, and take over what is in it. Raises IoError."""
        if self._is_closed:
            raise SpawnFailed("This runner is closed.")
        if self._home is None:
            state_dir = self.config.state_dir
            self._home = Home(None if state_dir is None else Path(state_dir))
            self._hints = Hints()
            self._adopt(self._home)
            if self.config.enable_health_checks:
                self._checks = asyncio.create_task(self._check_again(), name="health checks of local agents")
        return self._home

    async def close(self) -> None:
        """End every agent as `GracefulShutdown` does (with `detach` none), then let go of everything. Any number of
        times."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._checks is not None:
            self._checks.cancel()
        try:
            await self._end_all()
        finally:
            # Also where waiting for it was cancelled: a second call does nothing, and the directory is for the next.
            self._let_go()

    async def _end_all(self) -> None:
        while self._starting:
            await self._settled.wait()
        if self._leaving:
            await asyncio.wait(self._leaving)
        live = [] if self.config.detach else self._live()
        done = await asyncio.gather(
            *(handle.shutdown(self.config.shutdown_timeout_secs) for handle in live), return_exceptions=True
        )
        for failure in [found for found in done if isinstance(found, BaseException)]:
            log.error("an agent could not be ended", error=str(failure))

    def _let_go(self) -> None:
        is_empty = not self._live()
        for handle in self._live():
            handle.life.release()
        if self._hints is not None:
            self._hints.close()
        if self._home is not None:
            self._home.close(is_empty)

    async def spawn(self, config: AgentConfig) -> LocalAgentHandle:
        """Start an agent; returns once its program executes.

        Raises SpawnFailed where it does not, or `max_concurrent_agents` live, InvalidContext, UnsupportedOperation.
        """
        home = self._open()
        most = self.config.max_concurrent_agents
        if most is not None and len(self._live()) + self._starting >= most:
            raise SpawnFailed(f"Maximum concurrent agents limit reached: {most}.")
        # Counted before anything is awaited: of two that come together, one is refused.
        self._starting += 1
        try:
            return await self._start(home, config)
        finally:
            self._starting -= 1
            self._settled.beat()

    async def _start(self, home: Home, config: AgentConfig) -> LocalAgentHandle:
        source = self.config.environment
        usual = environment.build(source, self.config.pass_env, {}, {})
        command = backends.command_of(config, usual, self._builders)
        agent = uuid.uuid4()
        about = About(
            id=str(agent), name=config.name, model_backend=config.model_backend, task=config.task,
            started_at=datetime.now(UTC),
        )  # fmt: skip
        try:
            directory = RunDirectory.create(home.runs, self._spec(home, agent.hex, config, command, usual))
            _write(directory.path / _ABOUT, msgspec.json.encode(about))
        except OSError as error:
            raise IoError(f"The agent's directory cannot be made: {error}") from error
        handle = self._handle(about, directory)
        handle.life.watch()
        # A task of its own: a thread cannot be cancelled, and the next must not speak to the zygote before it has done.
        asked = asyncio.create_task(self._ask_zygote(home, directory))
        try:
            await asyncio.shield(asked)
            await handle.life.begin()
            if self._is_closed:
                raise SpawnFailed("This runner was closed.")
        except BaseException:
            # Whoever gave up waiting gets no agent: it ends, or never begins.
            await asyncio.shield(self._leave(handle.life, asked))
            raise
        self._agents[handle.id] = handle
        if handle.life.is_over:
            self._note_end(handle.id)
        return handle

    async def _ask_zygote(self, home: Home, directory: RunDirectory) -> int:
        async with self._spawning:
            try:
                return await asyncio.to_thread(home.zygote.spawn, directory.path)
            except OSError as error:
                raise SpawnFailed(f"No process can be had for the agent: {error}") from error

    def _leave(self, life: Life, asked: asyncio.Task[int]) -> asyncio.Task[None]:
        task = asyncio.create_task(_destroy(life, asked))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    def _spec(self, home: Home, uid: str, config: AgentConfig, command: Command, usual: Mapping[str, str]) -> Spec:
        self._count += 1
        limits = config.limits
        percent = limits.max_cpu_percent
        me = os.getpid()
        return Spec(
            instance=home.instance,
            uid=uid,
            backend=config.model_backend,
            run=self._count,
            attempt=1,
            epoch=EPOCH,
            argv=list(command.argv),
            env={**usual, **command.env},
            cwd=os.path.abspath(self.config.working_dir or "."),
            stdio=command.stdio,
            stdin=command.stdin,
            prompt=command.prompt,
            wall_s=limits.max_runtime_secs,
            memory_mb=limits.max_memory_mb,
            cpu=None if percent is None else percent / 100,
            spool_cap_bytes=self.config.spool_cap_bytes,
            grace_s=self.config.shutdown_timeout_secs,
            tree=self.config.tree or self.config.environment.get("AGENTRUNNER_TREE"),
            owner=None if self.config.detach else [me, procfs.start_time(me)],
        )

    def _handle(self, about: About, directory: RunDirectory) -> LocalAgentHandle:
        assert self._hints is not None
        life = Life(directory, self._hints, self.config.spool_cap_bytes, partial(self._note_end, about.id))
        # The files go when neither this runner nor anybody else can read them any more; never under a live agent.
        life.removal = weakref.finalize(life, _remove_ended, directory.path)
        life.removal.atexit = False
        return LocalAgentHandle(about, life, self.config.enable_json_streaming)

    def _note_end(self, agent_id: str) -> None:
        """One has ended: the oldest of those that have are forgotten, beyond the bound."""
        handle = self._agents.get(agent_id)
        if handle is None or handle.ended_at is not None:
            return
        handle.ended_at = datetime.now(UTC)
        self._finished.append(agent_id)
        while len(self._finished) > max(0, self.config.keep_finished):
            self._agents.pop(self._finished.popleft(), None)

    def _live(self) -> list[LocalAgentHandle]:
        return [handle for handle in self._agents.values() if not handle.life.is_over]

    def _adopt(self, home: Home) -> None:
        """Take over what an earlier runner of this directory has left: live agents, and ended ones."""
        found: list[tuple[About, RunDirectory]] = []
        for path in home.runs.glob("*"):
            directory = RunDirectory(path)
            try:
                about = msgspec.json.decode((path / _ABOUT).read_bytes(), type=About)
                is_started = directory.settle() is Settled.STARTED
            except (OSError, msgspec.MsgspecError, UnknownLayout) as error:
                log.warning("a directory cannot be taken over", path=str(path), error=str(error))
                continue
            if is_started:
                found.append((about, directory))
            elif time.time() - (path / _ABOUT).stat().st_mtime > _FRESH_S:
                _remove(path)
        for about, directory in sorted(found, key=lambda pair: pair[0].started_at):
            handle = self._agents[about.id] = self._handle(about, directory)
            handle.take_over()

    async def _check_again(self) -> None:
        while True:
            await asyncio.sleep(self.config.health_check_interval_secs)
            await self.check_health()

    async def check_health(self) -> list[AgentInfo]:
        """Look at every live agent now, whatever the kernel has said or not; answers what is known of them."""
        checked = self._live()
        for handle in checked:
            handle.life.look(deeply=True)
            if not handle.life.is_over:
                handle.checked_at = datetime.now(UTC)
            await asyncio.sleep(0)
        return [handle.info() for handle in checked]

    async def list_agents(self) -> list[AgentInfo]:
        """Every agent that is known, the oldest first: the live ones, and the newest of those that have ended."""
        if not self._is_closed:
            self._open()
        return [handle.info() for handle in list(self._agents.values())]

    async def get_agent(self, agent_id: str) -> AgentInfo | None:
        """What is known of an agent; None where it is not known."""
        handle = await self.get_agent_handle(agent_id)
        return None if handle is None else handle.info()

    async def get_agent_handle(self, agent_id: str) -> LocalAgentHandle | None:
        """The handle of an agent; None where it is not known."""
        if not self._is_closed:
            self._open()
        return self._agents.get(str(agent_id))

    async def _known(self, agent_id: str) -> LocalAgentHandle:
        handle = await self.get_agent_handle(agent_id)
        if handle is None:
            raise NotFound(f"Agent not found: {agent_id}.")
        return handle

    async def get_agent_pid(self, agent_id: str) -> int | None:
        """The process id of an agent's program; None where it has ended. Raises NotFound."""
        return (await self._known(agent_id)).pid

    async def kill(self, agent_id: str) -> None:
        """End an agent and all it has started, at once, and forget it. Raises NotFound."""
        handle = await self._known(agent_id)
        await handle.kill()
        self._agents.pop(handle.id, None)
        if handle.id in self._finished:
            self._finished.remove(handle.id)

    async def signal(self, agent_id: str, signal: AgentSignal) -> None:
        """`LocalAgentHandle.signal`. Raises NotFound too."""
        await (await self._known(agent_id)).signal(signal)

    async def pause(self, agent_id: str, force: bool = False) -> None:
        """`LocalAgentHandle.pause`. Raises NotFound too."""
        await (await self._known(agent_id)).pause(force)

    async def resume(self, agent_id: str) -> None:
        """`LocalAgentHandle.resume`. Raises NotFound too."""
        await (await self._known(agent_id)).resume()

    async def write_stdin(self, agent_id: str, data: bytes) -> None:
        """`LocalAgentHandle.write_stdin`. Raises NotFound too."""
        await (await self._known(agent_id)).write_stdin(data)

    async def read_stdout(self, agent_id: str) -> bytes | None:
        """`LocalAgentHandle.read_stdout`. Raises NotFound too."""
        return await (await self._known(agent_id)).read_stdout()

    async def read_stderr(self, agent_id: str) -> bytes | None:
        """`LocalAgentHandle.read_stderr`. Raises NotFound too."""
        return await (await self._known(agent_id)).read_stderr()


async def _destroy(life: Life, asked: asyncio.Task[int]) -> None:
    """Close the gate, or end what has passed it; then see the shim off.

    A shim on its way would find no closed gate in a directory that is being removed, and start.
    """
    await life.destroy()
    await asyncio.wait({asked})
    if asked.exception() is not None or not await asyncio.to_thread(_has_gone, asked.result()):
        life.keep_files()


def _has_gone(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        readable, _, _ = select.select([descriptor], [], [], _GONE_S)
    finally:
        os.close(descriptor)
    return bool(readable)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _remove_ended(path: Path) -> None:
    if not is_live(path):
        _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
