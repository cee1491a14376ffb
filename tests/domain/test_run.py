"""Runs: titles, secrets, and the form on the wire."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.run import (
    MASK,
    NewRun,
    Run,
    RunView,
    Usage,
    looks_secret,
    split_secrets,
    title_of,
    view,
)
from agentrunner.domain.state import Status
from domain.stored import run

NAMES = st.text(min_size=1, max_size=20)
VALUES = st.text(max_size=20) | st.integers() | st.booleans()


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"title": "Said", "goal": "done"}, "Said"),
        ({"goal": "\n  Mend the build\nand then rest"}, "Mend the build"),
        ({"options": {"argv": ["sh", "-c", "echo a\necho b"]}}, "sh -c echo a"),
        ({"options": {"argv": "sh"}}, "command"),
        ({"options": {"argv": [1, 2]}}, "1 2"),
        ({"goal": "   ", "options": {"argv": []}}, "command"),
        ({"goal": "x" * 200}, "x" * 200),
        ({"goal": "x" * 201}, "x" * 199 + "…"),
    ],
)
def test_titles(fields: dict[str, Any], title: str) -> None:
    """What was asked for, else the goal's first line, else the command, else the backend; 200 characters at most."""
    assert title_of(NewRun(backend="command", **fields)) == title


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_title_is_one_short_line(goal: str, word: str) -> None:
    """Whatever the goal, a made title is not empty, not long and has no line break."""
    title = title_of(NewRun(backend="command", goal=goal, options={"argv": [word]}))
    assert 0 < len(title) <= 200
    assert "\n" not in title


@pytest.mark.parametrize("name", ["API_KEY", "github_token", "MySecret", "DB_PASSWORD", "KEYCHAIN"])
def test_names_of_secrets(name: str) -> None:
    """KEY, TOKEN, SECRET, PASSWORD, anywhere, in any case."""
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "PASS", "KE_Y"])
def test_names_that_are_no_secrets(name: str) -> None:
    """Other variables are kept as they are."""
    assert not looks_secret(name)


def test_secrets_leave_the_options() -> None:
    """Values of secret-looking variables are masked and handed over, explicit secrets win."""
    options = {"argv": ["x"], "env": {"A_TOKEN": "s1", "B_KEY": 17, "PATH": "/bin", "C_SECRET": None}}
    masked, secrets = split_secrets(options, {"A_TOKEN": "s2", "OTHER": "s3"})
    assert masked == {"argv": ["x"], "env": {"A_TOKEN": MASK, "B_KEY": MASK, "PATH": "/bin", "C_SECRET": None}}
    assert secrets == {"A_TOKEN": "s2", "B_KEY": "17", "OTHER": "s3"}
    assert options["env"] == {"A_TOKEN": "s1", "B_KEY": 17, "PATH": "/bin", "C_SECRET": None}


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, st.text(max_size=9)))
def test_no_secret_value_stays(env: dict[str, Any], secrets: dict[str, str]) -> None:
    """What is stored has the same variables, and no value of a secret-looking one."""
    masked, found = split_secrets({"env": env}, secrets)
    assert set(masked["env"]) == set(env)
    for name, value in env.items():
        assert masked["env"][name] == (MASK if looks_secret(name) else value)
        if looks_secret(name):
            assert found[name] == secrets.get(name, str(value))
    assert set(secrets) <= set(found)


@given(st.dictionaries(NAMES, st.text(max_size=9)))
def test_splitting_what_was_split_gives_the_same_secrets(env: dict[str, str]) -> None:
    """So a retry, whose options are masked already, has its secrets back."""
    masked, secrets = split_secrets({"env": env}, {})
    assert split_secrets(masked, secrets) == (masked, secrets)


@pytest.mark.parametrize("env", [None, [], "A_KEY=1", 3])
def test_an_environment_that_is_none(env: Any) -> None:
    """Options of another form pass; the backend refuses them."""
    assert split_secrets({"env": env}, {"A": "b"}) == ({"env": env}, {"A": "b"})


def test_the_wire_form() -> None:
    """Instants as text, the worker by its id, and nothing of what only server and worker need."""
    shown = view(run(status=Status.RUNNING, worker_id="w1", started_at=1763690400123))
    assert (shown.created_at, shown.started_at, shown.ended_at) == (*["2025-11-21T02:00:00.123Z"] * 2, None)
    assert shown.worker == "w1"
    hidden = {"epoch", "revision", "answered", "has_secrets", "project_id", "queued_at", "worker_id"}
    assert set(RunView.__struct_fields__) == set(Run.__struct_fields__) - hidden | {"worker"}


def test_the_wire_form_has_the_names_of_the_design() -> None:
    """Clients build on these."""
    names = (
        "id external_id title goal project backend agent agent_version status phase hold reason desired attempt "
        "priority exit_code usage cost_usd last_seq retry_of created_at started_at ended_at labels metadata"
    )
    assert set(names.split()) <= set(RunView.__struct_fields__)


@given(st.tuples(*[st.integers(0, 10**12)] * 4), st.tuples(*[st.integers(0, 10**12)] * 4))
def test_usage_adds_up(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Field by field."""
    names = Usage.__struct_fields__
    total = Usage(**dict(zip(names, one, strict=True))).plus(Usage(**dict(zip(names, other, strict=True))))
    assert msgspec.structs.astuple(total) == tuple(a + b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "body",
    [
        {"backend": "Command"},
        {"backend": ""},
        {"backend": "command", "surprise": 1},
        {"backend": "command", "limits": {"wall_s": 0}},
        {"backend": "command", "limits": {"wall": 1}},
        {"backend": "command", "retry": {"attempts": 0}},
        {"backend": "command", "retry": {"reasons": ["because"]}},
        {"backend": "command", "labels": {"not a name": "x"}},
        {"backend": "command", "labels": {"a": "x" * 201}},
        {"backend": "command", "secrets": {"1X": "x"}},
        {"backend": "command", "priority": 1001},
        {"backend": "command", "on_lost": "hope"},
        {"backend": "command", "external_id": ""},
        {"goal": "x"},
    ],
)
def test_what_cannot_be_asked_for(body: dict[str, Any]) -> None:
    """Bounds and unknown fields are refused before anything else looks."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, NewRun)
