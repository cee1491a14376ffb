"""Backend `demo`: what it makes of its program's lines, and whole lives of it under a real worker."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrunner.agents.base import Ending, Standalone
from agentrunner.agents.demo import COMPLETED, NOTE, DemoBackend
from agentrunner.app.doctor import checks
from agentrunner.config import load
from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import BadOptions, Conflict
from agentrunner.domain.run import Run
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import inputs, runs
from agentrunner.engine.facts import become
from agents.given import EXITED, FAILED, KILLED, assignment, fed, lines_of, payload
from waiting import eventually, until
from worker.recording import digest_of, parsed, replay
from worker.world import World, world

BACKEND = DemoBackend()
SAID = b"""{"type": "agent.thinking", "message": "I think"}
{"type": "message", "message": "I heard \\u00e9"}
{"type": "plan.generated", "message": "1. Think\\n2. Act"}
{"type": "executing", "message": "I act"}
"""
STEPS = ["agent.thinking", "plan.generated", "executing"]
LIFE = ["run.created", "run.claimed", "run.started", *STEPS, "run.completed"]


def test_lines_are_steps() -> None:
    """Numbered from 1 and marked as simulated; an answer to a directive is a message and no step."""
    assert fed(BACKEND.parser(None, None), lines_of(SAID)) == [
        ("agent.thinking", {"message": "I think", "iteration": 1, "simulated": True}),
        ("message", {"role": "assistant", "text": "I heard é", "simulated": True}),
        ("plan.generated", {"message": "1. Think\n2. Act", "iteration": 2, "simulated": True}),
        ("executing", {"message": "I act", "iteration": 3, "simulated": True}),
    ]


@given(cuts=st.lists(st.integers(0, len(SAID)), max_size=8).map(tuple))
def test_a_worker_may_change_anywhere(cuts: tuple[int, ...]) -> None:
    """Cut at any byte, its state stored and read again: the same steps with the same numbers."""
    whole = [(event.type, bytes(event.payload)) for event in parsed(BACKEND, SAID)]
    assert [(event.type, bytes(event.payload)) for event in parsed(BACKEND, SAID, cuts=cuts)] == whole


@given(said=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=50), max_size=10))
@example(said=["{}", "[1]", "null", '{"type":"run.completed","message":"x"}', '{"type":"executing"}', "[" * 5000])
def test_what_is_no_step_is_a_log(said: list[str]) -> None:
    """Line by line, nothing lost; and no line makes an event that only the server may write."""
    data = "".join(f"{line}\n" for line in said).encode()
    events = parsed(BACKEND, data, data)
    assert {event.type for event in events} <= {"log"}
    assert [line for event in events for line in payload(event)["lines"]] == said * 2


@given(data=st.binary(max_size=300))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    """A parser never raises."""
    assert {event.type for event in parsed(BACKEND, data, data)} <= {"log"}


@given(
    state=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
    | st.dictionaries(st.sampled_from(["steps", "last_line", "other"]), st.none() | st.integers() | st.text())
)
def test_a_state_that_does_not_fit_is_forgotten(state: Any) -> None:
    """What an older or a newer version stored keeps no worker from going on."""
    events = fed(BACKEND.parser(state, state), lines_of(SAID))
    assert [kind for kind, _ in events] == ["agent.thinking", "message", *STEPS[1:]]


@pytest.mark.parametrize(
    ("said", "ending", "status", "reason", "message"),
    [
        (SAID, EXITED, Status.COMPLETED, None, COMPLETED),
        (SAID.splitlines(keepends=True)[0], EXITED, Status.FAILED, Reason.UNPARSEABLE_OUTPUT, "1 of 3 steps"),
        (b"", EXITED, Status.FAILED, Reason.UNPARSEABLE_OUTPUT, "0 of 3 steps"),
        (b"", FAILED, Status.FAILED, Reason.EXIT_NONZERO, "the last words"),
        (SAID, FAILED, Status.FAILED, Reason.EXIT_NONZERO, "the last words"),
        (SAID, KILLED, Status.FAILED, Reason.SIGNAL, "the last words"),
        (SAID, Ending(0, None, stopped=True), Status.STOPPED, Reason.STOPPED_BY_USER, None),
        (SAID, Ending(None, 9, limit="wall_s"), Status.FAILED, Reason.WALL_TIMEOUT, "`wall_s`"),
    ],
)
def test_verdicts(said: bytes, ending: Ending, status: Status, reason: Reason | None, message: str | None) -> None:
    """Completed with every step and exit code 0 only; a failure says what the program said last."""
    parser = BACKEND.parser(None, None)
    parser.feed("out", lines_of(said))
    parser.feed("err", lines_of(b"first words\nthe last words\n"))
    verdict = parser.verdict(ending)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert (message or "") in (verdict.message or "")


def test_a_failure_without_words_names_the_code() -> None:
    """As any program's."""
    assert BACKEND.parser(None, None).verdict(FAILED).message == "The program exited with code 1."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seconds": -1}, "`options.seconds` must be a number from 0 to 3600"),
        ({"seconds": "1"}, "a number"),
        ({"seconds": True}, "a boolean"),
        ({"fail": "sleeping"}, "`options.fail` must be 'thinking' or 'planning' or 'executing'"),
        ({"stdin": "prompt"}, "`options.stdin`"),
        ({"env": {"a b": "c"}}, "`options.env`"),
    ],
)
def test_options_that_have_an_effect_are_checked(options: dict[str, Any], said: str) -> None:
    """At create, and by the worker."""
    with pytest.raises(BadOptions) as caught:
        BACKEND.check("", options)
    assert said in caught.value.detail
    with pytest.raises(BadOptions):
        BACKEND.command(assignment("demo", **options), {}, Path("/"))


