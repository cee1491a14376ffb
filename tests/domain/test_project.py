"""Projects: names, paths, and the form on the wire."""

from typing import Any

import msgspec
import pytest

from agentrunner.domain.project import NewProject, Project, ProjectSettings, view


@pytest.mark.parametrize("name", ["default", "My Project", "a.b-c_d", "9"])
def test_names(name: str) -> None:
    """Letters, digits, space, dot, dash and underline."""
    assert msgspec.convert({"name": name, "path": "/srv/x"}, NewProject).name == name


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " x"},
        {"name": "a/b"},
        {"name": "x" * 101},
        {"name": "x", "path": "relative"},
        {"name": "x", "path": "/a\x00b"},
        {"name": "x", "settings": {"max_running": 0}},
        {"name": "x", "settings": {"max": 1}},
    ],
)
def test_what_is_no_project(body: dict[str, Any]) -> None:
    """Refused before it is stored."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, NewProject)


def test_the_wire_form() -> None:
    """The instant as text."""
    project = Project(id=1, name="p", path=None, settings=ProjectSettings(max_running=2), created_at=0)
    shown = view(project)
    assert (shown.id, shown.name, shown.path, shown.created_at) == (1, "p", None, "1970-01-01T00:00:00.000Z")
    assert msgspec.to_builtins(shown.settings) == {"max_running": 2}
