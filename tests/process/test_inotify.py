"""Hints: one callback for each directory that changed."""

import os
from pathlib import Path

from agentrunner.process.inotify import Inotify


def test_growth_creation_and_rename_are_told_once(tmp_path: Path) -> None:
    """However much happened, and only to who watches."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    told: list[str] = []
    inotify = Inotify()
    try:
        assert inotify.watch(first, lambda names: told.append(f"first {sorted(names)}"))
        assert inotify.watch(second, lambda names: told.append(f"second {sorted(names)}"))
        inotify.poll()
        assert told == []
        (first / "a").write_text("x")
        (first / "a").write_text("xy")
        inotify.poll()
        assert told == ["first [b'a']"]
        os.rename(first / "a", second / "exit")
        inotify.poll()
        assert told == ["first [b'a']", "second [b'exit']"]
        inotify.forget(second)
        inotify.forget(second)
        (second / "b").write_text("x")
        inotify.poll()
        assert told == ["first [b'a']", "second [b'exit']"]
    finally:
        inotify.close()
        inotify.close()


def test_a_directory_that_is_gone_is_refused(tmp_path: Path) -> None:
    """The caller then looks by itself."""
    inotify = Inotify()
    assert not inotify.watch(tmp_path / "nowhere", lambda _: None)
    inotify.close()
