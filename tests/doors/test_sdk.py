"""The page about SDK and reporting does what it says."""

from pathlib import Path

from doors.examples import Door, play

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"


def test_the_page_runs(door: Door, tmp_path: Path) -> None:
    """Every block, in order, against a fresh server."""
    home = tmp_path
    data = home / ".local" / "share"
    data.mkdir(parents=True)
    (data / "agentrunner").symlink_to(door.product.data_dir)
    printed = play(PAGE.read_text(), door.product, door.host, home)
    assert printed[0].strip().splitlines()[-1].startswith("COMPLETED")
    assert printed[1].count("'COMPLETED'") == 3
    assert "checking" in printed[3]
    assert "Run completed successfully" in printed[4]
