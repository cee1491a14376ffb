"""The registry of backends."""

from importlib.metadata import EntryPoint

import pytest

from agentrunner.agents.command import CommandBackend
from agentrunner.agents.registry import GROUP, Registry, load
from agentrunner.agents.script import ScriptBackend
from agentrunner.domain.errors import InvalidField


class Foreign(CommandBackend):
    """A backend of another distribution."""

    name = "foreign"


ready = Foreign()


def leave() -> None:
    """An entry point with bad manners."""
    raise SystemExit(3)


def point(name: str, value: str) -> EntryPoint:
    """An entry point as an installed distribution would declare it."""
    return EntryPoint(name, value, GROUP)


def test_backends_are_found_by_name() -> None:
    """Sorted, whatever the order they came in."""
    registry = load([ScriptBackend(), CommandBackend()], [])
    assert registry.names == ["command", "script"]
    assert [backend.name for backend in registry] == registry.names
    assert registry.get("script").name == "script"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """And with all there are."""
    with pytest.raises(InvalidField) as caught:
        load([ScriptBackend(), CommandBackend()], []).get("comand")
    assert caught.value.detail == "There is no backend 'comand'; did you mean 'command'? Known: command, script."


def test_a_name_is_given_once() -> None:
    """Two backends of one name are a mistake in the program."""
    registry = Registry()
    registry.register(CommandBackend())
    with pytest.raises(ValueError, match="already"):
        registry.register(CommandBackend())


@pytest.mark.parametrize("value", ["agents.test_registry:Foreign", "agents.test_registry:ready"])
def test_entry_points_join_in(value: str) -> None:
    """As a class or as an object."""
    registry = load([CommandBackend()], [point("foreign", value)])
    assert (registry.names, registry.broken) == (["command", "foreign"], [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("gone", "no_such_module:Backend", "ModuleNotFoundError"),
        ("leaves", "agents.test_registry:leave", "SystemExit: 3"),
        ("number", "builtins:int", "it has no check, command, parser, find"),
        ("other", "agents.test_registry:Foreign", "it calls itself 'foreign'"),
        ("command", "agentrunner.agents.command:CommandBackend", "there is a backend 'command' already"),
    ],
)
def test_a_broken_entry_point_is_reported_and_harms_nobody(name: str, value: str, said: str) -> None:
    """The built-in backends work on."""
    registry = load([CommandBackend()], [point(name, value)])
    assert registry.names == ["command"]
    (broken,) = registry.broken
    assert broken.name == name
    assert said in broken.problem


def test_installed_entry_points_are_looked_up() -> None:
    """Without a list of its own, `load` asks the installed distributions."""
    assert load([CommandBackend()]).get("command").name == "command"
