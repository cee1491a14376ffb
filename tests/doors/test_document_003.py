"""Document 003, Agent Metrics: every curl of its page in its order, and what its clients read in the answers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from doors.examples import Answer, Door
from waiting import until

PAGE = """
curl -X GET http://localhost:9999/api/v1/agents

curl -X POST http://localhost:9999/api/v1/agents/my-agent/register \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "my-agent",
    "project": "my-project"
  }'

curl -X POST http://localhost:9999/api/v1/agents/{agentId}/versions \\
  -H "Content-Type: application/json" \\
  -d '{
    "version": "1.0.2",
    "cluster": "123",
    "tools": ["tool1", "tool2"],
    "models": ["model1", "model2"],
    "deployment": "prod"
  }'

curl -X GET http://localhost:9999/api/v1/agents/{agentId}/versions

curl -X GET http://localhost:9999/api/v1/agents/{agentId}/versions/{version}

curl -X POST http://localhost:9999/api/v1/agents/{agentId}/versions/1.0.2/runs \\
  -H "Content-Type: application/json" \\
  -d '{
    "created": "2023-08-01T12:00:00Z",
    "status": "completed",
    "time_taken": "5m30s",
    "initiator": "user123",
    "tools": ["tool1", "tool2"],
    "cost": 0.1,
    "models": ["model1", "model2"],
    "id": 123,
    "task_id": 12
  }'

curl -X POST http://localhost:9999/api/v1/agents/{agentId}/versions/1.0.2/runs \\
  -H "Content-Type: application/json" \\
  -d '{
    "runs": [
      {
        "created": "2023-08-01T12:00:00Z",
        "status": "completed",
        "time_taken": "5m30s",
        "initiator": "user123",
        "tools": ["tool1", "tool2"],
        "cost": 0.1,
        "models": ["model1", "model2"],
        "id": 123,
        "task_id": 12
      },
      {
        "created": "2023-08-01T13:00:00Z",
        "status": "failed",
        "time_taken": "2m10s",
        "initiator": "user456",
        "tools": ["tool3", "tool4"],
        "cost": 0.05,
        "models": ["model3"],
        "id": 124,
        "task_id": 13
      }
    ]
  }'

curl -X GET http://localhost:9999/api/v1/agents/{agentId}/versions/{version}/runs

curl -X GET http://localhost:9999/api/v1/agents/{agentId}/runs

curl -X GET http://localhost:9999/api/v1/ui/stats

curl -X GET http://localhost:9999/api/v1/ui/recent_activity

curl -X GET http://localhost:9999/api/v1/ui/agent_versions
"""
"""The commands of its section "Example Usage", as they stand there."""
HEX = re.compile(r"[0-9a-f]{24}")


@pytest.fixture(scope="module")
def answers(door: Door) -> list[Answer]:
    """What each command of the page got, in its order, once for all tests; ids are those that were answered before."""
    ids: dict[str, object] = {"version": "1.0.2"}
    found: list[Answer] = []
    for command in PAGE.strip().split("\n\n"):
        found.append(door.run(command, ids))
        if "/register" in command:
            ids["agentId"] = found[-1].json["id"]
    return found


def matches(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every field, no other one; a type or a pattern stands for any value of its form."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        if isinstance(value, re.Pattern):
            assert value.fullmatch(found[name]), f"{name}: {found[name]!r}"
        elif value is datetime:
            assert datetime.fromisoformat(found[name]).utcoffset() == timedelta(0), name
        elif isinstance(value, type):
            assert type(found[name]) is value, f"{name}: {found[name]!r}"
        else:
            assert found[name] == value, name


def run_of(n: int) -> dict[str, Any]:
    """What is answered of the page's first or second run."""
    first = {"status": "completed", "time_taken": "5m30s", "initiator": "user123", "tools": ["tool1", "tool2"]}
    first |= {"cost": 0.1, "models": ["model1", "model2"], "id": 123, "task_id": 12}
    second = {"status": "failed", "time_taken": "2m10s", "initiator": "user456", "tools": ["tool3", "tool4"]}
    second |= {"cost": 0.05, "models": ["model3"], "id": 124, "task_id": 13}
    known = {"agent_id": HEX, "version_id": HEX, "version": "1.0.2", "run_id": int, "recorded_at": datetime}
    return known | {"created": f"2023-08-01T1{1 + n}:00:00.000Z"} | (first if n == 1 else second)


def test_every_command_is_answered_as_by_the_original(answers: list[Answer]) -> None:
    """201 for what is added, 200 for what is looked at, JSON always."""
    assert [each.status for each in answers] == [200, 201, 201, 200, 200, 201, 201, 200, 200, 200, 200, 200]
    assert {each.headers["content-type"] for each in answers} == {"application/json"}


def test_an_empty_list_is_a_list(answers: list[Answer]) -> None:
    """Where the original answers `null`, which clients that loop over it trip on."""
    assert answers[0].text == "[]"


def test_agents_and_versions_have_the_documented_fields(answers: list[Answer]) -> None:
    """Ids of 24 hexadecimal digits, times of RFC 3339."""
    agent, added, listed, one = (answers[n].json for n in (1, 2, 3, 4))
    times = {"created_at": datetime, "updated_at": datetime}
    matches(agent, {"id": HEX, "name": "my-agent", "project": "my-project", **times})
    expected = {"id": HEX, "agent_id": agent["id"], "version": "1.0.2", "cluster": "123", "deployment": "prod", **times}
    expected |= {"tools": ["tool1", "tool2"], "models": ["model1", "model2"]}
    matches(added, expected)
    assert listed == [added]
    assert one == added


