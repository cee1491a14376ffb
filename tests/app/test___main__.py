"""How the children of `up` are loaded."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, sys
from agentrunner.app.__main__ import _loading
with _loading():
    import agentrunner.app.{part}
assert gc.isenabled() and gc.get_freeze_count() > 10_000, gc.get_freeze_count()
assert not [name for name in sys.modules if name.partition(".")[0] in ("rich", "pygments")], "drawing is loaded"
import rich
"""


@pytest.mark.parametrize("part", ["serve", "work"])
def test_a_part_loads_what_it_needs_and_no_more(part: str) -> None:
    """Nothing that only draws on terminals, which stays there for whoever asks; collections begin behind the start."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(part=part)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
