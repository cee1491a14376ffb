"""`agentrunner explain`, with the product itself."""

import msgspec

from agentrunner.domain.explanation import Explanation
from e2e.product import Product


def test_a_run_that_no_worker_can_take_says_so(real: Product) -> None:
    """And what to do."""
    run_id = real.command("run", "-d", "--limit", "wall_s=5", "--", "false").stdout.strip()
    real.wait(int(run_id))
    lines = real.command("explain", run_id).stdout.splitlines()
    assert lines[0] == "FAILED exit_nonzero  It is FAILED: exit_nonzero."
    assert lines[-1].startswith("To do: Read the last lines")
    found = msgspec.json.decode(real.command("explain", run_id, "--json").stdout, type=Explanation)
    assert found.facts["exit_code"] == 1
