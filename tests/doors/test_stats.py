"""The page about figures does what it says."""

from pathlib import Path

from doors.conftest import Opener
from doors.examples import play

PAGE = Path(__file__).parents[2] / "docs/stats.md"


def test_the_page(open_door: Opener, tmp_path: Path) -> None:
    """Its run is in every figure that it shows."""
    door = open_door()
    usual = tmp_path / ".local/share/agentrunner"
    usual.parent.mkdir(parents=True)
    usual.symlink_to(door.product.data_dir)
    (printed,) = play(PAGE.read_text(), door.product, door.host, tmp_path)
    assert "PER SUCCESS" in printed
    assert "$0.2500" in printed
    assert "1 of 1, 100 % (21-100)" in printed
    assert "Counted 1 runs." in printed
    assert printed.count('"cost_per_success_usd":0.25') == 5
