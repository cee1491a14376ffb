"""The short form of the crowd."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CROWD = Path(__file__).parent


@pytest.mark.timeout(60)
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: the agents are a C program")
def test_a_small_crowd_loses_nothing() -> None:
    """Thirty agents are started, lose their worker and are stopped; every line is recorded once, nothing is left."""
    command = [sys.executable, CROWD, "--agents", "30", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"] is True
    assert figures["lines"] >= 60
    assert figures["latency_ms"]["p50"] > 0
