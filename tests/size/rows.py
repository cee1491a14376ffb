"""A database as years of use leave it: runs, labels, events and counters written straight into SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = 9
"""How many events a run has; one more run has a million."""
TEAMS = 50
WORKERS = 50
AGENTS = 20
_STATUS = "CASE WHEN n % 100 < 90 THEN 'COMPLETED' WHEN n % 100 < 97 THEN 'FAILED' ELSE 'STOPPED' END"
_REASON = "CASE WHEN n % 100 < 90 THEN NULL WHEN n % 100 < 97 THEN 'exit_nonzero' ELSE 'stopped_by_user' END"
_GOAL = """'look into the thing that common users of part' || (n % 1000) || ' have reported, say what is broken there, '
    || 'make it right, and add a test that would have shown it; leave ticket' || n || ' as you found it'"""
_NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
_PAYLOADS = {
    1: ("run.created", '\'{"title": "fix", "backend": "command"}\''),
    2: ("run.claimed", '\'{"worker": "worker"}\''),
    3: ("run.started", "'{\"pid\": 1}'"),
    4: ("log", '\'{"stream": "stdout", "offset": 0, "lines": ["compiling", "\' || hex(n) || \'"]}\''),
    5: ("tool.called", '\'{"name": "Bash", "input": {"command": "make test"}}\''),
    6: ("log", '\'{"stream": "stdout", "offset": 80, "lines": ["ok"]}\''),
    7: ("message", '\'{"role": "assistant", "text": "The cause was in module\' || (n % 500) || \'; it is fixed"}\''),
    8: ("usage", '\'{"input_tokens": 1000, "output_tokens": 200}\''),
    9: ("run.completed", "'{\"exit_code\": 0}'"),
}


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that syncs nothing: what is measured is what comes behind it."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    connection.execute("BEGIN")
    yield connection
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fill(database: Path, template: int, first: int, last: int) -> None:
    """Runs `first` to `last`, made after the run `template`, with their labels, events and counters."""
    bounds = {"first": first, "last": last, "template": template}
    with opened(database) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
        made = {
            "id": "n",
            "external_id": "NULL",
            "title": "'fix the login page ' || (n % 100)",
            "goal": _GOAL,
            "project_id": "1 + n % 2",
            "backend": "CASE WHEN n % 5 THEN 'command' ELSE 'external' END",
            "agent": f"'agent-' || (n % {AGENTS})",
            "status": _STATUS,
            "reason": _REASON,
            "worker_id": f"'worker-' || (n % {WORKERS})",
            "cost_usd": "CASE WHEN n % 3 THEN NULL ELSE (n % 1000) / 100.0 + (n % 50000 = 0) * 100 END",
            "last_seq": str(EVENTS),
            "created_at": "r.created_at + n * 100",
            "queued_at": "r.created_at + n * 100",
            "started_at": "r.created_at + n * 100 + 50",
            "ended_at": "r.created_at + n * 100 + 50 + (n % 100000)",
        }
        chosen = ", ".join(made.get(name, f"r.{name}") for name in columns)
        connection.execute(
            f"INSERT INTO runs ({', '.join(columns)}) {_NUMBERS} SELECT {chosen} FROM numbers, runs r "
            "WHERE r.id = :template",
            bounds,
        )
        for name, value in (("team", f"'t' || (n % {TEAMS})"), ("size", "'m'")):
            sql = f"INSERT INTO labels (name, value, run_id) {_NUMBERS} SELECT '{name}', {value}, n FROM numbers"
            connection.execute(sql, bounds)
        kinds = " ".join(f"WHEN {seq} THEN '{type}'" for seq, (type, _) in _PAYLOADS.items())
        payloads = " ".join(f"WHEN {seq} THEN {payload}" for seq, (_, payload) in _PAYLOADS.items())
        seqs = ", ".join(f"({seq})" for seq in _PAYLOADS)
        connection.execute(
            f"""INSERT INTO events (run_id, seq, attempt, ts, type, level, payload, late) {_NUMBERS}, seqs (seq) AS
                (VALUES {seqs}) SELECT n, seq, 1, 1763690400000 + n * 100 + seq, CASE seq {kinds} END, 'info',
                CASE seq {payloads} END, 0 FROM numbers CROSS JOIN seqs""",
            bounds,
        )
        connection.execute(
            f"""INSERT INTO counts (name, n) {_NUMBERS} SELECT 'status/' || {_STATUS}, count(*) FROM numbers GROUP BY 1
                ON CONFLICT (name) DO UPDATE SET n = counts.n + excluded.n""",
            bounds,
        )


def fill_events(database: Path, run_id: int, count: int) -> None:
    """A long timeline: `count` lines of output behind what a run has."""
    with opened(database) as connection:
        (last,) = connection.execute("SELECT last_seq FROM runs WHERE id = ?", (run_id,)).fetchone()
        connection.execute(
            f"""INSERT INTO events (run_id, seq, attempt, ts, type, level, payload, late) {_NUMBERS}
                SELECT :run, n, 1, 1763690400000 + n, 'log', 'info',
                '{{"stream": "stdout", "offset": ' || (n * 40) || ', "lines": ["line ' || n || ' of a long story"]}}', 0
                FROM numbers""",
            {"first": last + 1, "last": last + count, "run": run_id},
        )
        connection.execute("UPDATE runs SET last_seq = last_seq + ? WHERE id = ?", (count, run_id))