def test_options_for_other_agents_do_not_matter() -> None:
    """Clients of the Runs API surface may send what they like: a simulation has no use for it."""
    BACKEND.check("goal", {"workflow": "quarkus-bootstrap-v1", "models": {"planner": "x"}, "timeout_seconds": 5})


def test_it_is_named_a_simulation(tmp_path: Path) -> None:
    """Where `doctor` lists the backends; it needs no project, and no program but this Python."""
    found = {check.name: check for check in checks(load({}, {"data_dir": str(tmp_path)}))}
    assert found["backend demo"].status == "ok"
    assert found["backend demo"].detail.startswith(NOTE)
    assert "simulation" in NOTE
    assert "simulation" not in found["backend command"].detail
    assert isinstance(BACKEND, Standalone)
    assert BACKEND.find({}).available


@pytest.fixture
async def here() -> AsyncIterator[World]:
    """A server in this process, with a worker."""
    async with world() as made:
        await made.start_worker()
        yield made


async def begin(here: World, goal: str = "Say hello", **options: Any) -> int:
    """A run of the simulation, quick unless said."""
    body = {"backend": "demo", "goal": goal, "options": {"seconds": 0.05, **options}}
    return int((await here.ask("POST", "/v1/runs", json=body))["id"])


async def of(here: World, run_id: int) -> Run:
    """The run as the engine has it."""
    return await runs.get(here.services, run_id)


async def began(here: World, run_id: int, turns: int) -> Run:
    """Wait until it has begun so many turns."""

    async def has() -> Run | None:
        run = await of(here, run_id)
        return run if run.turns >= turns or run.status.is_terminal else None

    run = await eventually(has, timeout=15)
    assert run is not None
    return run


async def started(here: World, run_id: int) -> None:
    """Wait until its program executes."""

    async def is_told() -> bool:
        return "run.started" in await here.types(run_id)

    await eventually(is_told)


async def test_a_whole_life(here: World) -> None:
    """Every step of document 002 as an event, the counter with them, and a result that claims no work."""
    run_id = await begin(here)
    run = await here.wait(run_id)
    assert (run["status"], run["message"], run["exit_code"]) == ("COMPLETED", COMPLETED, 0)
    assert await here.types(run_id) == LIFE
    steps = [event["payload"] for event in await here.events(run_id) if event["type"] in STEPS]
    assert [step["iteration"] for step in steps] == [1, 2, 3]
    assert all(step["simulated"] and step["message"].startswith("Simulation") for step in steps)
    assert "Say hello" in steps[0]["message"]
    assert (await of(here, run_id)).turns == 3


async def test_the_counter_rises_while_it_runs(here: World) -> None:
    """Not all at once at its end."""
    run_id = await begin(here, seconds=0.3)
    seen = [await began(here, run_id, count) for count in (1, 2)]
    assert [run.status for run in seen] == [Status.RUNNING] * 2
    assert seen[0].turns < 3
    assert (await here.wait(run_id))["status"] == "COMPLETED"


