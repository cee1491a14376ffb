"""The worker process: its settings and its lock."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentrunner.app.work import connect, options
from agentrunner.config import load
from agentrunner.domain.errors import ConfigurationError
from e2e.product import BIN, Product
from waiting import until


def test_settings_in_their_units(tmp_path: Path) -> None:
    """Sizes in bytes, times in seconds, lists as lists."""
    given = {"data_dir": str(tmp_path), "spool_cap_mb": 3, "pass_env": "A,,B", "tree": "walk", "slots": 2}
    made = options(load({}, given))
    assert (made.state_dir, made.spool_cap_bytes, made.pass_env) == (tmp_path, 3 << 20, ["A", "B"])
    assert (made.tree, made.slots, made.name) == ("walk", 2, "")
    assert (made.claim_wait_s, made.claim_slots) == (5.0, 1000)
    made = options(load({"WORKER_CHECK_INTERVAL": "2", "WORKER_BATCH_SIZE": "7"}, given))
    assert (made.claim_wait_s, made.claim_slots) == (2.0, 7)


def test_without_a_token_a_person_learns_what_to_do(tmp_path: Path) -> None:
    """On this host start the server; on another make a token."""
    with pytest.raises(ConfigurationError, match="agentrunner token create"):
        connect(load({}, {"data_dir": str(tmp_path)}))


def test_a_worker_ends_alone_and_a_second_one_is_refused(fresh: Product) -> None:
    """SIGTERM to the worker alone ends it in order; two workers of one directory cannot be, which is said."""
    fresh.start("server")
    worker = fresh.start("worker")
    fresh.wait_ready()
    second = subprocess.run(
        [str(BIN / "agentrunner"), "worker"], env=fresh.environment, capture_output=True, text=True, timeout=20
    )
    assert second.returncode > 0
    assert "Another worker runs in" in second.stderr
    assert "Traceback" not in second.stderr
    worker.send(signal.SIGTERM)
    assert fresh.wait_ended(worker, 10) == 0
    until(lambda: fresh.part("worker") is None, 5)


def test_a_wrong_token_is_one_sentence(fresh: Product) -> None:
    """The worker ends with what the server says, without a traceback."""
    fresh.start("server")
    until(lambda: fresh.try_ask("GET", "/health"), 20, 0.02)
    environment = {**fresh.environment, "AGENTRUNNER_TOKEN": "not-a-token-of-this-server"}
    command = [sys.executable, "-m", "agentrunner.app", "worker"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["event"].startswith("agentrunner worker: This is not a token")
    assert "Traceback" not in ended.stderr
