"""The worker protocol: who may do what, and answers that can be asked for again."""

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from agentrunner.domain.control import NULL, DecisionsRequest, Offsets, RegisterAnswer, Wish, WishesRequest
from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import InvalidRequest, InvalidTransition, StaleEpoch, WorkerInUse, WorkerNotFound
from agentrunner.domain.event import new_event
from agentrunner.domain.state import Desired, Phase, Reason, Status
from agentrunner.engine import events, inputs, runs, workers
from engine.world import START, Host, World


def wishes_of(host: Host, known: dict[int, int] | None = None, wait_s: float = 0) -> WishesRequest:
    """A worker asks for wishes."""
    return WishesRequest(worker_id=host.id, epoch=host.epoch, known=known or {}, wait_s=wait_s)


def inputs_of(host: Host, known: list[int] | None = None, wait_s: float = 0) -> DecisionsRequest:
    """A worker asks for inputs."""
    return DecisionsRequest(worker_id=host.id, epoch=host.epoch, known=known or [], wait_s=wait_s)


async def test_registering(world: World) -> None:
    """The first answer: the database's name, epoch 1, the lease, nothing owned; and the worker is listed online."""
    host = await world.register()
    assert host.answer == RegisterAnswer(instance_id="instance", epoch=1, lease_s=15, heartbeat_s=5, runs=[])
    [(worker, online)] = await workers.all_with_lease(world.s)
    assert (worker.id, worker.host, worker.epoch, worker.heard_at, online) == ("w1", "host-of-w1", 1, START, True)
    world.clock.advance(15.001)
    assert [online for _, online in await workers.all_with_lease(world.s)] == [False]


async def test_registering_again_takes_over(world: World) -> None:
    """Every owned run is answered with a higher epoch, its wish and what is stored of it."""
    await world.many([{"goal": "a", "secrets": {"K": "s"}}, {"goal": "b"}, {"goal": "c"}])
    first = await world.register()
    one, two, three = await first.claim(slots=3)
    await one.fact("run.started", pid=1)
    await one.record(one.part("out", new_event("log"), size=7, state={"x": 1}))
    await runs.stop(world.s, two.given.run_id)
    await three.end(Status.COMPLETED)
    second = await world.register(boot_id="boot2")
    assert second.epoch == 2
    adopted, stopping = second.answer.runs
    assert (adopted.run_id, adopted.attempt, adopted.uid) == (one.given.run_id, 1, one.given.uid)
    assert (adopted.epoch, adopted.secrets, adopted.goal) == (one.given.epoch + 1, {"K": "s"}, "a")
    assert (adopted.offsets, bytes(adopted.states.out)) == (Offsets(out=7, journal=10), b'{"x":1}')
    assert adopted.states.err == NULL
    assert adopted.boot_id == "boot", "the host that began it, so that a reboot shows"
    assert (stopping.desired, stopping.revision) == (Desired.STOP, 1)
    assert (await world.types(adopted.run_id))[-1] == "run.adopted"
    assert "run.adopted" not in await world.types(two.given.run_id), "nothing of it had started"


async def test_the_answer_survives_the_wire(world: World) -> None:
    """With states stored and not stored."""
    await world.create()
    hold = await (await world.register()).start()
    await hold.record(hold.part("out", state={"x": 1}))
    answer = (await world.register()).answer
    assert msgspec.json.decode(msgspec.json.encode(answer), type=RegisterAnswer) == answer


async def test_an_old_process_is_refused_everything(world: World) -> None:
    """Claim, heartbeat, wishes, decisions by the worker's epoch, record by the run's."""
    await world.create()
    old = await world.register()
    hold = await old.start()
    new = await world.register()
    part = hold.part("out", new_event("log"))
    for call in (
        old.claim(),
        old.heartbeat(),
        workers.wishes(world.s, wishes_of(old)),
        workers.decisions(world.s, inputs_of(old)),
        hold.record(part),
        hold.end(Status.COMPLETED),
    ):
        with pytest.raises(StaleEpoch):
            await call
    assert (await world.run(hold.given.run_id)).status is Status.RUNNING
    [taken] = new.adopted()
    await taken.say()


@pytest.mark.parametrize("other", [{"machine_id": "other"}, {"lock_inode": 2}])
async def test_a_copy_is_refused_while_the_lease_lives(world: World, other: dict[str, Any]) -> None:
    """Another machine or another lock with the same id; after the lease it is a move."""
    await world.register()
    world.clock.advance(14.9)
    with pytest.raises(WorkerInUse, match="host-of-w1"):
        await world.register(**other)
    world.clock.advance(0.1)
    assert (await world.register(**other)).epoch == 2
    with pytest.raises(WorkerInUse):
        await world.register()