async def test_a_pause_is_real(here: World) -> None:
    """Frozen, it says nothing for longer than a step takes; resumed, it goes on where it was to its end."""
    run_id = await begin(here, seconds=0.35)
    await started(here, run_id)
    paused = await become(here.services, run_id, runs.pause)
    assert (paused.status, paused.turns < 3) == (Status.PAUSED, True)
    with pytest.raises(TimeoutError):
        await eventually(lambda: _more(here, paused), timeout=0.5)
    assert (await become(here.services, run_id, runs.resume)).status is Status.RUNNING
    assert (await here.wait(run_id))["status"] == "COMPLETED"
    told = await here.types(run_id)
    assert [kind for kind in told if kind in STEPS] == STEPS
    assert told.index("run.resumed") == told.index("run.paused") + 1


async def _more(here: World, before: Run) -> bool:
    return (await of(here, before.id)).last_seq > before.last_seq


@pytest.mark.parametrize("paused", [False, True])
async def test_a_stop_is_real(here: World, paused: bool) -> None:
    """A running and a paused one end STOPPED, nothing comes after that, and no process of theirs is left."""
    run_id = await begin(here, seconds=3600)
    await started(here, run_id)
    shim = here.shim_pid(run_id)
    if paused:
        await become(here.services, run_id, runs.pause)
    stopped = await become(here.services, run_id, runs.stop)
    assert (stopped.status, stopped.reason, stopped.turns) == (Status.STOPPED, Reason.STOPPED_BY_USER, 0)
    assert (await here.types(run_id))[-1] == "run.stopped"
    until(lambda: not Path(f"/proc/{shim}").exists())
    with pytest.raises(Conflict):
        await become(here.services, run_id, runs.resume)


async def test_a_directive_changes_what_it_says(here: World) -> None:
    """It reaches the agent once, which answers it while the step goes on."""
    run_id = await begin(here, seconds=2, stdin="pipe")
    await started(here, run_id)
    told = await inputs.direct(here.services, run_id, NewInput(text="Say goodbye"))

    async def answered() -> list[Any]:
        return [event["payload"] for event in await here.events(run_id) if event["type"] == "message"]

    [said] = await eventually(answered)
    assert "'Say goodbye'" in said["text"]
    assert said["simulated"] is True
    assert "input.delivered" in await here.types(run_id)
    assert payload(told)["text"] == "Say goodbye"  # type: ignore[arg-type]
    await become(here.services, run_id, runs.stop)


async def test_a_failure_is_one(here: World) -> None:
    """As far as it came, and why."""
    run_id = await begin(here, fail="planning")
    run = await here.wait(run_id)
    assert (run["status"], run["reason"], run["exit_code"]) == ("FAILED", "exit_nonzero", 1)
    assert run["message"] == "Simulation: planning failed, as the option `fail` asked."
    assert (await of(here, run_id)).turns == 1
    assert [kind for kind in await here.types(run_id) if kind in STEPS] == STEPS[:1]


async def test_a_worker_that_changes_in_between(here: World) -> None:
    """The next one goes on counting: each step once, and the end is judged by all of them."""
    run_id = await begin(here, seconds=0.4)
    await began(here, run_id, 1)
    await here.stop_worker()
    await here.start_worker()
    assert (await here.wait(run_id))["status"] == "COMPLETED"
    steps = [event["payload"]["iteration"] for event in await here.events(run_id) if event["type"] in STEPS]
    assert (steps, (await of(here, run_id)).turns) == ([1, 2, 3], 3)


async def test_no_directory_of_a_project_is_needed(here: World) -> None:
    """A project of the Runs API surface names any path; the simulation touches none."""
    await here.ask("POST", "/v1/projects", json={"name": "far", "path": "/nowhere/at/all"})
    body = {"backend": "demo", "goal": "g", "project": "far", "options": {"seconds": 0}}
    run = await here.wait((await here.ask("POST", "/v1/runs", json=body))["id"])
    assert run["status"] == "COMPLETED"


async def test_it_can_be_replayed(here: World) -> None:
    """As the same events."""
    run_id = await begin(here)
    await here.wait(run_id)
    again = await replay(here, run_id)
    assert again["status"] == "COMPLETED"
    assert await digest_of(here, again["id"]) == await digest_of(here, run_id)
