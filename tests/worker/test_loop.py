"""The worker against a real server in the same process, with real agents."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from agentrunner.domain.control import (
    ClaimAnswer,
    ClaimRequest,
    RecordAnswer,
    RecordRequest,
    RegisterAnswer,
    RegisterRequest,
)
from agentrunner.domain.errors import StaleEpoch, WorkerNotFound
from agentrunner.engine import schedule
from agentrunner.worker.connection import Connection
from agentrunner.worker.control import Control
from waiting import eventually
from worker.world import World, world


class Faulty(Control):
    """Fails some calls of `record` after the server has taken them: the worker cannot know."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.faults = 2
        self.requests: list[RecordRequest] = []

    async def record(self, request: RecordRequest) -> RecordAnswer:
        """Record, and perhaps fail."""
        self.requests.append(request)
        answer = await super().record(request)
        if request.parts and self.faults > 0:
            self.faults -= 1
            raise RuntimeError("planted")
        return answer


class Slow(Control):
    """Answers the end of an attempt only once the next claim was answered."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.claimed = asyncio.Event()
        self.claims = 0

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim, and count what was got."""
        answer = await super().claim(request)
        self.claims += bool(answer.runs)
        if self.claims > 1:
            self.claimed.set()
        return answer

    async def record(self, request: RecordRequest) -> RecordAnswer:
        """The worker learns of the first end last."""
        answer = await super().record(request)
        if request.outcome is not None and request.attempt == 1:
            await asyncio.wait_for(self.claimed.wait(), 10)
        return answer


async def test_two_runs_at_once(here: World) -> None:
    """Each run has its own output and its own end."""
    await here.start_worker()
    first, second = await here.create("echo one"), await here.create("echo two; exit 3")
    assert (await here.wait(first))["status"] == "COMPLETED"
    assert (await here.wait(second))["reason"] == "exit_nonzero"
    assert await here.lines(first) == ["one"]
    assert await here.lines(second) == ["two"]


async def test_slots_are_a_bound(here: World) -> None:
    """With one slot the second run waits for the first; with none nothing is claimed."""
    await here.start_worker(slots=1)
    first = await here.create("echo on; exec sleep 60")
    await here.wait_line(first, "on")
    second = await here.create("echo two")
    assert here.worker is not None
    assert [execution.assignment.run_id for execution in here.worker.executions] == [first]
    assert (await here.run(second))["status"] == "QUEUED"
    await here.ask("POST", f"/v1/runs/{first}/stop")
    await here.wait(second, "COMPLETED")
    await here.stop_worker()
    third = await here.create("echo three")
    await here.start_worker(slots=0)
    await here.wait_online()
    assert (await here.run(third))["status"] == "QUEUED"


async def test_stop_before_start(here: World) -> None:
    """A stop that was wished before the worker could begin: nothing is executed."""
    run_id = await here.create("touch executed")
    await here.start_worker(Unregistered)
    await here.wait(run_id, "RUNNING")
    await here.client.post(f"/v1/runs/{run_id}/stop")
    await here.stop_worker()
    await here.start_worker()
    run = await here.wait(run_id, "STOPPED")
    assert run["reason"] == "stopped_by_user"
    assert here.directories() == []
    assert not (here.data_dir / "workspaces" / str(run_id) / "executed").exists()


class Unregistered(Control):
    """A worker that claims and is killed before it learns what."""

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """The server gives a run, its answer never comes."""
        await super().claim(request)
        return await asyncio.get_running_loop().create_future()


async def test_pause_before_start(here: World) -> None:
    """A pause that was wished before the agent is there becomes a fact as soon as it is, once."""
    run_id = await here.create("echo on; sleep 0.1; echo over")
    await here.start_worker(Unregistered)
    await here.wait(run_id, "RUNNING")
    asked = asyncio.ensure_future(here.client.post(f"/v1/runs/{run_id}/pause"))
    await here.stop_worker()
    await here.start_worker()
    assert (await asked).status_code < 300
    await here.wait(run_id, "PAUSED")
    await here.stop_worker()
    await here.start_worker()
    await here.ask("POST", f"/v1/runs/{run_id}/resume")
    await here.wait(run_id, "COMPLETED")
    assert [t for t in await here.types(run_id) if t in {"run.paused", "run.resumed"}] == ["run.paused", "run.resumed"]
    assert await here.lines(run_id) == ["on", "over"]


