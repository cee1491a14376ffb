"""Room for open files."""

import subprocess
import sys

CHECK = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from agentrunner.app.open_files import allow_many
allow_many()
allow_many()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
print(soft == hard)
"""


def test_the_soft_limit_is_raised() -> None:
    """As far as this user may."""
    ended = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=20, check=True)
    assert ended.stdout == "True\n"
