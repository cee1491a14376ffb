"""Recorded runs replayed through a real worker, and what cannot be replayed."""

import json
from itertools import groupby
from typing import Any

import msgspec
import pytest

from agentrunner.agents.claude import ClaudeBackend
from agentrunner.agents.command import CommandBackend
from agentrunner.domain.digest import digest
from agentrunner.process import kernel
from agentrunner.store.base import Tx
from agents.given import STREAMS
from worker.recording import capture, digest_of, parsed, replay, timeline
from worker.world import World

NAMES = sorted(path.stem for path in STREAMS.glob("*.jsonl"))
MIXED = (
    "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf 'half '; echo between >&2; printf 'line\\n'; "
    "printf 'bytes \\377\\n'; echo; printf 'no newline'"
)


async def refused(here: World, run_id: int, **options: Any) -> str:
    """Why the server does not take a replay."""
    body = {"backend": "replay", "options": {"run": run_id, **options}}
    answer = await here.client.post("/v1/runs", json=body)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


async def failed(here: World, run_id: int) -> str:
    """Why the worker does not begin a replay that the server has taken."""
    run = await replay(here, run_id)
    assert (run["status"], run["reason"]) == ("FAILED", "bad_config"), run
    return str(run["message"])


@pytest.mark.parametrize("stdio", ["pipe", "file"])
async def test_a_command_is_replayed(here: World, stdio: str) -> None:
    """The same events at any speed, and the same end: lines of both streams, invalid bytes, no newline at the end."""
    await here.start_worker()
    run_id = await here.create(f"{MIXED}; exit 3", options={"stdio": stdio})
    await here.wait(run_id)
    wanted = await digest_of(here, run_id)
    for speed in ("max", 2):
        run = await replay(here, run_id, speed)
        assert (run["status"], run["exit_code"]) == ("FAILED", 3)
        assert await digest_of(here, run["id"]) == wanted
    assert run["options"]["run"] == run_id
    assert run["options"]["recorded"]["backend"] == "command"
    assert run["title"].startswith(f"Replay of run {run_id}: sh -c")


async def test_order_across_the_streams_is_kept(here: World) -> None:
    """Of pipes the recording knows what came first, and many turns come in that order, as fast as possible."""
    await here.start_worker()
    turn = "echo $i; sleep 0.01; echo $i >&2; sleep 0.01"
    run_id = await here.create(f"i=0; while [ $i -lt 20 ]; do i=$((i+1)); {turn}; done")
    await here.wait(run_id)
    run = await replay(here, run_id)
    told = [await streams(here, number) for number in (run_id, run["id"])]
    assert told[0] == told[1]
    assert len(told[0]) > 2, "the recording has no turns to keep"


async def streams(here: World, run_id: int) -> list[tuple[str, tuple[str, ...]]]:
    """The streams' turns with their lines, in the order of the timeline."""
    logs = [msgspec.json.decode(event.payload) for event in await timeline(here, run_id) if event.type == "log"]
    lines = [(log["stream"], line) for log in logs for line in log["lines"]]
    return [(stream, tuple(line for _, line in turn)) for stream, turn in groupby(lines, lambda pair: pair[0])]


async def test_a_scenario_is_replayed(here: World) -> None:
    """Backend `script`: its output and its end by a signal."""
    await here.start_worker()
    scenario = [{"emit": {"text": "tick", "repeat": 20, "numbered": True}}, {"flood": 200_000}, {"crash": "KILL"}]
    made = await here.ask("POST", "/v1/runs", json={"backend": "script", "options": {"scenario": scenario}})
    await here.wait(made["id"])
    run = await replay(here, made["id"])
    assert (run["status"], run["reason"], run["signal"]) == ("FAILED", "signal", 9)
    assert await digest_of(here, run["id"]) == await digest_of(here, made["id"])


@pytest.mark.parametrize("name", NAMES)
async def test_captured_streams_of_claude_are_replayed(here: World, name: str) -> None:
    """What the worker makes of captured bytes is what the parser makes of them, usage and cost in the run's totals."""
    await here.start_worker()
    out, err = (STREAMS / f"{name}.jsonl").read_bytes(), b"warning: something\n"
    run_id = await capture(here, "claude", out, err, stdio="file")
    run = await replay(here, run_id)
    expected = parsed(ClaudeBackend(), out, err)
    assert await digest_of(here, run["id"]) == digest(expected)
    assert run["options"]["recorded"]["backend"] == "claude"
    assert ("usage" in {event.type for event in expected}) == (run["usage"]["output_tokens"] > 0)


async def test_a_run_of_claude_is_replayed_with_its_verdict(here: World) -> None:
    """Recorded by the claude backend itself, from a program that says what Claude Code once said."""
    await here.start_worker()
    program = here.data_dir / "claude"
    program.write_text(f"#!/bin/sh\ncat {STREAMS}/tools.jsonl\n")
    program.chmod(0o700)
    request = {"backend": "claude", "goal": "tea", "options": {"program": str(program)}}
    made = await here.ask("POST", "/v1/runs", json=request)
    original = await here.wait(made["id"], "COMPLETED")
    first = await replay(here, made["id"])
    again = await replay(here, first["id"])
    for run in (first, again):
        assert (run["status"], run["usage"], run["cost_usd"]) == (
            "COMPLETED",
            original["usage"],
            original["cost_usd"],
        )
        assert await digest_of(here, run["id"]) == await digest_of(here, made["id"])
    assert again["options"]["recorded"]["backend"] == "claude"


