"""The page about Agent Ops does what it says."""

import json
from pathlib import Path

from doors.examples import Door, blocks, play, up_command

PAGE = (Path(__file__).parents[2] / "docs" / "agent-ops.md").read_text()


def test_the_examples_run(door: Door, tmp_path: Path) -> None:
    """In order, in one shell, against a server that was started as the page says."""
    assert up_command(PAGE) == ({}, ["--insecure-no-auth"])
    assert len(blocks(PAGE, "bash", "python")) == 1
    (printed,) = play(PAGE, door.product, door.host, tmp_path)
    assert '"error"' not in printed
    (run,) = [each for each in door.product.client.get("/api/runs").json() if each["id"] == "nightly"]
    assert (run["status"], run["metadata"]) == ("completed", {"tags": ["nightly"]})
    native = door.product.get("/v1/runs")["items"][0]
    assert (native["usage"]["input_tokens"], native["cost_usd"]) == (1200, 0.004)
    assert json.loads(printed[printed.rindex('{"totalDurationMs"') :])["slowestSpans"][0]["name"] == "ReadFile"