def test_a_single_run_is_taken_and_answers_an_object(answers: list[Answer]) -> None:
    """The page's first example, which the original always refuses."""
    matches(answers[5].json, run_of(1))


def test_a_batch_answers_an_array(answers: list[Answer]) -> None:
    """In the order in which it was sent."""
    first, second = answers[6].json
    matches(first, run_of(1))
    matches(second, run_of(2))


def test_the_id_that_a_client_gave_is_answered_back(answers: list[Answer]) -> None:
    """The original loses it: two of its fields have the same name."""
    assert [each["id"] for each in answers[7].json] == [124, 123, 123]
    assert len({each["run_id"] for each in answers[7].json}) == 3


def test_runs_are_listed_newest_first(answers: list[Answer]) -> None:
    """By version and over all versions, the same runs as they were answered when they came."""
    of_version, of_agent = answers[7].json, answers[8].json
    assert of_version == of_agent == [answers[6].json[1], answers[6].json[0], answers[5].json]


def test_the_dashboard_has_four_figures_in_their_order(answers: list[Answer]) -> None:
    """The runs are of 2023: today is empty, which is said with every field and no error."""
    cards = answers[9].json
    icons = [("Active Agents", "Bot"), ("Total Runs Today", "Activity"), ("Avg Response Time", "Clock")]
    assert [(each["title"], each["icon"]) for each in cards] == [*icons, ("Total Cost Today", "DollarSign")]
    for card in cards:
        assert set(card) == {"title", "value", "change", "icon", "trend", "raw"}
    assert [each["value"] for each in cards] == ["0", "0", "0.0s", "$0.00"]
    assert {each["trend"] for each in cards} == {"neutral"}
    assert {each["raw"] for each in cards} == {0}


def test_recent_activity_has_the_documented_fields(answers: list[Answer]) -> None:
    """The newest first; `failed` is a failed run, durations are numbers of seconds."""
    newest, *others = answers[10].json
    expected = {"id": 124, "agent": "my-agent", "action": "failed run", "status": "failed", "duration": 130.0}
    matches(newest, expected | {"time": "2023-08-01T13:00:00.000Z", "cost": 0.05})
    assert [(each["action"], each["duration"], each["cost"]) for each in others] == [("completed run", 330.0, 0.1)] * 2


def test_agent_versions_have_the_documented_fields(answers: list[Answer]) -> None:
    """Of three runs one has failed: two thirds succeeded, and the mean is over all three."""
    (found,) = answers[11].json
    expected = {"id": answers[2].json["id"], "name": "my-agent", "project": "my-project", "status": "inactive"}
    expected |= {"lastSeen": "2023-08-01T13:02:10.000Z", "version": "1.0.2", "avgRuntime": round(790 / 3, 6)}
    expected |= {"successRate": 66.6667, "totalRuns": 3, "spend": 0.25, "cluster": "123"}
    matches(found, expected | {"tools": ["tool1", "tool2"], "models": ["model1", "model2"]})


def test_the_runs_are_runs_like_all_others(door: Door, answers: list[Answer]) -> None:
    """The native API shows them with their end, and their timeline says how it was reported."""
    run_id = answers[6].json[1]["run_id"]
    run = door.run(f"curl http://localhost:8787/v1/runs/{run_id}").json
    expected = {"backend": "external", "agent": "my-agent", "agent_version": "1.0.2", "status": "FAILED"}
    assert {name: run[name] for name in expected} == expected
    assert (run["started_at"], run["ended_at"]) == ("2023-08-01T13:00:00.000Z", "2023-08-01T13:02:10.000Z")
    events = door.run(f"curl http://localhost:8787/v1/runs/{run_id}/events").json["items"]
    assert [(each["seq"], each["type"]) for each in events] == [(1, "run.created"), (2, "run.failed")]
    assert events[1]["payload"]["reported"] == "failed"


def _is_within_a_day(now: datetime) -> bool:
    """No midnight of UTC, by which the server counts, in the last 12 s or the next 15 s."""
    return (now - timedelta(seconds=12)).date() == (now + timedelta(seconds=15)).date()


def test_runs_of_today_move_the_dashboard_at_once(door: Door, answers: list[Answer]) -> None:
    """The roll-ups change with the answer: no worker has to pass first."""
    agent = answers[1].json["id"]
    # The run must have ended on the day that the server calls today, and still be of it when the dashboard is asked.
    until(lambda: _is_within_a_day(datetime.now(UTC)), timeout=40, every=0.1)
    created = (datetime.now(UTC) - timedelta(seconds=10)).isoformat()
    body = f'{{"runs": [{{"created": "{created}", "status": "completed", "time_taken": 3.2, "cost": 1.5}}]}}'
    address = f"http://localhost:8787/api/v1/agents/{agent}/versions/1.0.2/runs"
    assert door.run(f"curl {address} -d '{body}'").status == 201
    cards = {each["title"]: each for each in door.run("curl http://localhost:8787/api/v1/ui/stats").json}
    assert cards["Active Agents"]["value"] == "1"
    assert cards["Active Agents"]["change"] == "+1 from last week"
    assert (cards["Total Runs Today"]["raw"], cards["Total Runs Today"]["trend"]) == (1, "up")
    assert (cards["Avg Response Time"]["value"], cards["Avg Response Time"]["raw"]) == ("3.2s", 3.2)
    assert (cards["Total Cost Today"]["value"], cards["Total Cost Today"]["raw"]) == ("$1.50", 1.5)
