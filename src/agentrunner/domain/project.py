"""Projects: a workspace on disk with defaults and policy for its runs."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import rfc3339

DEFAULT_PROJECT = "default"
ProjectName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$(?!\n)")]


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Policy of a project. `max_running`: how many of its runs may be active at once; None means no cap of its own."""

    max_running: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class NewProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to create a project; `path` is absolute, on the worker's host."""

    name: ProjectName
    path: Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^/[^\x00]*$(?!\n)")] | None = None
    settings: ProjectSettings = ProjectSettings()


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project as stored. A project without a path gives each run an empty directory of its own."""

    id: int
    name: str
    path: str | None
    settings: ProjectSettings
    created_at: int


class ProjectView(msgspec.Struct, frozen=True, kw_only=True):
    """A project on the wire."""

    id: int
    name: str
    path: str | None
    settings: ProjectSettings
    created_at: str


def view(project: Project) -> ProjectView:
    """The wire form of a project."""
    return ProjectView(
        id=project.id,
        name=project.name,
        path=project.path,
        settings=project.settings,
        created_at=rfc3339(project.created_at),
    )
