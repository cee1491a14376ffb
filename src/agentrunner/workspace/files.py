"""The directory a run works in."""

import os
from pathlib import Path

from agentrunner.domain.errors import WorkspaceError


def prepare(root: Path, run_id: int, project_path: str | None, cwd: str | None) -> Path:
    """The directory to start in: the project's, or an own empty one under `root`; then `cwd` inside it.

    `cwd` may be absolute where the project has no path of its own. Raises WorkspaceError, saying what is wrong.
    """
    if project_path is None:
        base = root / str(run_id)
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{base} cannot be made: {error.strerror}.") from error
    else:
        base = Path(project_path)
    chosen = base if cwd is None else _inside(base, cwd, project_path is None)
    if not chosen.is_dir():
        raise WorkspaceError(f"{chosen} is not a directory on this worker.")
    if not os.access(chosen, os.R_OK | os.X_OK):
        raise WorkspaceError(f"{chosen} cannot be entered by this worker's user.")
    return chosen


def _inside(base: Path, cwd: str, may_leave: bool) -> Path:
    if "\x00" in cwd:
        raise WorkspaceError("`options.cwd` contains a NUL character.")
    chosen = base / cwd
    if may_leave:
        return chosen
    if not chosen.resolve().is_relative_to(base.resolve()):
        raise WorkspaceError(f"`options.cwd` {cwd!r} leaves the project's directory {base}.")
    return chosen
