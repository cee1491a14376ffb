"""The SQL of how large a database is, and of which schema."""

from typing import NamedTuple

from agentrunner.store.base import Tx


class Extent(NamedTuple):
    """A database's driver, schema, size in bytes, and on SQLite its file."""

    driver: str
    schema: int
    size: int
    file: str | None


async def extent(tx: Tx) -> Extent:
    """How large the database is now, without its log."""
    newest = await tx.one("SELECT max(version) FROM schema_versions")
    schema = 0 if newest is None else int(newest[0])
    if tx.dialect.name != "sqlite":
        size = await tx.one("SELECT pg_database_size(current_database())")
        return Extent(tx.dialect.name, schema, 0 if size is None else int(size[0]), None)
    pages = await tx.one("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    file = await tx.one("SELECT file FROM pragma_database_list WHERE name = 'main'")
    return Extent(tx.dialect.name, schema, 0 if pages is None else int(pages[0]), None if file is None else file[0])
