"""The server process and its lock."""

import signal
import subprocess
import sys

from e2e.product import Product
from waiting import until


def test_a_server_that_hangs_is_succeeded(fresh: Product) -> None:
    """The next one waits 5 s for the data directory, then kills the old one by its proven start time."""
    old = fresh.start("server")
    until(lambda: fresh.try_ask("GET", "/health"), 20, 0.02)
    old.send(signal.SIGSTOP)
    new = fresh.start("server")
    until(lambda: not old.is_alive, 15, 0.02)
    fresh.ask("GET", "/health")
    new.send(signal.SIGTERM)
    assert fresh.wait_ended(new, 15) == 0


def test_what_cannot_be_configured_is_one_sentence(fresh: Product) -> None:
    """And an exit code by which `up` knows that starting it again would change nothing."""
    environment = {**fresh.environment, "AGENTRUNNER_PORT": "many"}
    command = [sys.executable, "-m", "agentrunner.app", "server"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 78
    assert ended.stderr.count("\n") == 1
    assert "AGENTRUNNER_PORT" in ended.stderr