async def test_the_next_attempt_comes_while_the_last_one_is_closing(here: World) -> None:
    """The retry is claimed before the worker knows that the attempt before is recorded: it is not dropped."""
    await here.start_worker(Slow)
    run_id = await here.create("exit 1", retry={"attempts": 2, "backoff_s": 0, "reasons": ["exit_nonzero"]})
    run = await here.wait(run_id, "FAILED")
    assert run["attempt"] == 2
    assert len(here.directories()) == 2


async def test_a_fault_is_overcome(here: World) -> None:
    """Whatever fails after the server took it: asked again, nothing twice, nothing from the beginning."""
    await here.start_worker(Faulty)
    run_id = await here.create("i=0; until [ -e enough ]; do i=$((i+1)); echo $i; sleep 0.05; done")
    control = here.control
    assert isinstance(control, Faulty)

    async def is_over() -> bool:
        return control.faults == 0

    await eventually(is_over, timeout=20)
    (here.data_dir / "workspaces" / str(run_id) / "enough").touch()
    assert (await here.wait(run_id))["status"] == "COMPLETED"
    lines = await here.lines(run_id)
    assert lines == [str(number) for number in range(1, len(lines) + 1)]
    starts = [part.start for request in control.requests for part in request.parts if part.stream == "journal"]
    assert starts == sorted(set(starts)), "a worker that failed must ask what is stored, not send it again"


async def test_what_cannot_start_says_why(here: World) -> None:
    """A program that is not there and a directory that is not there are reasons, not faults."""
    await here.start_worker()
    missing = await here.create("", options={"argv": ["no-such-program-anywhere"]})
    nowhere = await here.create("true", options={"cwd": "/nowhere/at/all"})
    assert (await here.wait(missing))["reason"] in {"spawn_error", "backend_missing"}
    assert (await here.wait(nowhere))["reason"] == "workspace_error"


async def test_another_boot_ends_the_attempt(here: World) -> None:
    """The attempt was begun under another boot: nothing of it can live, whatever its directory says."""
    run_id = await here.create("touch executed")
    await here.start_worker(Unregistered, boot_id="another")
    await here.wait(run_id, "RUNNING")
    await here.stop_worker()
    await here.start_worker()
    assert (await here.wait(run_id, "FAILED"))["reason"] == "host_rebooted"
    assert not (here.data_dir / "workspaces" / str(run_id) / "executed").exists()


async def test_a_power_cut_loses_bytes_that_are_stored(here: World) -> None:
    """Spools are not synced: after a power cut they may be shorter than what the server has, and the run ends still."""
    run_id = await here.create("echo kept; exec sleep 60")
    await here.start_worker(boot_id="another")
    await here.wait_line(run_id, "kept")
    await here.stop_worker()
    os.kill(here.shim_pid(run_id), signal.SIGKILL)
    directory = here.directory(run_id)
    await asyncio.to_thread(directory.kill_leftovers)
    for name in ("out", "journal"):
        (directory.path / name).write_bytes(b"")
    await here.start_worker()
    assert (await here.wait(run_id, "FAILED"))["reason"] == "host_rebooted"
    assert await here.lines(run_id) == ["kept"]


@pytest.mark.parametrize("content", [b"", b'{"layout": 1}', b'{"layout": 1, "uid": "0123'])
async def test_a_power_cut_destroys_the_spec(here: World, content: bytes) -> None:
    """An empty file where the spec was must not keep the run unfinished for ever."""
    run_id = await here.create("echo kept; exec sleep 60")
    await here.start_worker(boot_id="another")
    await here.wait_line(run_id, "kept")
    await here.stop_worker()
    os.kill(here.shim_pid(run_id), signal.SIGKILL)
    directory = here.directory(run_id)
    await asyncio.to_thread(directory.kill_leftovers)
    (directory.path / "spec.json").write_bytes(content)
    try:
        await here.start_worker()
        assert (await here.wait(run_id, "FAILED"))["reason"] == "host_rebooted"
    finally:
        shutil.rmtree(directory.path)