async def test_the_same_worker_may_register_at_once(world: World) -> None:
    """A restart does not wait for its own lease."""
    assert [(await world.register()).epoch for _ in range(3)] == [1, 2, 3]


async def test_another_protocol_is_refused(world: World) -> None:
    """Loudly, naming both."""
    with pytest.raises(InvalidRequest, match=r"protocol 99, this server 1"):
        await world.register(protocol=99)


async def test_an_unknown_worker(world: World) -> None:
    """It has to register first."""
    ghost = Host(world.s, "ghost", 1, (await world.register()).answer)
    for call in (
        ghost.claim(),
        ghost.heartbeat(),
        workers.wishes(world.s, wishes_of(ghost)),
        workers.decisions(world.s, inputs_of(ghost)),
    ):
        with pytest.raises(WorkerNotFound):
            await call


async def test_a_claim(world: World) -> None:
    """Everything that an attempt needs, and the run says who has it."""
    run = await world.create(goal="g", options={"argv": ["x"]}, limits={"wall_s": 9.0}, on_lost="fail")
    world.clock.advance(3)
    hold = await (await world.register()).take()
    given = hold.given
    assert (given.run_id, given.attempt, given.epoch, given.status) == (run.id, 1, 1, Status.RUNNING)
    assert (given.goal, given.options, given.limits.wall_s, given.on_lost) == ("g", {"argv": ["x"]}, 9.0, "fail")
    assert (given.project, given.project_path, given.boot_id) == ("default", None, "boot")
    now = await world.run(run.id)
    assert (now.worker_id, now.phase, now.epoch, now.hold) == ("w1", Phase.PREPARING, 1, None)
    assert await world.last(run.id) == (
        "run.claimed",
        {"worker": "w1", "host": "host-of-w1", "attempt": 1, "waited_ms": 3000},
    )


async def test_a_repeated_claim_repeats_its_answer(world: World) -> None:
    """The answer was lost: the same runs again, no others, as they are by now."""
    await world.many([{}, {}, {}])
    host = await world.register()
    first = await host.claim(slots=2, claim_id="c")
    await first[0].fact("run.started")
    await runs.pause(world.s, first[1].given.run_id)
    again = await host.claim(slots=2, claim_id="c")
    assert [hold.given.uid for hold in again] == [hold.given.uid for hold in first]
    assert [hold.given.epoch for hold in again] == [hold.given.epoch for hold in first]
    assert again[0].given.offsets.journal == 10
    assert again[1].given.desired is Desired.PAUSE
    await again[0].say()
    assert len(await host.claim(slots=2, claim_id="d")) == 1


async def test_a_repeated_claim_leaves_out_what_is_over(world: World) -> None:
    """What ended, or is another attempt's by now, is not given again."""
    await world.many([{}, {"retry": {"attempts": 2, "backoff_s": 0}}, {}])
    host = await world.register()
    done, failed, live = await host.claim(slots=3, claim_id="c")
    await done.end(Status.COMPLETED)
    await failed.end(Status.FAILED, Reason.NETWORK)
    assert [hold.given.uid for hold in await host.claim(slots=3, claim_id="c")] == [live.given.uid]


async def test_an_empty_answer_is_not_remembered(world: World) -> None:
    """The same claim asked again finds what has come since."""
    host = await world.register()
    assert await host.claim(claim_id="c") == []
    await world.create()
    assert len(await host.claim(claim_id="c")) == 1


async def test_a_waiting_claim_wakes_at_once(world: World) -> None:
    """The long poll answers when a run is created, not when its wait is over."""
    host = await world.register()
    waiting = asyncio.create_task(host.claim(wait_s=30))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    run = await world.create()
    async with asyncio.timeout(5):
        [hold] = await waiting
    assert hold.given.run_id == run.id


async def test_a_waiting_claim_wakes_when_there_is_room(world: World) -> None:
    """A cap that held a run lets it go when another ends."""
    tight = world.with_settings(max_running=1)
    await tight.many([{}, {}])
    host = await tight.register()
    hold = await host.take()
    waiting = asyncio.create_task(host.claim(wait_s=30))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    await hold.end(Status.COMPLETED)
    async with asyncio.timeout(5):
        assert len(await waiting) == 1


async def test_a_claim_that_is_held_up_by_a_cap_does_not_spin(world: World) -> None:
    """A run whose back-off is over but for which there is no room costs no transaction per millisecond."""
    tight = world.with_settings(max_running=1)
    await tight.create(retry={"attempts": 2, "backoff_s": 5})
    host = await tight.register()
    await (await host.take()).end(Status.FAILED, Reason.NETWORK)
    await tight.create()
    await host.take()
    world.clock.advance(6)
    await host.heartbeat()
    asked: list[int] = []
    clock = world.s.clock

    def counting() -> int:
        asked.append(1)
        return clock()

    counted = Host(dataclasses.replace(tight.s, clock=counting), host.id, host.epoch, host.answer)
    waiting = asyncio.create_task(counted.claim(claim_id="waits", wait_s=30))
    await asyncio.wait([waiting], timeout=0.2)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert len(asked) < 10


