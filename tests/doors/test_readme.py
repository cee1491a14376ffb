"""The front page does what it says, every door of it."""

from pathlib import Path

from doors.conftest import Opener
from doors.examples import play
from meta.sources import ROOT

PAGE = ROOT / "README.md"


def test_every_example_of_the_front_page(open_door: Opener, tmp_path: Path) -> None:
    """They run in order, as they stand, against a fresh server and worker, and all their runs are in one list."""
    door = open_door(worker=True)
    usual = tmp_path / ".local/share/agentrunner"
    usual.parent.mkdir(parents=True)
    usual.symlink_to(door.product.data_dir)
    http, python, executed, _, ops, runs, metrics, library = play(PAGE.read_text(), door.product, door.host, tmp_path)
    assert '"hello"' in http
    assert python.split() == ["COMPLETED"]
    assert "3 passed" in executed
    assert '"criticalPathMs"' in ops
    assert '"demo"' in runs or '"CREATED"' in runs or '"status"' in runs
    assert '"time_taken":"5m30s"' in metrics
    assert "ExitStatus(code=0" in library
    titles = {run["title"] or run["goal"] for run in door.product.get("/v1/runs")["items"]}
    assert {"Nightly import", "Unit tests", "Nightly check"} <= titles