async def test_a_removed_directory_starts_nothing_twice(here: World) -> None:
    """An attempt that was executed and whose directory is gone is over; what is left of it is ended."""
    run_id = await here.create("echo $$; exec sleep 60", retry={"attempts": 3, "backoff_s": 0})
    await here.start_worker()
    await here.wait(run_id, "RUNNING", phase="working")
    agent = int((await here.lines(run_id))[0])
    await here.stop_worker()
    shim = here.shim_pid(run_id)
    shutil.rmtree(here.directory(run_id).path)
    await here.start_worker()
    run = await here.wait(run_id, "FAILED")
    assert (run["reason"], run["attempt"]) == ("shim_lost", 1)
    await eventually(lambda: gone(agent, shim))


async def gone(*pids: int) -> bool:
    """Whether these processes live no more (a zombie does not)."""
    return not any(is_living(pid) for pid in pids)


def is_living(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_a_copy_is_not_touched(here: World) -> None:
    """A directory that was copied elsewhere names processes that are not its own: nothing is signalled or retried."""
    run_id = await here.create("echo on; exec sleep 60", on_lost="retry", retry={"attempts": 3, "backoff_s": 0})
    await here.start_worker()
    await here.wait_line(run_id, "on")
    await here.stop_worker()
    shim = here.shim_pid(run_id)
    path = here.directory(run_id).path
    moved = path.with_name("moved")
    path.rename(moved)
    shutil.copytree(moved, path, ignore=shutil.ignore_patterns("ctl"))
    try:
        await here.start_worker()
        run = await here.wait(run_id, "FAILED")
        assert (run["reason"], run["attempt"]) == ("worker_lost", 1)
        assert str(path) in (await here.events(run_id))[-1]["payload"]["message"]
        assert is_living(shim)
    finally:
        shutil.rmtree(path)


async def test_an_agent_that_empties_its_output_ends(here: World) -> None:
    """In file mode an agent can truncate its own spool; what was recorded stays, the run ends."""
    await here.start_worker()
    script = "echo first; while [ ! -e gate ]; do sleep 0.02; done; : > /dev/stdout"
    run_id = await here.create(script, options={"stdio": "file"})
    await here.wait_line(run_id, "first")
    (here.data_dir / "workspaces" / str(run_id) / "gate").touch()
    assert (await here.wait(run_id))["status"] == "COMPLETED"
    assert (here.directory(run_id).path / "out").stat().st_size == 0
    assert await here.lines(run_id) == ["first"]


async def test_inputs_reach_the_agent_once(here: World) -> None:
    """Inputs go to standard input in their order, over a change of workers too."""
    await here.start_worker()
    run_id = await here.create("while read -r line; do echo got $line; done", options={"stdin": "pipe"})
    await here.wait(run_id, "RUNNING")
    for number in range(5):
        await here.ask("POST", f"/v1/runs/{run_id}/inputs", json={"text": f"n{number}"})
    await here.wait_line(run_id, "got n4")
    await here.stop_worker()
    await here.ask("POST", f"/v1/runs/{run_id}/inputs", json={"text": "after"})
    await here.start_worker()
    await here.wait_line(run_id, "got after")
    assert here.worker is not None

    async def forgotten() -> bool:
        assert here.worker is not None
        return not any(execution.inputs for execution in here.worker.executions)

    await eventually(forgotten)
    await here.ask("POST", f"/v1/runs/{run_id}/stop")
    await here.wait(run_id)
    assert await here.lines(run_id) == [*(f"got n{number}" for number in range(5)), "got after"]


async def test_a_hung_shim_keeps_nobody_waiting(here: World) -> None:
    """A stopped shim answers nothing: its own run waits, every other one is obeyed at once."""
    await here.start_worker()
    hung, other = await here.create("echo a; exec sleep 60"), await here.create("echo b; exec sleep 60")
    await here.wait_line(hung, "a")
    await here.wait_line(other, "b")
    shim = here.shim_pid(hung)
    os.kill(shim, signal.SIGSTOP)
    try:
        await here.client.post(f"/v1/runs/{hung}/stop")
        await here.client.post(f"/v1/runs/{other}/stop")
        await here.wait(other, "STOPPED", timeout=4.0)
        assert (await here.run(hung))["status"] == "RUNNING"
    finally:
        os.kill(shim, signal.SIGCONT)
    await here.wait(hung, "STOPPED")


async def test_a_hung_zygote_keeps_nobody_waiting(here: World) -> None:
    """A stopped zygote starts nothing; what runs already is supervised."""
    await here.start_worker()
    running = await here.create("echo on; exec sleep 60")
    await here.wait_line(running, "on")
    zygote = here.zygote_pid()
    os.kill(zygote, signal.SIGSTOP)
    try:
        started = await here.create("echo started")
        await here.wait(started, "RUNNING")
        await here.client.post(f"/v1/runs/{running}/stop")
        await here.wait(running, "STOPPED", timeout=4.0)
    finally:
        os.kill(zygote, signal.SIGCONT)
    await here.wait(started, "COMPLETED", timeout=30.0)
    assert await here.lines(started) == ["started"]


async def test_a_server_that_forgot_is_told_again(here: World) -> None:
    """WorkerNotFound in the middle of work: register again, agents untouched."""
    await here.start_worker(Forgetful)
    run_id = await here.create("echo one; sleep 0.5; echo two")
    await here.wait(run_id, "COMPLETED")
    assert await here.lines(run_id) == ["one", "two"]
    assert isinstance(here.control, Forgetful)
    assert here.control.registered == 2


class Forgetful(Control):
    """A server that forgets this worker once it has given it a run."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.registered = self._given = 0

    async def register(self, request: RegisterRequest) -> RegisterAnswer:
        """Count it."""
        self.registered += 1
        return await super().register(request)

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """The first time behind a run it is not known who asks."""
        if self.registered == 1 and self._given:
            raise WorkerNotFound
        answer = await super().claim(request)
        self._given += len(answer.runs)
        return answer


class Noting(Control):
    """Keeps how the worker introduced itself."""

    introduction: RegisterRequest

    async def register(self, request: RegisterRequest) -> RegisterAnswer:
        """Note it."""
        self.introduction = request
        return await super().register(request)


async def test_a_worker_that_was_succeeded_ends() -> None:
    """Another process registers as this worker: this one ends with one plain error, its agents go on."""
    async with world(heartbeat_s=0.3) as here:
        await succeed(here)


async def succeed(here: World) -> None:
    """Register as the worker of this world."""
    worker = await here.start_worker(Noting)
    run_id = await here.create("echo on; exec sleep 60")
    await here.wait_line(run_id, "on")
    shim = here.shim_pid(run_id)
    assert isinstance(here.control, Noting)
    await here.control.register(here.control.introduction)
    with pytest.raises(StaleEpoch, match="this one ends"):
        await asyncio.wait_for(worker.wait_failed(), 15)
    assert is_living(shim)


async def test_start_and_stop_are_harmless_twice(here: World) -> None:
    """Stop without start, and both of them twice."""
    worker = await here.start_worker()
    await worker.start()
    await here.stop_worker()
    await worker.stop()
    assert worker.executions == []


async def test_a_lost_run_ends_and_delivers_late() -> None:
    """on_lost=fail: without a worker the shim ends its tree before the server acts; what was written comes flagged."""
    async with world(lease_s=4.0, heartbeat_s=0.5) as here:
        await here.start_worker()
        run_id = await here.create("echo on; while :; do echo more; sleep 0.2; done", on_lost="fail")
        await here.wait_line(run_id, "on")
        shim = here.shim_pid(run_id)
        await here.stop_worker()
        await eventually(lambda: gone(shim), 10)
        ended = here.directory(run_id).exit()
        assert ended is not None
        assert ended.limit == "deadline"

        async def lost() -> bool:
            await schedule.tick(here.services)
            return (await here.run(run_id))["status"] == "FAILED"

        await eventually(lost, 15, 0.1)
        last = (await here.events(run_id))[-1]
        assert (last["type"], last["payload"]["reason"]) == ("run.failed", "worker_lost")
        await here.start_worker()

        async def delivered() -> bool:
            return "more" in await here.lines(run_id, late=True)

        await eventually(delivered)
        assert (await here.run(run_id))["status"] == "FAILED"