async def test_a_silent_worker_gets_no_runs(world: World) -> None:
    """Their shims' deadline would be over before they began; heard of again it is served."""
    host = await world.register()
    await world.create(on_lost="fail")
    world.clock.advance(15.001)
    assert await host.claim() == []
    waiting = asyncio.create_task(host.claim(wait_s=30))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    await host.heartbeat()
    async with asyncio.timeout(5):
        assert len(await waiting) == 1


async def test_workers_racing_never_get_the_same_run(world: World) -> None:
    """Eight workers, two hundred runs, wishes in between: every run to exactly one."""
    made = await world.many([{} for _ in range(200)])
    hosts = [await world.register(f"w{n}") for n in range(8)]
    given: list[int] = []

    async def work(host: Host) -> None:
        while taken := await host.claim(slots=3):
            given.extend(hold.given.run_id for hold in taken)

    stopped = made[50:60]
    await asyncio.gather(*map(work, hosts), *(runs.stop(world.s, run.id) for run in stopped))
    assert len(given) == len(set(given))
    never_claimed = {row[0] for row in await world.rows("SELECT id FROM runs WHERE attempt = 1 AND epoch = 0")}
    assert set(given) | never_claimed == {run.id for run in made}
    assert never_claimed <= {run.id for run in stopped}


async def test_pausing_what_is_being_claimed(world: World) -> None:
    """Whoever comes first wins: a run is either held or somebody's, never held and running."""
    made = await world.many([{} for _ in range(60)])
    hosts = [await world.register(f"w{n}") for n in range(4)]
    claims = [host.claim(slots=20) for host in hosts]
    pauses = [runs.pause(world.s, run.id) for run in made[::2]]
    await asyncio.gather(*claims, *pauses)
    for run in made:
        now = await world.run(run.id)
        assert (now.hold is None) or now.status is Status.QUEUED


async def test_everything_at_once(world: World) -> None:
    """Creates, claims, ends, stops and registers racing leave counters and timelines right and deadlock nobody."""
    hosts = [await world.register(f"w{n}") for n in range(3)]

    async def create(n: int) -> None:
        await world.many([{"agent": f"a{n % 3}"}, {"backend": "external"}, {"agent": f"a{(n + 1) % 3}"}])

    async def work(host: Host) -> None:
        for n in range(6):
            for hold in await host.claim(slots=4):
                await hold.end(*[(Status.COMPLETED, None), (Status.FAILED, Reason.NETWORK)][n % 2])

    async def stop(n: int) -> None:
        for run in await runs.page(world.s, {"status": [Status.QUEUED]}, None, 3):
            try:
                await runs.stop(world.s, run.id)
            except InvalidTransition:
                continue

    async with asyncio.timeout(40):
        await asyncio.gather(*(create(n) for n in range(12)), *map(work, hosts), *(stop(n) for n in range(12)))


async def test_a_heartbeat(world: World) -> None:
    """It moves the lease and says how long."""
    host = await world.register()
    world.clock.advance(10)
    assert await host.heartbeat(running=3) == 15
    [(worker, online)] = await workers.all_with_lease(world.s)
    assert (worker.heard_at, worker.running, online) == (START + 10_000, 3, True)


@pytest.mark.parametrize("by", ["heartbeat", "register"])
@pytest.mark.parametrize(
    ("state", "phase"),
    [("claimed", Phase.PREPARING), ("started", Phase.WORKING), ("paused", None), ("stopping", Phase.STOPPING)],
)
async def test_a_worker_that_comes_back(world: World, by: str, state: str, phase: Phase | None) -> None:
    """What was unreachable is where it was."""
    run = await world.create()
    host = await world.register()
    hold = await host.take()
    if state != "claimed":
        await hold.fact("run.started")
    if state == "paused":
        await runs.pause(world.s, run.id)
        await hold.fact("run.paused", revision=1)
    if state == "stopping":
        await runs.stop(world.s, run.id)
    await world.tick(15.001)
    lost = await world.run(run.id)
    assert (lost.phase, lost.phase_since) == (Phase.UNREACHABLE, START)
    if by == "heartbeat":
        await host.heartbeat()
    else:
        await world.register()
    back = await world.run(run.id)
    assert (back.phase, back.status, back.attempt) == (phase, lost.status, 1)
    await world.tick(1)
    assert await world.run(run.id) == back


