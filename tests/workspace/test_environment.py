"""The environment of an agent."""

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.workspace.environment import ALLOWED, build, secret_values

WORDS = st.text(st.characters(categories=["Lu"], include_characters="_"), min_size=1, max_size=12)


def test_an_allow_list() -> None:
    """What is not named does not pass: no key and no token of the worker's own."""
    worker = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "AGENTRUNNER_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "k",
        "X": "1",
    }
    assert build(worker, [], {}, {}) == {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


def test_layers() -> None:
    """Allowed, then asked for, then secrets; the last wins."""
    made = build({"LANG": "de_DE", "A": "worker"}, ["A", " B "], {"A": "asked", "KEY": "***"}, {"KEY": "s"})
    assert (made["LANG"], made["A"], made["KEY"]) == ("de_DE", "asked", "s")
    assert build({"A": "worker"}, [" A "], {}, {})["A"] == "worker"
    assert "" not in build({"": "x"}, [], {}, {})


def test_there_is_always_a_path() -> None:
    """An agent starts even where the worker has no environment."""
    assert build({}, [], {}, {})["PATH"].split(":")[-1] == "/bin"


@given(st.dictionaries(WORDS, st.text(max_size=5)), st.lists(WORDS, max_size=3))
def test_nothing_unnamed_passes(worker: dict[str, str], passed: list[str]) -> None:
    """Whatever the worker has."""
    made = build(worker, passed, {}, {})
    assert all(name in ALLOWED | {"TERM"} | set(passed) or name.startswith("LC_") for name in made)


def test_values_to_hide() -> None:
    """The run's secrets and whatever is named like one, each once, nothing empty."""
    environment = {"API_KEY": "a", "PATH": "/bin", "TOKEN": "", "OTHER": "b"}
    assert secret_values(environment, {"OTHER": "b", "API_KEY": "a", "E": ""}) == ["a", "b"]