async def test_time_is_divided_by_speed(here: World) -> None:
    """Half a second of recorded silence is there at speed 1, and gone at the fastest."""
    await here.start_worker()
    run_id = await here.create("echo a; sleep 0.5; echo b")
    await here.wait(run_id)
    took = {}
    for speed in (1, 50):
        run = await replay(here, run_id, speed)
        events = await here.events(run["id"])
        took[speed] = events[-1]["payload"]["duration_ms"]
        assert await digest_of(here, run["id"]) == await digest_of(here, run_id)
        # Lines further apart than a quarter of a second are two events.
        assert speed > 1 or [event["type"] for event in events].count("log") == 2
    assert took[1] >= 500
    assert took[50] < took[1] - 200


async def test_secrets_stay_masked(here: World) -> None:
    """They come from the recording's own spec: no event, argument or environment of the replay shows them."""
    await here.start_worker()
    run_id = await here.create('echo "the key is $API_KEY"', secrets={"API_KEY": "correct horse battery"})
    await here.wait(run_id)
    run = await replay(here, run_id)
    assert await here.lines(run["id"]) == ["the key is ***"]
    spec = here.directory(run["id"]).spec()
    assert "correct horse battery" in spec.secrets
    assert "correct horse" not in json.dumps([spec.argv, spec.env, spec.prompt, run])


async def test_what_has_no_recording_is_refused(here: World) -> None:
    """At creation, with what to do."""
    await here.start_worker()
    assert "there is no run 99" in await refused(here, 99)
    external = (await here.ask("POST", "/v1/runs", json={"backend": "external", "goal": "x"}))["id"]
    assert "only reported" in await refused(here, external)
    active = await here.create("exec sleep 60")
    await here.wait(active, "RUNNING", phase="starting")
    assert "replay it once it has ended" in await refused(here, active)
    await here.ask("POST", f"/v1/runs/{active}/stop")
    await here.wait(active)
    assert "not executed in attempt 2" in await refused(here, active, attempt=2)
    assert "from 0 to 1000000, or 'max'" in await refused(here, active, speed="fast")
    missing = (
        await here.ask("POST", "/v1/runs", json={"backend": "claude", "goal": "x", "options": {"program": "/no"}})
    )["id"]
    await here.wait(missing)
    assert "was not executed" in await refused(here, missing)


async def test_a_damaged_recording_is_refused(here: World) -> None:
    """Deleted, punched or changed: the replay ends at once and says which, and what to do."""
    await here.start_worker()
    run_id = await here.create("seq 20000")
    await here.wait(run_id)
    directory = here.directory(run_id)
    with (directory.path / "out").open("r+b") as file:
        assert kernel.punch(file.fileno(), 0, 8192)
    assert "given back when the run came near `spool_cap_mb`" in await failed(here, run_id)
    with (directory.path / "out").open("ab") as file:
        file.write(b"more\n")
    assert "was changed" in await failed(here, run_id)
    directory.path.rename(directory.path.with_name("gone"))
    message = await failed(here, run_id)
    assert "is not on this host" in message
    assert "agentrunner retry" in message


async def test_only_the_worker_with_the_recording_gets_it(here: World) -> None:
    """Another one is online and is not asked; with the right one away a replay is refused by name."""
    await here.start_worker()
    run_id = await here.create("echo here")
    await here.wait(run_id)
    mine = here.me.worker_id
    await here.stop_worker()
    await here.start_worker(worker_id="11111111-2222-4333-8444-555555555555")
    made = await here.ask("POST", "/v1/runs", json={"backend": "replay", "options": {"run": run_id}})
    assert made["worker"] == mine
    other = await here.create("echo other")
    await here.wait(other)
    assert (await here.run(made["id"]))["status"] == "QUEUED"
    explained = await here.ask("GET", f"/v1/runs/{made['id']}/explain")
    assert mine in " ".join(explained["because"])
    await here.stop_worker()
    await here.start_worker()
    await here.wait(made["id"], "COMPLETED")
    assert await digest_of(here, made["id"]) == await digest_of(here, run_id)


async def test_bytes_of_a_command_are_what_its_parser_says(here: World) -> None:
    """A line longer than a MiB, and nothing at all."""
    await here.start_worker()
    for data in (b"x" * 1_500_000 + b"\nend", b""):
        run_id = await capture(here, "command", data)
        run = await replay(here, run_id)
        assert await digest_of(here, run["id"]) == digest(parsed(CommandBackend(), data))


async def test_a_replay_goes_on_under_another_worker(here: World) -> None:
    """It is an attempt like any other: found again in the middle, and read on by the recorded backend's parser."""
    await here.start_worker()
    stream = STREAMS / "tools.jsonl"
    run_id = await here.create(f'while read -r line; do printf "%s\\n" "$line"; sleep 0.05; done < {stream}')
    await here.wait(run_id)

    async def rename(tx: Tx) -> None:
        await tx.run("UPDATE runs SET backend = 'claude' WHERE id = ?", run_id)

    await here.services.db.write(rename)
    made = await here.ask("POST", "/v1/runs", json={"backend": "replay", "options": {"run": run_id}})
    await here.wait(made["id"], "RUNNING", phase="working")
    await here.stop_worker()
    await here.start_worker()
    run = await here.wait(made["id"], "COMPLETED")
    assert here.directory(made["id"]).spec().backend == "claude"
    assert "run.adopted" in await here.types(made["id"])
    assert run["usage"]["output_tokens"] > 0
    assert await digest_of(here, made["id"]) == digest(parsed(ClaudeBackend(), stream.read_bytes()))
