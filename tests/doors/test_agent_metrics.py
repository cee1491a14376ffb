"""The page about the Agent Metrics surface does what it says."""

import json
from pathlib import Path

from doors.conftest import Opener
from doors.examples import play
from meta.sources import ROOT

PAGE = ROOT / "docs/agent-metrics.md"


def test_the_page(open_door: Opener, tmp_path: Path) -> None:
    """Its commands work as they stand, with tokens of the smallest scopes, and print what the page says."""
    door = open_door()
    usual = tmp_path / ".local/share/agentrunner"
    usual.parent.mkdir(parents=True)
    usual.symlink_to(door.product.data_dir)
    (printed,) = play(PAGE.read_text(), door.product, door.host, tmp_path)
    version, one, many, (total,) = map(json.loads, printed.splitlines()[:4])
    assert version["version"] == "1.0.2"
    assert one["time_taken"] == "5m30s"
    assert [each["id"] for each in many] == [7, 8]
    assert [total[name] for name in ("totalRuns", "successRate")] == [3, 33.3333]
    assert f'"successRate":{total["successRate"]}' in PAGE.read_text()
    assert printed.count("reviewer 1.0.2") == 3
