"""Which database a server gets, and what is there once it is open."""

import stat
from pathlib import Path

from agentrunner.app.tokens import TOKEN_FILE, WORKER_TOKEN_FILE
from agentrunner.app.wiring import database, open_services
from agentrunner.config import load
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase


def test_sqlite_unless_a_url_is_set(tmp_path: Path) -> None:
    """The file is in the data directory; a URL decides otherwise."""
    assert isinstance(database(load({}, {"data_dir": str(tmp_path)})), SqliteDatabase)
    url = "postgresql://nobody@localhost/nothing"
    assert isinstance(database(load({"AGENTRUNNER_DATABASE_URL": url}, {"data_dir": str(tmp_path)})), PostgresDatabase)


async def test_an_instance_has_one_name_for_ever(tmp_path: Path) -> None:
    """Run directories are found by it: it must outlive every start. The token files are private and stay too."""
    settings = load({}, {"data_dir": str(tmp_path / "new")})
    found = []
    for _ in range(2):
        async with open_services(settings) as services:
            tokens = [(settings.data_path / name).read_text() for name in (TOKEN_FILE, WORKER_TOKEN_FILE)]
            found.append((await services.db.read(meta.get, INSTANCE), *tokens))
            for name in (TOKEN_FILE, WORKER_TOKEN_FILE):
                assert stat.S_IMODE((settings.data_path / name).stat().st_mode) == 0o600
    assert found[0] == found[1]
    assert found[0][0]
    assert found[0][1] != found[0][2]
    assert stat.S_IMODE(settings.data_path.stat().st_mode) == 0o700


async def test_two_databases_are_two_instances(tmp_path: Path) -> None:
    """A worker touches only the directories of the one it serves."""
    names = set()
    for name in ("a", "b"):
        async with open_services(load({}, {"data_dir": str(tmp_path / name)})) as services:
            names.add(await services.db.read(meta.get, INSTANCE))
    assert len(names) == 2
