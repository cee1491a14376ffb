"""The page about OpenTelemetry does what it says."""

from pathlib import Path

from doors.conftest import Opener
from doors.examples import play

PAGE = Path(__file__).parents[2] / "docs/otlp.md"


def test_the_page(open_door: Opener, tmp_path: Path) -> None:
    """Its example makes the run that it tells of, with a token that may only report."""
    door = open_door()
    usual = tmp_path / ".local/share/agentrunner"
    usual.parent.mkdir(parents=True)
    usual.symlink_to(door.product.data_dir)
    (printed,) = play(PAGE.read_text(), door.product, door.host, tmp_path)
    assert "{}" in printed
    assert "claude-code session my-sessi" in printed
    (run,) = door.product.get("/v1/runs")["items"]
    assert (run["external_id"], run["cost_usd"], run["status"]) == ("my-session", 0.00535, "RUNNING")
    assert (run["usage"]["input_tokens"], run["usage"]["output_tokens"]) == (800, 50)
