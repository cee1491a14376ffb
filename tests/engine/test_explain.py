"""Why a run is where it is: one sentence that is true, and what can be done."""

from typing import Any

import pytest

from agentrunner.domain.errors import RunNotFound
from agentrunner.domain.event import new_event
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.project import NewProject, ProjectSettings
from agentrunner.domain.state import REASONS, Desired, Hold, Phase, Reason, Status
from agentrunner.engine import events, projects, runs
from agentrunner.engine.explain import explain
from engine.world import World


async def told(world: World, run_id: int) -> Explanation:
    """The explanation, which always repeats the row it explains."""
    said = await explain(world.s, run_id)
    run = await world.run(run_id)
    assert (said.run_id, said.status, said.phase, said.hold, said.reason) == (
        run.id,
        run.status,
        run.phase,
        run.hold,
        run.reason,
    )
    assert said.summary.endswith(".")
    assert all(text.endswith(".") for text in said.because)
    assert said.facts["last_seq"] == run.last_seq
    return said


async def test_no_such_run(world: World) -> None:
    """Not found."""
    with pytest.raises(RunNotFound):
        await explain(world.s, 4711)


async def test_a_queue_without_workers(world: World) -> None:
    """No worker at all, one that is silent, one without the backend, then one that will take it."""
    run = await world.create()
    assert "No worker is online" in (await told(world, run.id)).summary
    host = await world.register(backends=["other"])
    assert "No online worker offers the backend 'command'" in (await told(world, run.id)).summary
    await world.register("w2")
    said = await told(world, run.id)
    assert said.summary == "It is next and a worker is about to take it."
    assert (said.facts["workers_online"], said.facts["position"]) == (2, 0)
    world.clock.advance(15.001)
    assert "No worker is online" in (await told(world, run.id)).summary
    await host.heartbeat()
    assert (await told(world, run.id)).facts["workers_online"] == 1


async def test_a_queue_behind_others(world: World) -> None:
    """How many are ahead; and next in line with every slot in use."""
    first, second = await world.many([{}, {}])
    host = await world.register(slots=1)
    await host.heartbeat(running=1)
    assert "Every slot of every worker is in use" in (await told(world, first.id)).summary
    assert "1 runs are ahead" in (await told(world, second.id)).summary


@pytest.mark.parametrize("cap", [{"max_running": 1}, {"max_running_per_backend": 1}, {"max_running_per_agent": 1}])
async def test_a_cap(world: World, cap: dict[str, int]) -> None:
    """It says that a cap is reached, whichever it is."""
    tight = world.with_settings(**cap)
    _, waiting = await tight.many([{"agent": "a"}, {"agent": "a"}])
    await (await tight.register()).take()
    assert "a cap is reached" in (await told(tight, waiting.id)).summary


async def test_the_cap_of_a_project(world: World) -> None:
    """The same for the project's own."""
    await projects.create(world.s, NewProject(name="p", settings=ProjectSettings(max_running=1)))
    _, waiting = await world.many([{"project": "p"}, {"project": "p"}])
    await (await world.register()).take()
    assert "a cap is reached" in (await told(world, waiting.id)).summary


async def test_held_runs(world: World) -> None:
    """By a person, with the command that lets it go; by a back-off, with the seconds left."""
    run = await world.create(retry={"attempts": 2, "backoff_s": 60})
    await runs.pause(world.s, run.id)
    said = await told(world, run.id)
    assert (said.hold, said.what_to_do) == (Hold.OPERATOR, f"`agentrunner resume {run.id}` lets it start.")
    await runs.resume(world.s, run.id)
    await (await (await world.register()).start()).end(Status.FAILED, Reason.NETWORK)
    world.clock.advance(20)
    said = await told(world, run.id)
    assert (said.summary, said.facts["attempt"]) == ("It waits 40 s before attempt 2.", 2)
    assert "Attempt 1 failed" in said.because[0]


async def test_an_active_run(world: World) -> None:
    """Sentence by sentence through its phases, with worker and process."""
    run = await world.create()
    hold = await (await world.register()).take()
    assert (await told(world, run.id)).summary == "Worker host-of-w1 is preparing it."
    await hold.fact("run.started", pid=77)
    said = await told(world, run.id)
    assert "was started on host-of-w1 and has not written anything" in said.summary
    assert (said.facts["worker"], said.facts["process"]) == ("w1", {"pid": 77})
    await hold.say()
    world.clock.advance(200)
    said = await told(world, run.id)
    assert (said.summary, said.because) == ("It is working on host-of-w1.", ["That has been so for 3 min."])


