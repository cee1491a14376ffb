"""Who a worker is."""

import json
import os
import uuid
from pathlib import Path

import pytest

from agentrunner.domain.errors import ConfigurationError, WorkerInUse
from agentrunner.worker import identity


def test_an_identity_lasts(tmp_path: Path) -> None:
    """The next worker of a state directory is the same worker, of the same host."""
    first = identity.take(tmp_path)
    first.release()
    second = identity.take(tmp_path)
    second.release()
    assert first.worker_id == second.worker_id == str(uuid.UUID(first.worker_id))
    assert (first.machine_id, first.boot_id) == (second.machine_id, second.boot_id)
    assert first.lock_inode == os.stat(tmp_path / "worker.lock").st_ino
    assert first.machine_id


def test_a_second_worker_is_refused(tmp_path: Path) -> None:
    """Two of them would steer the same agents; the message says what to do."""
    first = identity.take(tmp_path)
    with pytest.raises(WorkerInUse, match="--data-dir"):
        identity.take(tmp_path)
    first.release()


def test_two_directories_are_two_workers(tmp_path: Path) -> None:
    """Each has its own UUID."""
    first, second = identity.take(tmp_path / "a"), identity.take(tmp_path / "b")
    assert first.worker_id != second.worker_id
    first.release()
    second.release()


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"worker_id": "me"})])
def test_a_damaged_identity_is_refused(tmp_path: Path, content: str) -> None:
    """A new id would leave the old one's runs without a worker: a person has to decide."""
    (tmp_path / "worker.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"worker\.json"):
        identity.take(tmp_path)
    with pytest.raises(ConfigurationError):  # and the lock was not left behind
        identity.take(tmp_path)
