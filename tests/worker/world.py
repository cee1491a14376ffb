"""Server and worker in one process, over the ASGI transport, with real shims and agents."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from agentrunner.api.server import Application, build
from agentrunner.app.backends import backends
from agentrunner.app.tokens import TOKEN_FILE, WORKER_TOKEN_FILE
from agentrunner.app.wiring import open_services
from agentrunner.app.work import options
from agentrunner.config import load
from agentrunner.engine.services import Services
from agentrunner.process.adopt import RunDirectory
from agentrunner.process.holder import start_time
from agentrunner.worker import identity
from agentrunner.worker.connection import Connection
from agentrunner.worker.control import Control
from agentrunner.worker.host import WorkerOptions
from agentrunner.worker.loop import Worker
from waiting import eventually
from worker.wire import InProcess

TERMINAL = ("COMPLETED", "FAILED", "STOPPED")


class World:
    """A data directory with a server; workers come and go."""

    def __init__(self, services: Services, app: Application, given: WorkerOptions) -> None:
        self.services = services
        self.data_dir = given.state_dir
        self.options = given
        self._app = app
        self.client = self._client(TOKEN_FILE)
        self.worker: Worker | None = None
        self._me: identity.Identity | None = None

    def _token(self, token_file: str) -> str:
        return (self.data_dir / token_file).read_text().strip()

    def _client(self, token_file: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self._token(token_file)}"}
        transport = httpx.ASGITransport(app=self._app.on_socket)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers, timeout=30)

    async def start_worker(self, kind: Callable[[Connection], Control] = Control, **changes: Any) -> Worker:
        """A worker of this data directory, with its own kind of control; `changes` are of its options or identity."""
        self._me = identity.take(self.data_dir)
        me = replace(self._me, **{name: changes.pop(name) for name in ("boot_id", "worker_id") if name in changes})
        self.control = kind(InProcess(self._app.on_socket, self._token(WORKER_TOKEN_FILE)))
        self.worker = Worker(self.control, me, backends(), replace(self.options, **changes))
        await self.worker.start()
        return self.worker

    async def stop_worker(self) -> None:
        """End the worker; agents go on."""
        if self.worker is not None and self._me is not None:
            await self.worker.stop()
            await self.control.close()
            self._me.release()
            self.worker = self._me = None

    async def create(self, script: str, **fields: Any) -> int:
        """A run of `sh -c script`."""
        options = {"argv": ["sh", "-c", script], **fields.pop("options", {})}
        request = {"backend": "command", "goal": "", "options": options, **fields}
        return int((await self.ask("POST", "/v1/runs", json=request))["id"])

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """A request that has to succeed."""
        answer = await self.client.request(method, path, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def run(self, run_id: int) -> dict[str, Any]:
        """A run as it is."""
        return dict(await self.ask("GET", f"/v1/runs/{run_id}"))

    async def wait(self, run_id: int, *statuses: str, timeout: float = 15.0, **fields: Any) -> dict[str, Any]:
        """Wait until a run has one of some statuses (a terminal one unless said) and these fields."""

        async def found() -> dict[str, Any] | None:
            run = await self.run(run_id)
            right = run["status"] in (statuses or TERMINAL) and all(run[key] == fields[key] for key in fields)
            return run if right else None

        try:
            run = await eventually(found, timeout)
        except TimeoutError:
            raise AssertionError(f"{await self.run(run_id)}\n{await self.types(run_id)}") from None
        assert run is not None
        return run

    async def events(self, run_id: int) -> list[dict[str, Any]]:
        """The events of a run."""
        return list((await self.ask("GET", f"/v1/runs/{run_id}/events?limit=1000"))["items"])

    async def types(self, run_id: int) -> list[str]:
        """Their types, without the logs."""
        return [event["type"] for event in await self.events(run_id) if event["type"] != "log"]

    async def lines(self, run_id: int, late: bool = False) -> list[str]:
        """What its agent wrote to standard output; late: what came when the attempt was over."""
        logs = [e for e in await self.events(run_id) if e["type"] == "log" and bool(e.get("late")) == late]
        return [line for event in logs if event["payload"]["stream"] == "stdout" for line in event["payload"]["lines"]]

    async def wait_line(self, run_id: int, wanted: str, timeout: float = 15.0) -> None:
        """Wait until the agent has written a line."""

        async def there() -> bool:
            return wanted in await self.lines(run_id)

        await eventually(there, timeout)

    async def wait_online(self) -> None:
        """Wait until the server knows a worker."""

        async def online() -> bool:
            return any(worker["online"] for worker in (await self.ask("GET", "/v1/workers"))["items"])

        await eventually(online)

    @property
    def me(self) -> identity.Identity:
        """Who the worker is."""
        assert self._me is not None
        return self._me

    def directories(self) -> list[RunDirectory]:
        """Every run directory."""
        found = (self.data_dir / "runs").glob("*/*/spec.json")
        return [RunDirectory(path.parent) for path in sorted(found)]

    def directory(self, run_id: int) -> RunDirectory:
        """The one of a run's last attempt."""
        return [d for d in self.directories() if json.loads((d.path / "spec.json").read_bytes())["run"] == run_id][-1]

    def shim_pid(self, run_id: int) -> int:
        """The shim of a run; it has to be there."""
        proc = self.directory(run_id).proc()
        assert proc is not None
        assert start_time(proc.shim_pid) == proc.shim_start
        return proc.shim_pid

    def zygote_pid(self) -> int:
        """The zygote that was started last; 0 where none was."""
        try:
            return int((self.data_dir / "zygote.lock").read_text().split()[0])
        except (OSError, IndexError):
            return 0

    async def close(self) -> None:
        """End the worker, every agent, and the zygote."""
        await self.stop_worker()
        await self.client.aclose()
        self._app.stop()
        for directory in self.directories():
            if (proc := directory.proc()) is not None:
                if start_time(proc.shim_pid) == proc.shim_start:
                    kill(proc.shim_pid)
                await asyncio.to_thread(directory.kill_leftovers)
        if (pid := self.zygote_pid()) > 0:
            kill(pid)


def kill(pid: int) -> None:
    """End a process of this test."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    """A server in a fresh directory."""
    with tempfile.TemporaryDirectory(prefix="ar-", ignore_cleanup_errors=True) as directory:
        given = load({}, {"data_dir": directory, "grace_s": 1.0, **settings})
        async with open_services(given) as services:
            app = build(services)
            made = World(services, app, options(given))
            try:
                yield made
            finally:
                await made.close()