async def test_wishes_that_are_pending(world: World) -> None:
    """What somebody wished and nobody confirmed; gone once it is fact."""
    run = await world.create()
    hold = await (await world.register()).start()
    await runs.pause(world.s, run.id)
    said = await told(world, run.id)
    assert said.pending is Desired.PAUSE
    assert "Somebody wished it to pause; the worker has not confirmed that yet." in said.because
    await hold.fact("run.paused", revision=1)
    said = await told(world, run.id)
    assert (said.pending, said.summary) == (None, "It is frozen on host-of-w1: no process of it runs.")
    await runs.stop(world.s, run.id)
    assert (await told(world, run.id)).pending is Desired.STOP
    await hold.end(Status.STOPPED, Reason.STOPPED_BY_USER)
    assert (await told(world, run.id)).pending is None


@pytest.mark.parametrize(
    ("on_lost", "words"),
    [("wait", "Nothing is lost by waiting"), ("fail", "FAILED worker_lost"), ("retry", "QUEUED for a new attempt")],
)
async def test_an_unreachable_run(world: World, on_lost: str, words: str) -> None:
    """Since when, and what will become of it by its `on_lost`."""
    run = await world.create(on_lost=on_lost)
    await (await world.register()).start()
    await world.tick(16)
    said = await told(world, run.id)
    assert (said.phase, said.summary) == (Phase.UNREACHABLE, "Its worker cannot be reached.")
    assert "last heard of 16 s ago" in said.because[0]
    assert words in " ".join([*said.because, said.what_to_do or ""])
    if on_lost != "wait":
        assert "Wait 2 s more" in (said.what_to_do or "")


async def test_a_wish_keeps_since_when_it_is_unreachable(world: World) -> None:
    """A stop for a lost worker's run does not make the silence younger."""
    run = await world.create()
    await (await world.register()).start()
    await world.tick(16)
    world.clock.advance(44)
    await runs.stop(world.s, run.id)
    said = await told(world, run.id)
    assert "last heard of 60 s ago" in said.because[0]
    assert said.pending is Desired.STOP


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.STOPPED_BY_USER])
async def test_every_failure(world: World, reason: Reason) -> None:
    """The reason, its advice, whether trying again may help, and the program's own words."""
    run = await world.create()
    await (await (await world.register()).start()).end(Status.FAILED, reason, exit_code=3, message="It said so.")
    said = await told(world, run.id)
    assert (said.summary, said.what_to_do) == (f"It is FAILED: {reason}.", REASONS[reason].what_to_do)
    assert (said.facts["retryable"], said.facts["exit_code"]) == (REASONS[reason].retryable, 3)
    assert said.because == ["It said so."]


async def test_other_ends(world: World) -> None:
    """Completed, stopped, and a run that another program reports."""
    run = await world.create()
    await (await (await world.register()).start()).end(Status.COMPLETED, exit_code=0)
    said = await told(world, run.id)
    assert (said.summary, said.what_to_do) == ("It finished as it should.", None)
    stopped = await world.create()
    await runs.stop(world.s, stopped.id)
    assert (await told(world, stopped.id)).summary == "It is STOPPED: stopped_by_user."
    reported = await world.create(backend="external")
    assert (await told(world, reported.id)).summary == "Another program runs it and reports here."
    await events.ingest(world.s, reported.id, [new_event("run.completed")])
    assert (await told(world, reported.id)).status is Status.COMPLETED


async def test_every_state_has_an_explanation(world: World) -> None:
    """After a crowd of lives, nothing is left without a sentence."""
    fields: list[dict[str, Any]] = [{}, {"on_lost": "fail"}, {"on_lost": "retry"}, {"backend": "external"}] * 3
    made = await world.many(fields)
    holds = await (await world.register()).claim(slots=5)
    await holds[0].end(Status.COMPLETED)
    await runs.stop(world.s, holds[1].given.run_id)
    for seconds in (0, 16, 3):
        await world.tick(seconds)
        for run in made:
            assert len((await told(world, run.id)).summary) > 5
