"""Finding a program on this host and asking it for its version."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

VERSION_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 64 * 1024
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[-+.][0-9A-Za-z.-]+)?")


def locate(program: str, environment: Mapping[str, str]) -> str | None:
    """The path of an executable: looked up in PATH unless it has a slash; None where there is none."""
    return shutil.which(program, path=environment.get("PATH", os.defpath))


def ask_version(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[str | None, str]:
    """The version in what `argv` prints, and everything it printed; (None, why) where it gives none.

    Takes 10 s at most, then its process group is killed.
    """
    # Into a file, not a pipe: a child that keeps a pipe open would keep us waiting for its end.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment), process_group=0
            )
        except OSError as error:
            return None, str(error)
        try:
            code = process.wait(VERSION_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None, f"{argv[0]} did not answer within {VERSION_TIMEOUT_S:g} s"
        output.seek(0)
        answer = output.read(_MAX_ANSWER_BYTES).decode("utf-8", "backslashreplace").strip()
    found = _VERSION.search(answer)
    return (found.group() if found and code == 0 else None), answer
