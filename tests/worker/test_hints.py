"""Hints of the kernel, and being without them."""

import asyncio
from pathlib import Path

from agentrunner.worker.hints import Hints


async def test_a_change_is_hinted(tmp_path: Path) -> None:
    """A file that grows in a watched directory; none in one that is watched no more."""
    hints, changed = Hints(), asyncio.Event()
    assert hints.watch(tmp_path, lambda _: changed.set())
    (tmp_path / "out").write_text("more")
    await asyncio.wait_for(changed.wait(), 5)
    hints.forget(tmp_path)
    hints.forget(tmp_path)
    hints.close()
    hints.close()


async def test_what_cannot_be_watched_is_said(tmp_path: Path) -> None:
    """The caller then has to look by itself."""
    hints = Hints()
    assert not hints.watch(tmp_path / "nowhere", print)
    hints.close()
    assert not hints.watch(tmp_path, print)
