"""`Client` and `AsyncClient` against the product: the same words, the same answers, over a server that is killed."""

import asyncio
from pathlib import Path

import pytest

from agentrunner import AsyncClient, Client
from agentrunner.domain.errors import InvalidField, InvalidTransition, RunNotFound
from agentrunner.domain.event import EventView
from agentrunner.domain.run import NewRun, RunView
from e2e.product import Product
from waiting import until

COUNT = {"argv": ["sh", "-c", "for n in 1 2 3; do echo $n; done"]}
WAIT = {"argv": ["sh", "-c", "read line; echo $line"]}


def test_a_program_gives_work_and_waits(running: Product) -> None:
    """Created, followed, awaited, listed, explained; asked twice with one key it is one run."""
    with Client(data_dir=running.data_dir) as client:
        run = client.create(options=COUNT, key="one", labels={"suite": "sdk"})
        assert client.create(options=COUNT, key="one", labels={"suite": "sdk"}).id == run.id
        items = list(client.follow(run.id))
        assert [item.seq for item in items if isinstance(item, EventView)] == list(range(1, len(items)))
        ended = items[-1]
        assert isinstance(ended, RunView)
        assert (ended.status, client.wait(run.id)) == ("COMPLETED", ended)
        assert [event.type for event in client.events(run.id, types=["log"])] == ["log"]
        assert [each.id for each in client.runs("label:suite=sdk")] == [run.id]
        assert client.explain(run.id).summary
        again = client.retry(run.id)
        assert (again.retry_of, client.wait(again.id, 20).status) == (run.id, "COMPLETED")


def test_a_program_controls(running: Product) -> None:
    """Pause, resume and stop answer whether they are fact; a wait has its time; errors have types."""
    with Client(data_dir=running.data_dir) as client:
        run = client.create(options={"argv": ["sleep", "60"]})
        running.wait(run.id, "RUNNING")
        client.pause(run.id)
        running.wait(run.id, "PAUSED")
        assert client.pause(run.id).is_fact
        client.resume(run.id)
        with pytest.raises(TimeoutError, match=r"after 0\.05 s"):
            client.wait(run.id, 0.05)
        client.stop(run.id)
        assert client.wait(run.id, 20).status == "STOPPED"
        with pytest.raises(InvalidTransition):
            client.pause(run.id)
        with pytest.raises(RunNotFound):
            client.run(10_000)
        with pytest.raises(TypeError, match="did you mean 'labels'"):
            client.create(options=COUNT, label={})
        with pytest.raises(InvalidField, match="priority"):
            client.create(options=COUNT, priority="high")


def test_a_batch_is_all_or_none(running: Product) -> None:
    """And what is reported with it is stored once."""
    with Client(data_dir=running.data_dir) as client:
        made = client.create_all([NewRun(backend="external", title=str(number)) for number in range(20)])
        assert [run.title for run in made] == [str(number) for number in range(20)]
        stored = client.report(made[0].id, [{"type": "step", "payload": {"n": n}} for n in range(5)])
        assert (stored.accepted, stored.duplicates, stored.last_seq) == (5, 0, 6)


async def test_the_same_with_an_event_loop(running: Product) -> None:
    """Many at once over one client."""
    async with AsyncClient(data_dir=running.data_dir) as client:
        runs = await asyncio.gather(*(client.create(options=COUNT, labels={"n": str(n)}) for n in range(5)))
        ended = await asyncio.gather(*(client.wait(run.id, 40) for run in runs))
        assert {run.status for run in ended} == {"COMPLETED"}
        seqs = [item.seq async for item in client.follow(runs[0].id) if isinstance(item, EventView)]
        assert seqs == [event.seq async for event in client.events(runs[0].id)]
        assert {run.id async for run in client.runs()} == {run.id for run in runs}
        assert (await client.explain(runs[0].id)).summary
        with pytest.raises(RunNotFound):
            await client.run(10_000)
        with pytest.raises(TimeoutError):
            await client.wait((await client.create(backend="external")).id, 0.05)


async def test_an_async_follower_outlives_the_server(fresh: Product) -> None:
    """No gap and no double over a kill; it is told of the absence."""
    fresh.start("server")
    fresh.get("/ready")
    notices: list[bool] = []
    async with AsyncClient(data_dir=fresh.data_dir) as client:
        run = await client.create(backend="external")
        seen: list[int] = []

        async def follow() -> None:
            async for item in client.follow(run.id, notice=notices.append):
                if isinstance(item, EventView):
                    seen.append(item.seq)

        following = asyncio.create_task(follow())
        await client.report(run.id, [{"type": "n"} for _ in range(10)])
        server = fresh.part("server")
        assert server is not None
        server.kill()
        fresh.start("server")
        await asyncio.to_thread(fresh.get, "/ready")
        await client.report(run.id, [{"type": "n"}, {"type": "run.completed"}])
        await asyncio.wait_for(following, 30)
    assert seen == list(range(1, 14))
    assert notices in ([], [True, False])


def test_a_client_needs_no_server_to_be_made(tmp_path: Path) -> None:
    """It is looked for with the first request."""
    with Client("http://127.0.0.1:9", data_dir=tmp_path) as client:
        assert until(lambda: client)
