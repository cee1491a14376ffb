"""What became of a run."""

from typing import Any

import msgspec
import pytest

from agentrunner.cli.results import exit_code, result, state, what_to_do
from agentrunner.domain.run import RunView
from client.contract import Contract


def run(**fields: Any) -> RunView:
    """A run as answered."""
    contract = Contract()
    return msgspec.convert({**contract.runs[contract.add_run(options={"argv": ["x"]})], **fields}, RunView)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "COMPLETED", "exit_code": 0}, 0),
        ({"status": "COMPLETED"}, 0),
        ({"status": "COMPLETED", "exit_code": 7}, 7),
        ({"status": "FAILED", "reason": "exit_nonzero", "exit_code": 3}, 3),
        ({"status": "FAILED", "reason": "unparseable_output", "exit_code": 0}, 1),
        ({"status": "FAILED", "reason": "signal", "signal": 9}, 137),
        ({"status": "FAILED", "reason": "worker_lost"}, 1),
        ({"status": "STOPPED", "reason": "stopped_by_user", "exit_code": 0}, 130),
    ],
)
def test_the_exit_code_is_the_runs(fields: dict[str, Any], code: int) -> None:
    """A failed run is never 0."""
    assert exit_code(run(**fields)) == code


def test_the_last_line_says_how_long_what_price_and_what_to_do() -> None:
    """On one line."""
    usage = {"input_tokens": 10, "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 5}
    ended = run(status="FAILED", reason="auth", message="401", started_at="2025-11-21T02:00:00.000Z",
                ended_at="2025-11-21T02:00:02.000Z", usage=usage, cost_usd=0.5)  # fmt: skip
    assert result(ended, 0) == (
        "Run 1 failed (auth: 401) after 2.0 s (10 in, 5 out, $0.5000). "
        "The provider refused the credentials: give the run a valid key, then retry."
    )
    assert result(run(status="COMPLETED"), 0) == "Run 1 completed."


def test_the_state_is_as_fine_as_is_known() -> None:
    """Hold, phase or reason beside the status."""
    assert state(run(hold="operator")) == "QUEUED operator"
    assert state(run(status="RUNNING", phase="unreachable")) == "RUNNING unreachable"
    assert state(run(status="FAILED", reason="oom_killed")) == "FAILED oom_killed"
    assert state(run(status="STOPPED", reason="stopped_by_user")) == "STOPPED"
    assert what_to_do(run(hold="operator")) == "`agentrunner resume 1` lets it start."
