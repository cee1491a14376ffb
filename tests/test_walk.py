"""The walk of one run, as ARCHITECTURE.md tells it: executed in process and compared, so that the page stays true."""

import os
import re
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from agentrunner.api.server import build
from agentrunner.app.backends import backends
from agentrunner.app.tokens import TOKEN_FILE, WORKER_TOKEN_FILE
from agentrunner.app.wiring import open_services
from agentrunner.app.work import options
from agentrunner.config import load
from agentrunner.worker import identity
from agentrunner.worker.control import Control
from agentrunner.worker.loop import Worker
from worker.wire import InProcess

PAGE = Path(__file__).parent.parent / "ARCHITECTURE.md"


def told() -> list[str]:
    """The functions of the page's table, in its order."""
    return re.findall(r"^\| \d+ \| `([\w.]+)` \|", PAGE.read_text(), flags=re.MULTILINE)


class Walk:
    """Notes the first call of each wanted function, in any thread."""

    def __init__(self, wanted: list[str]) -> None:
        self._wanted = set(wanted)
        self.seen: dict[str, None] = {}
        self.on = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """A profile function of `sys.setprofile`."""
        if event == "call" and self.on:
            module = frame.f_globals.get("__name__", "")
            name = f"{module.removeprefix('agentrunner.')}.{frame.f_code.co_qualname}"
            if name in self._wanted:
                self.seen.setdefault(name)


async def test_the_page_tells_the_walk(tmp_path: Path) -> None:
    """A run takes the steps of the page in the order of the page."""
    steps = told()
    assert 10 <= len(steps) <= 20
    walk = Walk(steps)
    threading.setprofile(walk)
    sys.setprofile(walk)
    try:
        events = await one_run(tmp_path, walk)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        end_zygote(tmp_path)
    assert list(walk.seen) == steps
    assert events[0] == "run.created"
    assert events[-2:] == ["run.completed", "end"]


async def one_run(data_dir: Path, walk: Walk) -> list[str]:
    """Server and worker over the ASGI transport; answers the types of the streamed events."""
    settings = load({}, {"data_dir": str(data_dir)})
    async with open_services(settings) as services:
        app = build(services)
        me = identity.take(data_dir)
        worker = Worker(
            Control(InProcess(app.on_socket, (data_dir / WORKER_TOKEN_FILE).read_text().strip())),
            me,
            backends(),
            options(settings),
        )
        await worker.start()
        try:
            async with _client(app, data_dir / TOKEN_FILE) as client:
                walk.on = True
                request = {"backend": "command", "goal": "hi", "options": {"argv": ["sh", "-c", "echo hi; sleep 0.2"]}}
                run = (await client.post("/v1/runs", json=request)).json()
                stream = (await client.get(f"/v1/runs/{run['id']}/stream")).text
        finally:
            await worker.stop()
            me.release()
            app.stop()
    return re.findall(r"^event: (.*)$", stream, flags=re.MULTILINE)


def _client(app: Any, token_file: Path) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token_file.read_text().strip()}"}
    transport = httpx.ASGITransport(app=app.on_socket)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers, timeout=30)


def end_zygote(state_dir: Path) -> None:
    """End the zygote that the worker has started."""
    try:
        os.kill(int((state_dir / "zygote.lock").read_text().split()[0]), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return
