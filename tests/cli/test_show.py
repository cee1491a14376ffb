"""`agentrunner show`, with the product itself."""

import json

import msgspec

from agentrunner.domain.run import RunView
from e2e.product import Product


def test_a_failed_run_is_shown_with_what_to_do(real: Product) -> None:
    """Its fields, its last events, the reason and the advice."""
    real.command("run", "--label", "a=b", "--title", "shown", "--", "sh", "-c", "echo last words; exit 5")
    run_id = json.loads(real.command("ps", "-a", "-n", "1", "--json").stdout)["items"][0]["id"]
    shown = real.command("show", str(run_id)).stdout
    for part in ("shown", "FAILED exit_nonzero", "exit code  5", "a=b", "│ last words", "To do: Read the last lines"):
        assert part in shown
    run = msgspec.json.decode(real.command("show", "--json", str(run_id)).stdout, type=RunView)
    assert (run.id, run.exit_code) == (run_id, 5)
    assert "last words" not in real.command("show", str(run_id), "--events", "0").stdout
