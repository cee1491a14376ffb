"""The SQL of projects."""

from agentrunner.domain.project import NewProject, Project, ProjectSettings
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"settings": ProjectSettings}
_SELECT = "SELECT id, name, path, settings, created_at FROM projects"


async def insert(tx: Tx, new: NewProject, now: int) -> int | None:
    """Store a project; None where the name is taken."""
    sql = """INSERT INTO projects (name, path, settings, created_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO NOTHING RETURNING id"""
    row = await tx.one(sql, new.name, new.path, encode(new.settings), now)
    return None if row is None else row[0]


async def by_name(tx: Tx, name: str) -> Project | None:
    """The project of this name."""
    row = await tx.one(f"{_SELECT} WHERE name = ?", name)
    return None if row is None else decode(row, Project, _JSON)


async def get(tx: Tx, project_id: int) -> Project | None:
    """One project."""
    row = await tx.one(f"{_SELECT} WHERE id = ?", project_id)
    return None if row is None else decode(row, Project, _JSON)


async def page(tx: Tx, after: int, limit: int) -> list[Project]:
    """Projects behind an id, in the order of their ids."""
    rows = await tx.all(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT {int(limit)}", after)
    return [decode(row, Project, _JSON) for row in rows]


async def capped(tx: Tx) -> dict[int, int]:
    """The caps of the projects that have one: id -> how many of its runs may be active."""
    rows = await tx.all(f"{_SELECT} WHERE settings LIKE '%max_running%' ORDER BY id LIMIT 10000")
    found = [decode(row, Project, _JSON) for row in rows]
    return {project.id: project.settings.max_running for project in found if project.settings.max_running is not None}


async def update_settings(tx: Tx, project_id: int, settings: ProjectSettings) -> None:
    """Replace a project's settings."""
    await tx.run("UPDATE projects SET settings = ? WHERE id = ?", encode(settings), project_id)
