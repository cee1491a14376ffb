"""The token files of a data directory: how commands and the worker of the same host find theirs."""

import os
from pathlib import Path

from agentrunner.domain.token import Scope
from agentrunner.engine import tokens

TOKEN_FILE = "token"
WORKER_TOKEN_FILE = "worker-token"
LOCAL_TOKENS = ((TOKEN_FILE, Scope.ADMIN), (WORKER_TOKEN_FILE, Scope.WORKER))


def make_local_tokens(data_dir: Path) -> None:
    """Make the files that are not there yet, so that server and worker may start in any order."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, _ in LOCAL_TOKENS:
        local_token(data_dir / name)


def local_token(path: Path, anew: bool = False) -> str:
    """The token in a 0600 file, made where there is none or `anew`: commands on this host find it by themselves."""
    if not anew and path.exists() and (text := path.read_text().strip()):
        return text
    text = tokens.generate()
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    temporary.rename(path)
    return text
