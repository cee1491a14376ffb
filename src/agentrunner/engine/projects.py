"""Use cases of projects."""

from agentrunner.domain.errors import NameTaken, ProjectNotFound
from agentrunner.domain.project import DEFAULT_PROJECT, NewProject, Project, ProjectSettings
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import QUEUE_TOPIC
from agentrunner.store import projects
from agentrunner.store.base import Tx


async def create(s: Services, new: NewProject) -> Project:
    """Create a project. Raises NameTaken."""
    return await s.db.write(_create, new, s.clock())


async def _create(tx: Tx, new: NewProject, now: int) -> Project:
    project_id = await projects.insert(tx, new, now)
    if project_id is None:
        raise NameTaken(f"There is a project called {new.name!r} already.")
    return Project(id=project_id, name=new.name, path=new.path, settings=new.settings, created_at=now)


async def get(s: Services, name: str) -> Project:
    """One project by name. Raises ProjectNotFound."""
    return await s.db.read(find, name)


async def by_id(s: Services, project_id: int) -> Project:
    """One project by id. Raises ProjectNotFound."""
    project = await s.db.read(projects.get, project_id)
    if project is None:
        raise ProjectNotFound(f"There is no project {project_id}.")
    return project


async def find(tx: Tx, name: str) -> Project:
    """The same inside a transaction."""
    project = await projects.by_name(tx, name)
    if project is None:
        raise ProjectNotFound(f"There is no project called {name!r}.")
    return project


async def page(s: Services, after: int, limit: int) -> list[Project]:
    """Projects behind an id."""
    return await s.db.read(projects.page, after, limit)


async def update(s: Services, name: str, settings: ProjectSettings) -> Project:
    """Replace a project's settings; runs that a cap held may start. Raises ProjectNotFound."""
    return await s.db.write(_update, name, settings)


async def _update(tx: Tx, name: str, settings: ProjectSettings) -> Project:
    project = await find(tx, name)
    await projects.update_settings(tx, project.id, settings)
    tx.after_commit(QUEUE_TOPIC)
    return await find(tx, name)


async def ensure_default(tx: Tx, now: int) -> None:
    """The project called default always exists."""
    await projects.insert(tx, NewProject(name=DEFAULT_PROJECT), now)
