"""Migrates a SQLite database and kills itself, as `kill -9` does, right before a statement with a given text."""

import os
import signal
import sqlite3
import sys
from pathlib import Path

from agentrunner.store import migrate

path, directory, text = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.set_trace_callback(lambda sql: os.kill(os.getpid(), signal.SIGKILL) if text in sql else None)
migrate.sqlite(connection, Path(directory))
