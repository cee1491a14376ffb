"""What is left of attempts that have ended."""

import asyncio
import os
import time

from agentrunner.app.backends import backends
from agentrunner.domain.control import RegisterAnswer
from agentrunner.process.launch import ZygoteLink
from agentrunner.worker.control import Control
from agentrunner.worker.hints import Hints
from agentrunner.worker.host import Host
from agentrunner.worker.lease import Lease
from agentrunner.worker.leftovers import Leftovers
from waiting import eventually
from worker.test_loop import Noting, is_living
from worker.world import World, world


async def swept(here: World, retention_s: float) -> None:
    """A worker comes, sweeps once, and goes."""
    await here.start_worker(spool_retention_s=retention_s)
    await here.wait_online()
    await here.stop_worker()


async def test_what_is_recorded_goes_after_its_retention(here: World) -> None:
    """Not before; secrets lie in it."""
    await here.start_worker()
    run_id = await here.create("echo kept")
    await here.wait(run_id)
    path = here.directory(run_id).path
    await here.stop_worker()
    assert (path / "recorded").exists()
    await swept(here, 3600)
    assert path.exists()
    os.utime(path / "recorded", (time.time() - 4000, time.time() - 4000))
    await here.start_worker(spool_retention_s=3600)

    async def deleted() -> bool:
        return not path.exists()

    await eventually(deleted)


async def test_a_directory_that_was_never_finished_goes(here: World) -> None:
    """A worker that was killed while it made one leaves no secrets for ever."""
    await here.start_worker()
    run_id = await here.create("true")
    await here.wait(run_id)
    half = here.directory(run_id).path.with_name("feedfeedfeedfeed")
    await here.stop_worker()
    half.mkdir()
    (half / "spec.tmp").write_text("half a spec")
    os.utime(half, (time.time() - 4000, time.time() - 4000))
    await here.start_worker(spool_retention_s=3600)

    async def deleted() -> bool:
        return not half.exists()

    await eventually(deleted)


async def test_a_run_that_is_not_over_is_never_ended() -> None:
    """Only the server's word makes an attempt over: an unknown directory of a live run is left alone."""
    async with world() as here:
        await here.start_worker(Noting)
        run_id = await here.create("echo on; exec sleep 60")
        await here.wait_line(run_id, "on")
        shim = here.shim_pid(run_id)
        assert isinstance(here.control, Noting)
        introduction, control = here.control.introduction, here.control
        await here.worker.stop()  # type: ignore[union-attr]
        answer = await control.register(introduction)
        await sweep(here, control, answer)
        assert is_living(shim)
        directory = here.directory(run_id)
        assert directory.recorded_at() is None
        assert (await here.run(run_id))["status"] == "RUNNING"


async def sweep(here: World, control: Control, answer: RegisterAnswer) -> None:
    """One sweep that knows of no execution."""
    me = here.me
    hints = Hints()
    host = Host(answer.instance_id, me, here.options, Lease(0.0, 15.0), hints, ZygoteLink(here.data_dir))
    leftovers = Leftovers(control, host, lambda _: False, backends().get)
    try:
        await asyncio.wait_for(leftovers.sweep(), 10)
        await asyncio.wait_for(leftovers.sweep(), 10)
    finally:
        host.close()


async def test_a_damaged_directory_harms_no_other(here: World) -> None:
    """It is said once, and the sweep goes on."""
    await here.start_worker()
    run_id = await here.create("true")
    await here.wait(run_id)
    path = here.directory(run_id).path
    damaged = path.with_name("0000000000000000")
    await here.stop_worker()
    damaged.mkdir()
    (damaged / "spec.json").write_bytes(b'{"layout": 1}')
    os.utime(path / "recorded", (time.time() - 4000, time.time() - 4000))
    await here.start_worker(spool_retention_s=3600)

    async def deleted() -> bool:
        return not path.exists()

    await eventually(deleted)
    (damaged / "spec.json").unlink()
    assert damaged in list(path.parent.iterdir())
