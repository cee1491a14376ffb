"""The directory a run works in."""

import os
from pathlib import Path

import pytest

from agentrunner.domain.errors import WorkspaceError
from agentrunner.workspace.files import prepare


def test_a_run_without_a_project_path_gets_its_own_directory(tmp_path: Path) -> None:
    """Empty, private, and the same one when asked again."""
    made = prepare(tmp_path / "work", 7, None, None)
    assert made == tmp_path / "work" / "7"
    assert list(made.iterdir()) == []
    assert made.stat().st_mode & 0o777 == 0o700
    (made / "file").touch()
    assert prepare(tmp_path / "work", 7, None, None) == made
    assert (made / "file").exists()


def test_a_project_path_is_used_as_it_is(tmp_path: Path) -> None:
    """And `cwd` goes on from there."""
    (tmp_path / "inner").mkdir()
    assert prepare(tmp_path / "work", 1, str(tmp_path), None) == tmp_path
    assert prepare(tmp_path / "work", 1, str(tmp_path), "inner") == tmp_path / "inner"
    assert not (tmp_path / "work").exists()


def test_without_a_project_path_cwd_may_be_anywhere(tmp_path: Path) -> None:
    """A command may say where it runs."""
    assert prepare(tmp_path / "work", 1, None, str(tmp_path)) == tmp_path


@pytest.mark.parametrize("cwd", ["..", "../..", "/", "inner/../..", "link"])
def test_cwd_never_leaves_a_project(tmp_path: Path, cwd: str) -> None:
    """Neither by dots, nor absolute, nor through a link."""
    project = tmp_path / "project"
    (project / "inner").mkdir(parents=True)
    (project / "link").symlink_to(tmp_path)
    with pytest.raises(WorkspaceError, match="leaves the project"):
        prepare(tmp_path / "work", 1, str(project), cwd)


def test_a_name_that_begins_like_the_project_is_outside(tmp_path: Path) -> None:
    """`/srv/app-old` is not inside `/srv/app`."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app-old").mkdir()
    with pytest.raises(WorkspaceError, match="leaves the project"):
        prepare(tmp_path / "work", 1, str(tmp_path / "app"), "../app-old")


def test_what_is_not_a_directory(tmp_path: Path) -> None:
    """Missing, a file, or a NUL: the message says which."""
    (tmp_path / "file").touch()
    for path, cwd in ((str(tmp_path / "missing"), None), (str(tmp_path), "file"), (str(tmp_path), "missing")):
        with pytest.raises(WorkspaceError, match="is not a directory"):
            prepare(tmp_path / "work", 1, path, cwd)
    with pytest.raises(WorkspaceError, match="NUL"):
        prepare(tmp_path / "work", 1, str(tmp_path), "a\x00b")


def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    """The system's reason is in the message."""
    (tmp_path / "work").touch()
    with pytest.raises(WorkspaceError, match="cannot be made"):
        prepare(tmp_path / "work", 1, None, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root enters everything")
def test_a_directory_that_cannot_be_entered(tmp_path: Path) -> None:
    """Found before the agent starts."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(WorkspaceError, match="cannot be entered"):
        prepare(tmp_path / "work", 1, str(closed), None)
    closed.chmod(0o700)
