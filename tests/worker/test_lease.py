"""How long runs may live without the server."""

import pytest

from agentrunner.worker.lease import MARGIN_S, Lease, boottime


def test_a_lease_counts_from_when_the_call_was_sent() -> None:
    """The server may have begun to count then; shims end their trees a margin before it acts."""
    lease = Lease(100.0, 15.0)
    assert lease.until == pytest.approx(100.0 + 15.0 - MARGIN_S)
    lease.answered(105.0, 15.0)
    assert lease.until == pytest.approx(105.0 + 15.0 - MARGIN_S)


def test_a_late_answer_shortens_nothing() -> None:
    """What an earlier call was answered holds."""
    lease = Lease(100.0, 15.0)
    lease.answered(90.0, 15.0)
    assert lease.until == pytest.approx(112.0)


def test_the_clock_is_the_kernels() -> None:
    """Seconds since the host's start, which wall time does not move."""
    assert 0 < boottime() <= boottime()
