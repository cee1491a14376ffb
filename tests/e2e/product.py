"""The product as people have it: a data directory, `up` or its parts as real processes, and HTTP on the Unix socket."""

import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from e2e.processes import Process, look, of_directory
from waiting import until

BIN = Path(sys.executable).parent
TERMINAL = {"COMPLETED", "FAILED", "STOPPED"}


class Door(httpx.HTTPTransport):
    """The Unix socket of a server that may not be there: httpcore leaves its own socket open where nobody listens."""

    def __init__(self, path: Path) -> None:
        super().__init__(uds=str(path))
        self._path = str(path)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request if anybody listens."""
        with socket.socket(socket.AF_UNIX) as trial:
            try:
                trial.connect(self._path)
            except OSError as error:
                raise httpx.ConnectError(str(error), request=request) from error
        return super().handle_request(request)


class Product:
    """One data directory and what serves it. Settings are given by name (`lease_s=4`) and go by environment."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.data_dir = data_dir
        given = {f"AGENTRUNNER_{name.upper()}": str(value) for name, value in settings.items()}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AGENTRUNNER_")},
            "AGENTRUNNER_DATA_DIR": str(data_dir),
            "AGENTRUNNER_PORT": "0",
            **given,
        }
        self._read_end, self._write_end = os.pipe()
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._client: httpx.Client | None = None
        self.log_path = data_dir / "test.log"
        self.python = sys.executable
        """What runs server and worker: the interpreter of an environment that has the package."""

    def start(self, part: str, **settings: object) -> Process:
        """Start `server` or `worker`, perhaps with other settings; it ends itself when this process does.

        A worker needs the token of a server.
        """
        if part == "worker":
            until(lambda: (self.data_dir / "worker-token").exists(), 20)
        given = {f"AGENTRUNNER_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {**self.environment, **given, "AGENTRUNNER_PARENT_FD": str(self._read_end)}
        return self._start([self.python, "-m", "agentrunner.app", part], environment, (self._read_end,))

    def up(self, *flags: str) -> Process:
        """Start `agentrunner up`."""
        command = [str(BIN / "agentrunner"), "up", "--data-dir", str(self.data_dir), "--port", "0", "--no-open"]
        return self._start([*command, *flags], self.environment, ())

    def _start(self, command: list[str], environment: dict[str, str], descriptors: tuple[int, ...]) -> Process:
        with self.log_path.open("ab") as log:
            started = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=descriptors,
                start_new_session=True,
            )
        self._started[started.pid] = started
        process = look(started.pid)
        assert process is not None, self.log()
        return process

    def wait_ended(self, process: Process, timeout: float | None = None) -> int:
        """Wait for a process that was started here; answers its exit code, negative for a signal."""
        return self._started[process.pid].wait(timeout)

    def log(self) -> str:
        """What the processes have printed, its end."""
        return self.log_path.read_bytes()[-20_000:].decode("utf-8", "replace") if self.log_path.exists() else ""

    def command(self, *words: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run an `agentrunner` command against this data directory to its end."""
        return subprocess.run(
            [str(BIN / "agentrunner"), *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def part(self, kind: str) -> Process | None:
        """The running server, worker or zygote of this data directory; None where there is none."""
        return next(iter(of_directory(self.data_dir, kind)), None)

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until the server answers and a worker is online."""
        try:
            until(self._is_ready, timeout, 0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error

    def _is_ready(self) -> bool:
        answer = self.try_ask("GET", "/v1/workers")
        return answer is not None and any(worker["online"] for worker in answer.json()["items"])

    @property
    def client(self) -> httpx.Client:
        """A client with the admin token of this data directory."""
        if self._client is None:
            token = until(lambda: self._token(), 20).strip()
            door, headers = Door(self.data_dir / "agentrunner.sock"), {"authorization": f"Bearer {token}"}
            self._client = httpx.Client(base_url="http://agentrunner", transport=door, headers=headers, timeout=15)
        return self._client

    def _token(self) -> str:
        try:
            return (self.data_dir / "token").read_text()
        except OSError:
            return ""

    def try_ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """One request; None where nobody answers or the server cannot right now."""
        try:
            answer = self.client.request(method, path, **more)
        except httpx.TransportError:
            return None
        return None if answer.status_code == 503 else answer

    def ask(self, method: str, path: str, timeout: float = 30.0, **more: Any) -> httpx.Response:
        """A request that may be repeated, repeated until somebody answers."""
        answer = until(lambda: self.try_ask(method, path, **more), timeout, 0.05)
        assert answer is not None
        return answer

    def get(self, path: str, **params: Any) -> Any:
        """The body of a GET that has to succeed."""
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, backend: str, **fields: Any) -> int:
        """Create a run, once however often the request has to be sent; answers its id."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = self.ask("POST", "/v1/runs", json={"backend": backend, "goal": "", **fields}, headers=headers)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def wish(self, run_id: int, what: str) -> httpx.Response:
        """Wish a run to pause, resume or stop; the same wish may be repeated."""
        return self.ask("POST", f"/v1/runs/{run_id}/{what}")

    def run(self, run_id: int) -> dict[str, Any]:
        """A run."""
        return dict(self.get(f"/v1/runs/{run_id}"))

    def explain(self, run_id: int) -> dict[str, Any]:
        """Why it is where it is."""
        return dict(self.get(f"/v1/runs/{run_id}/explain"))

    def events(self, run_id: int, after: int = 0) -> list[dict[str, Any]]:
        """Every event of a run behind `after`; their numbers have no gap."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/v1/runs/{run_id}/events", after=after, limit=1000)["items"]:
            found += page
            assert [event["seq"] for event in page] == list(range(after + 1, after + 1 + len(page)))
            after = page[-1]["seq"]
        return found

    def lines(self, run_id: int, stream: str = "stdout") -> list[str]:
        """Every line of one stream of a run."""
        logs = [event["payload"] for event in self.events(run_id) if event["type"] == "log"]
        return [line for payload in logs if payload["stream"] == stream for line in payload["lines"]]

    def types(self, run_id: int) -> list[str]:
        """The types of a run's events in order."""
        return [event["type"] for event in self.events(run_id)]

    def wait(self, run_id: int, *statuses: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait for one of some statuses (any terminal one where none is said); answers the run."""
        wanted = set(statuses) or TERMINAL

        def settled() -> dict[str, Any] | None:
            run = self.run(run_id)
            over = run["status"] in TERMINAL and run["status"] not in wanted
            assert not over, f"run {run_id} is not {wanted}: {run}\n{self.log()}"
            return run if run["status"] in wanted else None

        found = until(settled, timeout, 0.05)
        assert found is not None
        return found

    def close(self) -> None:
        """End everything of this data directory by pid and start time."""
        if self._client is not None:
            self._client.close()
        os.close(self._write_end)
        os.close(self._read_end)
        self.end()

    def end(self) -> None:
        """End every process, so that what it has open is free."""
        for started in list(self._started.values()):
            started.kill()
            started.wait(10)
        until(lambda: not [process for process in of_directory(self.data_dir) if process.kill()], 20, 0.02)


@contextmanager
def product(**settings: object) -> Iterator[Product]:
    """A product in a fresh directory with a short name (Unix sockets take 107 bytes); everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ar-", ignore_cleanup_errors=True) as directory:
        made = Product(Path(directory), **settings)
        try:
            yield made
        finally:
            made.close()
