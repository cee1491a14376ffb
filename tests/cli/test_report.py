"""`agentrunner report`: the whole walk of a reporting client, as its document shows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.product import Product, product

SHOWN = """\
🤖 Agent Runner Starting...
   Server: {server}
   Title: Agent Test Run
   Steps: 4
   Interval: 1ms

📝 Creating run...
✅ Run created: {run}

🚀 Posting run.started event...
✅ Run started

📊 Updating metadata...
✅ Metadata updated

🔄 Executing 4 steps...
   Step 1/4
   Step 2/4
   Step 3/4
   Step 4/4
✅ All steps completed

🎉 Posting run.completed event...
✅ Run completed successfully

📊 View in dashboard: {server}/console/
   Run ID: {run}
"""
FAILED = """\
   Step 2/10

❌ Error occurred: Simulated failure at step 2

📝 Posting run.error event...
✅ Error recorded

📊 View in dashboard: """


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Product]:
    """A server without a worker, with a key for the Agent Ops surface."""
    with product() as made:
        made.environment |= {"XDG_STATE_HOME": str(tmp_path), "AGENTOPS_API_KEY": "the-key-of-agent-ops"}
        made.start("server")
        made.get("/ready")
        del made.environment["AGENTOPS_API_KEY"]
        yield made


def test_a_run_that_completes(served: Product) -> None:
    """It shows what the document shows, and every kind of event arrives."""
    done = served.command("report", "--steps", "4", "--interval", "1")
    (run,) = served.get("/api/runs")
    server = (served.data_dir / "address").read_text().strip()
    assert done.returncode == 0, done
    assert done.stdout == SHOWN.format(server=server, run=run["id"])
    assert (run["status"], run["title"]) == ("completed", "Agent Test Run")
    assert run["metadata"]["tags"] == ["cli", "sample"]
    types = {event["type"] for event in served.get(f"/api/runs/{run['id']}/events")}
    assert types >= {"task.progress", "tool.called", "tool.result", "metric", "agent.task", "run.completed"}
    assert [span["status"] for span in served.get(f"/api/runs/{run['id']}/spans")] == ["ok"]


def test_a_run_that_fails(served: Product) -> None:
    """Exit code 1, status error, the message."""
    done = served.command("report", "--title", "Error Test", "--failAt", "2", "--interval", "1")
    assert done.returncode == 1
    assert "   ⚠️  Will fail at step: 2\n" in done.stdout
    assert FAILED in done.stdout
    (run,) = served.get("/api/runs")
    assert (run["status"], run["errorMessage"]) == ("error", "Simulated failure at step 2")
    last = served.get(f"/api/runs/{run['id']}/events")[-1]
    assert (last["type"], last["level"]) == ("run.error", "error")
    assert "SimulatedFailure" in last["payload"]["stack"]


def test_a_key_in_place_of_a_token(served: Product, tmp_path: Path) -> None:
    """By the option or the variable, over TCP, with nothing else that would open the server."""
    server = (served.data_dir / "address").read_text().strip()
    served.environment["AGENTRUNNER_DATA_DIR"] = str(tmp_path / "nothing")
    words = ("report", "--server", server, "--steps", "1", "--interval", "0")
    assert served.command(*words, "--apiKey", "the-key-of-agent-ops").returncode == 0
    refused = served.command(*words, "--apiKey", "another-key")
    assert refused.returncode == 1
    assert "❌ Error:" in refused.stdout
    served.environment["AGENTOPS_API_KEY"] = "the-key-of-agent-ops"
    assert served.command(*words).returncode == 0


def test_without_a_server(tmp_path: Path) -> None:
    """Exit code 1 and what to do; nothing is kept, for this is no reporter."""
    with product() as made:
        made.environment["XDG_STATE_HOME"] = str(tmp_path)
        done = made.command("report", "--server", "http://127.0.0.1:9", "--steps", "1")
        assert done.returncode == 1
        assert "❌ Error: No server answers" in done.stdout
        idle = made.command("report", "--flush")
        assert (idle.returncode, idle.stderr) == (0, "No report waits.\n")
