"""The page about the Runs API does what it says."""

import json
from pathlib import Path
from typing import Any

from doors.examples import Door, blocks, play, up_command
from meta.sources import ROOT
from waiting import until

PAGE = (ROOT / "docs/runs-api.md").read_text()


def printed_values(text: str) -> list[Any]:
    """The JSON values that were printed one behind the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def test_the_examples_run(door_with_worker: Door, tmp_path: Path) -> None:
    """In order, in one shell, against a server that was started as the page says."""
    door = door_with_worker
    assert up_command(PAGE) == ({}, ["--insecure-no-auth"])
    assert len(blocks(PAGE, "bash", "python")) == 1
    (printed,) = play(PAGE, door.product, door.host, tmp_path)
    project, hello, events, _, paused, resumed, directive, stopped, listed, worker = printed_values(printed)
    assert (project["name"], project["local_path"]) == ("shop", "/tmp")
    assert (hello["status"], hello["simulated"]) == ("QUEUED", True)
    assert [each["type"] for each in events][-2:] == ["EXECUTING", "RUN_COMPLETED"]
    assert [each["status"] for each in (paused, resumed, stopped)] == ["PAUSED", "RUNNING", "STOPPED"]
    assert (directive["type"], directive["payload"]) == ("DIRECTIVE", "Be brief")
    assert worker["running"] is True
    assert listed["options"] == {"backend": "command", "argv": ["ls", "/"], "timeout_seconds": 30}
    until(lambda: door.product.get(f"/runs/{listed['id']}")["status"] == "COMPLETED", 20)


def test_every_address_is_told(door_with_worker: Door) -> None:
    """The page's table has all that the surface has."""
    paths = door_with_worker.product.get("/openapi.json")["paths"]
    for path in paths:
        if path.startswith(("/projects", "/runs", "/worker")):
            told = path.replace("{run_id}", "{id}").replace("{action}", "pause")
            assert told in PAGE, path
