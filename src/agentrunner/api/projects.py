"""Projects over HTTP."""

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath, JSONBody

from agentrunner.api.pages import Cursor, Limit, after
from agentrunner.api.routes import Given
from agentrunner.domain.project import NewProject, ProjectSettings, ProjectView, view
from agentrunner.domain.token import Scope
from agentrunner.engine import projects


class ProjectPage(msgspec.Struct, frozen=True, kw_only=True):
    """Projects, the oldest first. `next_cursor` goes into `cursor` for the next page; null on the last."""

    items: list[ProjectView]
    next_cursor: str | None


class ProjectChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed of a project: its settings, as a whole."""

    settings: ProjectSettings


@get("/v1/projects", opt={"scope": Scope.READ}, summary="List projects")
async def page(context: Given, limit: Limit = 100, cursor: Cursor = None) -> ProjectPage:
    """Projects, the oldest first."""
    found, following = await after("projects", projects.page, context.services, cursor, limit)
    return ProjectPage(items=[view(project) for project in found], next_cursor=following)


@post("/v1/projects", opt={"scope": Scope.ADMIN}, summary="Create a project")
async def create(context: Given, data: JSONBody[NewProject]) -> ProjectView:
    """A workspace for runs; without `path` each run gets an empty directory."""
    return view(await projects.create(context.services, data))


@patch("/v1/projects/{name:str}", opt={"scope": Scope.ADMIN}, summary="Change a project's settings")
async def change(context: Given, name: FromPath[str], data: JSONBody[ProjectChange]) -> ProjectView:
    """Replace the settings of a project; runs that a cap held may start."""
    return view(await projects.update(context.services, name, data.settings))


HANDLERS = [page, create, change]
