"""The SQL of what a database knows about itself."""

from agentrunner.store.base import Tx


async def get(tx: Tx, key: str) -> str | None:
    """A value."""
    row = await tx.one("SELECT value FROM meta WHERE key = ?", key)
    return None if row is None else row[0]


async def put_once(tx: Tx, key: str, value: str) -> str:
    """Store a value unless there is one; answers the one that holds."""
    await tx.run("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, value)
    return await get(tx, key) or value


async def put(tx: Tx, key: str, value: str) -> None:
    """Store a value, whatever was there."""
    await tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ?", key, value, value
    )