async def test_wishes(world: World) -> None:
    """Every wish that differs from what the worker knows, as often as it asks."""
    await world.many([{}, {}])
    host = await world.register()
    one, two = await host.claim(slots=2)
    assert (await workers.wishes(world.s, wishes_of(host))).wishes == []
    await runs.pause(world.s, one.given.run_id)
    wish = Wish(run_id=one.given.run_id, attempt=1, epoch=1, desired=Desired.PAUSE, revision=1)
    for _ in range(2):
        assert (await workers.wishes(world.s, wishes_of(host))).wishes == [wish]
    assert (await workers.wishes(world.s, wishes_of(host, {wish.run_id: 1}))).wishes == []
    await runs.stop(world.s, two.given.run_id)
    assert [w.desired for w in (await workers.wishes(world.s, wishes_of(host, {wish.run_id: 1}))).wishes] == ["stop"]
    assert (await workers.wishes(world.s, wishes_of(await world.register("w2")))).wishes == []
    await two.end(Status.STOPPED)
    assert (await workers.wishes(world.s, wishes_of(host))).wishes == [wish]


async def test_waiting_for_a_wish(world: World) -> None:
    """The long poll answers when somebody wishes."""
    await world.create()
    host = await world.register()
    hold = await host.start()
    waiting = asyncio.create_task(workers.wishes(world.s, wishes_of(host, wait_s=30)))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    await runs.stop(world.s, hold.given.run_id)
    async with asyncio.timeout(5):
        assert [wish.desired for wish in (await waiting).wishes] == [Desired.STOP]


async def test_inputs_reach_their_worker(world: World) -> None:
    """Undelivered ones of its active runs that it does not know, oldest first."""
    run = await world.create(options={"stdin": "pipe"})
    early = await inputs.send(world.s, run.id, NewInput(text="early"))
    host = await world.register()
    hold = await host.start()
    later = await inputs.send(world.s, run.id, NewInput(text="later"))
    found = (await workers.decisions(world.s, inputs_of(host))).inputs
    assert [(item.id, item.text, item.epoch, item.attempt) for item in found] == [
        (early.id, "early", 1, 1),
        (later.id, "later", 1, 1),
    ]
    assert [item.id for item in (await workers.decisions(world.s, inputs_of(host, [early.id]))).inputs] == [later.id]
    await hold.fact("input.delivered", id=early.id)
    assert [item.id for item in (await workers.decisions(world.s, inputs_of(host))).inputs] == [later.id]
    await hold.end(Status.COMPLETED)
    assert (await workers.decisions(world.s, inputs_of(host))).inputs == []


async def test_waiting_for_an_input(world: World) -> None:
    """Woken by a new input, and by claiming a run that has one."""
    run = await world.create(options={"stdin": "pipe"})
    first = await inputs.send(world.s, run.id, NewInput(text="first"))
    host = await world.register()
    waiting = asyncio.create_task(workers.decisions(world.s, inputs_of(host, wait_s=30)))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    await host.start()
    async with asyncio.timeout(5):
        assert [item.id for item in (await waiting).inputs] == [first.id]
    waiting = asyncio.create_task(workers.decisions(world.s, inputs_of(host, [first.id], wait_s=30)))
    await asyncio.wait([waiting], timeout=0.05)
    second = await inputs.send(world.s, run.id, NewInput(text="second"))
    async with asyncio.timeout(5):
        assert [item.id for item in (await waiting).inputs] == [second.id]


async def test_a_worker_delivers_only_the_inputs_of_its_run(world: World) -> None:
    """A fact of one run's journal says nothing of another's input."""
    made = await world.many([{"options": {"stdin": "pipe"}}] * 2)
    item = await inputs.send(world.s, made[1].id, NewInput(text="x"))
    hold = await (await world.register()).start()
    await hold.fact("input.delivered", id=item.id)
    [row] = await world.rows("SELECT delivered_at FROM inputs")
    assert row[0] is None


async def test_ends_racing_with_a_new_process(world: World) -> None:
    """A worker registers while its old process ends runs: an ended run is not adopted, its last event stays last."""
    await world.many([{} for _ in range(20)])
    host = await world.register()
    holds = await host.claim(slots=20)
    for hold in holds:
        await hold.fact("run.started")
    ends = [events.record(world.s, hold.request(outcome=hold.outcome(Status.COMPLETED))) for hold in holds]
    *answers, new = await asyncio.gather(*ends, world.register(), return_exceptions=True)
    assert isinstance(new, Host)
    over = {
        hold.given.run_id for hold, answer in zip(holds, answers, strict=True) if not isinstance(answer, StaleEpoch)
    }
    assert {given.run_id for given in new.answer.runs} == {hold.given.run_id for hold in holds} - over
