"""Whether a SQLite database is sound: its file, its references, its schema, its counters, its timelines.

Everything is read over a connection of the caller's, which may be read-only, while a server writes.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from agentrunner.domain.check import Check
from agentrunner.domain.errors import ConfigurationError
from agentrunner.store import migrate, retention

RESTORE = "Stop `agentrunner up`, then restore a backup: `agentrunner db restore FILE`."
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged database raises; Python fails at SQLite's own message where that quotes damaged text."""
SAMPLE = 1000
"""How many timelines are read unless all are: half of them the newest, half anywhere."""
_LARGE_WAL = 128 << 20
_SHOWN = 5
_ACTIVE = "status IN ('RUNNING', 'PAUSED') AND backend <> 'external'"
_COUNTED = f"""
    SELECT 'status/' || status, count(*) FROM runs GROUP BY status
    UNION ALL SELECT 'active', count(*) FROM runs WHERE {_ACTIVE} HAVING count(*) > 0
    UNION ALL SELECT 'active/project/' || project_id, count(*) FROM runs WHERE {_ACTIVE} GROUP BY project_id
    UNION ALL SELECT 'active/backend/' || backend, count(*) FROM runs WHERE {_ACTIVE} GROUP BY backend
    UNION ALL SELECT 'active/agent/' || agent, count(*) FROM runs WHERE {_ACTIVE} AND agent IS NOT NULL GROUP BY agent
"""
_GAPS = f"""
    SELECT r.id FROM runs r WHERE {{chosen}} AND (SELECT count(*) = r.last_seq - coalesce(min(seq), r.last_seq + 1) + 1
        AND coalesce(max(seq), r.last_seq) = r.last_seq AND (coalesce(min(seq), r.last_seq + 1) = 1 OR r.ended_at <
        (SELECT CAST(value AS INTEGER) FROM meta WHERE key = '{retention.EVENTS_PRUNED}')) IS TRUE
        FROM events e WHERE e.run_id = r.id) = 0 LIMIT 1000
"""
"""A timeline may lack its beginning where its retention is over, and nothing else."""
_SAMPLED = """r.id IN (SELECT id FROM (SELECT id FROM runs ORDER BY id DESC LIMIT :half)
    UNION SELECT r2.id FROM (SELECT abs(random()) % (SELECT max(id) FROM runs) + 1 AS n FROM runs LIMIT :half) JOIN
    runs r2 ON r2.id = n)"""
_STRAY = "SELECT DISTINCT run_id FROM events WHERE run_id NOT IN (SELECT id FROM runs) LIMIT 1000"


def defects(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's own check of every page and index finds; empty where all is well."""
    factory = connection.text_factory
    # What it finds is shown as far as it is text: a damaged name would be an error of its own.
    connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
    try:
        return [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error)]
    finally:
        connection.text_factory = factory


def checks(connection: sqlite3.Connection, path: Path, full: bool, say: Callable[[str], None]) -> Iterator[Check]:
    """Every check, cheapest meaning first: where the file is damaged the others would only repeat it.

    `full` reads every timeline instead of a sample. `say` is told what comes next. Raises sqlite3.Error where the
    database cannot be read at all.
    """
    say("Reading every page")
    file = _file(connection)
    yield file
    if file.status == "fail":
        return
    schema = _schema(connection)
    yield schema
    if schema.status != "ok":
        return
    say("Following references")
    yield _references(connection)
    say("Counting runs")
    yield _counters(connection)
    say("Reading timelines")
    yield _timelines(connection, full)
    yield _log(path)


def _file(connection: sqlite3.Connection) -> Check:
    name = "file"
    if found := defects(connection):
        return Check(name=name, status="fail", detail=f"damaged: {_some(found)}", advice=RESTORE)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    size = pages * connection.execute("PRAGMA page_size").fetchone()[0]
    return Check(name=name, status="ok", detail=f"every page and index is sound, {size / (1 << 20):.1f} MiB")


def _schema(connection: sqlite3.Connection) -> Check:
    name = "schema"
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "schema_versions" not in tables:
        return Check(name=name, status="fail", detail="not a database of Agent Runner", advice=RESTORE)
    present = connection.execute("SELECT coalesce(max(version), 0) FROM schema_versions").fetchone()[0]
    try:
        pending = migrate.pending(migrate.load(migrate.SQLITE), present)
    except ConfigurationError as error:
        return Check(name=name, status="fail", detail=f"version {present}", advice=error.detail)
    if pending:
        advice = "The next `agentrunner up` brings it up to date; the other checks need that."
        return Check(name=name, status="warn", detail=f"version {present} of {pending[-1].version}", advice=advice)
    return Check(name=name, status="ok", detail=f"version {present}, the newest")


def _references(connection: sqlite3.Connection) -> Check:
    name = "references"
    found = [f"{row[0]} {row[1]} to {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")][:1000]
    if found:
        return Check(name=name, status="fail", detail=f"rows that refer to nothing: {_some(found)}", advice=RESTORE)
    return Check(name=name, status="ok", detail="every row refers to one that is there")


def _counters(connection: sqlite3.Connection) -> Check:
    """In one snapshot: between two, a run may change its status."""
    name = "counters"
    connection.execute("BEGIN")
    try:
        stored = dict(tuple(row) for row in connection.execute("SELECT name, n FROM counts WHERE n <> 0"))
        counted = dict(tuple(row) for row in connection.execute(_COUNTED))
    finally:
        connection.execute("ROLLBACK")
    wrong = sorted(key for key in stored.keys() | counted.keys() if stored.get(key) != counted.get(key))
    if wrong:
        shown = [f"{key} says {stored.get(key, 0)}, there are {counted.get(key, 0)}" for key in wrong]
        return Check(name=name, status="fail", detail=_some(shown), advice=f"Caps and figures are wrong. {RESTORE}")
    runs = sum(n for key, n in counted.items() if key.startswith("status/"))
    return Check(name=name, status="ok", detail=f"equal to counting {runs} run{'' if runs == 1 else 's'}")


def _timelines(connection: sqlite3.Connection, full: bool) -> Check:
    name = "timelines"
    chosen = "1" if full else _SAMPLED
    found = [f"run {row[0]}" for row in connection.execute(_GAPS.format(chosen=chosen), {"half": SAMPLE // 2})]
    if full:
        found += [f"run {row[0]}, which is not there" for row in connection.execute(_STRAY)]
    if found:
        return Check(name=name, status="fail", detail=f"events are missing: {_some(found)}", advice=RESTORE)
    words = "every timeline" if full else f"a sample of up to {SAMPLE} timelines (`--full` reads all)"
    return Check(name=name, status="ok", detail=f"{words} without a gap")


def _log(path: Path) -> Check:
    name = "write-ahead log"
    try:
        size = path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        size = 0
    detail = f"{size / (1 << 20):.1f} MiB"
    if size <= _LARGE_WAL:
        return Check(name=name, status="ok", detail=detail)
    advice = "Some program reads the database without end, so that SQLite cannot shorten the log: end it."
    return Check(name=name, status="fail", detail=detail, advice=advice)


def _some(found: list[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more
