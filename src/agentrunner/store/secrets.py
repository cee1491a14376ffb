"""Secrets of runs: one 0600 file per run in the data directory, never in the database."""

import os
from pathlib import Path

import msgspec


class SecretFiles:
    """The files `DIRECTORY/<run>`; the directory is 0700."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, run_id: int, secrets: dict[str, str]) -> None:
        """Store a run's secrets durably (by rename), replacing what an undone transaction may have left."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / str(run_id)
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(secrets))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def get(self, run_id: int) -> dict[str, str]:
        """A run's secrets; empty where its retention is over."""
        try:
            return msgspec.json.decode((self._directory / str(run_id)).read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}

    def kept(self) -> list[int]:
        """The runs whose secrets are there."""
        if not self._directory.is_dir():
            return []
        return sorted(int(path.name) for path in self._directory.iterdir() if path.name.isdigit())

    def delete(self, run_id: int) -> None:
        """Forget a run's secrets."""
        (self._directory / str(run_id)).unlink(missing_ok=True)
