"""Token files."""

import os
import stat
from pathlib import Path

from agentrunner.app.tokens import local_token, make_local_tokens


def test_a_token_is_made_once_and_private(tmp_path: Path) -> None:
    """Whatever the umask says; the second start finds it."""
    before = os.umask(0)
    try:
        first = local_token(tmp_path / "token")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert local_token(tmp_path / "token") == first
    assert len(first) >= 32


def test_an_empty_file_is_made_anew(tmp_path: Path) -> None:
    """A power cut may leave one."""
    (tmp_path / "token").write_text("")
    assert local_token(tmp_path / "token")


def test_both_parts_may_start_in_any_order(tmp_path: Path) -> None:
    """The files are there before either of them, in a directory that is private."""
    make_local_tokens(tmp_path / "new")
    made = {path.name for path in (tmp_path / "new").iterdir()}
    assert made == {"token", "worker-token"}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
