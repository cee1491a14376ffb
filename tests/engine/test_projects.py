"""Projects: named, and one called default always exists."""

import asyncio

import pytest

from agentrunner.domain.errors import NameTaken, ProjectNotFound
from agentrunner.domain.project import DEFAULT_PROJECT, NewProject, Project, ProjectSettings
from agentrunner.engine import projects
from engine.world import START, World, begin


async def test_default_is_there_and_stays(world: World) -> None:
    """A second start of the server changes nothing of it."""
    before = await projects.get(world.s, DEFAULT_PROJECT)
    await projects.update(world.s, DEFAULT_PROJECT, ProjectSettings(max_running=3))
    await world.s.db.write(begin, world.clock() + 5)
    after = await projects.get(world.s, DEFAULT_PROJECT)
    assert (after.id, after.created_at, after.settings.max_running) == (before.id, START, 3)


async def test_a_project(world: World) -> None:
    """Created, found by its name and by its id, listed, and its path goes with its runs."""
    made = await projects.create(world.s, NewProject(name="p", path="/srv/p", settings=ProjectSettings(max_running=2)))
    assert await projects.get(world.s, "p") == made
    assert await projects.by_id(world.s, made.id) == made
    await world.create(project="p")
    hold = await (await world.register()).take()
    assert (hold.given.project, hold.given.project_path) == ("p", "/srv/p")


async def test_a_name_is_taken_once(world: World) -> None:
    """Also by many at once."""
    made = await asyncio.gather(
        *(projects.create(world.s, NewProject(name="p")) for _ in range(10)), return_exceptions=True
    )
    assert [isinstance(item, Project) for item in made].count(True) == 1
    assert [isinstance(item, NameTaken) for item in made].count(True) == 9


async def test_unknown_projects(world: World) -> None:
    """Not found, for reading by name and by id, and for changing."""
    with pytest.raises(ProjectNotFound):
        await projects.get(world.s, "nowhere")
    for unknown in (0, -1, 4711, 2**63 - 1):
        with pytest.raises(ProjectNotFound, match=str(unknown)):
            await projects.by_id(world.s, unknown)
    with pytest.raises(ProjectNotFound):
        await projects.update(world.s, "nowhere", ProjectSettings())


async def test_pages(world: World) -> None:
    """By id, behind an id."""
    made = [await projects.create(world.s, NewProject(name=f"p{n}")) for n in range(3)]
    first = await projects.page(world.s, 0, 2)
    assert [project.name for project in first] == [DEFAULT_PROJECT, "p0"]
    assert await projects.page(world.s, first[-1].id, 10) == made[1:]


async def test_a_cap_can_be_taken_away(world: World) -> None:
    """Settings are replaced, not merged."""
    await projects.update(world.s, DEFAULT_PROJECT, ProjectSettings(max_running=1))
    await world.many([{}, {}])
    host = await world.register()
    assert len(await host.claim(slots=5)) == 1
    waiting = asyncio.create_task(host.claim(slots=5, wait_s=30))
    await asyncio.wait([waiting], timeout=0.05)
    assert (await projects.update(world.s, DEFAULT_PROJECT, ProjectSettings())).settings.max_running is None
    async with asyncio.timeout(5):
        assert len(await waiting) == 1
