"""The SQL of counters, kept in the transactions that change what they count."""

from collections.abc import Mapping

from agentrunner.store.base import Tx

_ADD = """INSERT INTO counts (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = counts.n + excluded.n"""


async def add(tx: Tx, changes: Mapping[str, int]) -> None:
    """Change counters, in the order of their names so that two transactions never wait for each other."""
    rows = [(name, changes[name]) for name in sorted(changes) if changes[name]]
    if rows:
        await tx.many(_ADD, rows)


async def drop_zeros(tx: Tx) -> int:
    """Delete the counters that are 0, such as those of agents that nobody runs any more; answers how many."""
    return await tx.run("DELETE FROM counts WHERE n = 0")


async def read(tx: Tx, prefix: str) -> dict[str, int]:
    """The counters whose name begins with `prefix`, by the rest of the name."""
    sql = f"SELECT name, n FROM counts WHERE substr(name, 1, {len(prefix)}) = ? LIMIT 100000"
    rows = await tx.all(sql, prefix)
    return {row[0][len(prefix) :]: row[1] for row in rows}


async def get(tx: Tx, name: str) -> int:
    """One counter."""
    row = await tx.one("SELECT n FROM counts WHERE name = ?", name)
    return 0 if row is None else int(row[0])
