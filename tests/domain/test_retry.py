"""When a failed attempt is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.retry import MAX_BACKOFF_S, RetryPolicy, delay_before_next
from agentrunner.domain.state import REASONS, Reason

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    backoff_s=st.floats(0, MAX_BACKOFF_S),
    reasons=st.none() | st.lists(st.sampled_from(Reason)),
)


@pytest.mark.parametrize(
    ("attempt", "delay"), [(1, 10.0), (2, 20.0), (3, 40.0), (8, 1280.0), (9, 2560.0), (10, 3600.0), (99, 3600.0)]
)
def test_the_delay_doubles_up_to_an_hour(attempt: int, delay: float) -> None:
    """`backoff_s` before the second attempt, twice that before the third."""
    assert delay_before_next(RetryPolicy(attempts=100, backoff_s=10), attempt, Reason.NETWORK) == delay


def test_one_attempt_is_the_default() -> None:
    """Nothing is tried again unasked."""
    assert all(delay_before_next(RetryPolicy(), 1, reason) is None for reason in Reason)


@pytest.mark.parametrize("reason", Reason)
def test_without_reasons_the_retryable_ones_are_tried_again(reason: Reason) -> None:
    """The closed list decides."""
    delay = delay_before_next(RetryPolicy(attempts=2, backoff_s=0), 1, reason)
    assert (delay is not None) == REASONS[reason].retryable


def test_reasons_narrow_and_widen_what_is_tried_again() -> None:
    """Who names reasons gets exactly those, retryable by themselves or not."""
    policy = RetryPolicy(attempts=2, backoff_s=1, reasons=[Reason.OOM_KILLED])
    assert delay_before_next(policy, 1, Reason.OOM_KILLED) == 1.0
    assert delay_before_next(policy, 1, Reason.NETWORK) is None


@given(policies, st.integers(1, 200), st.sampled_from(Reason))
def test_bounds(policy: RetryPolicy, attempt: int, reason: Reason) -> None:
    """Never beyond `attempts`, never more than an hour, never after a stop."""
    delay = delay_before_next(policy, attempt, reason)
    if attempt >= policy.attempts or reason is Reason.STOPPED_BY_USER:
        assert delay is None
    if delay is not None:
        assert min(policy.backoff_s, MAX_BACKOFF_S) <= delay <= MAX_BACKOFF_S


@given(policies, st.integers(1, 98), st.sampled_from(Reason))
def test_later_attempts_never_wait_less(policy: RetryPolicy, attempt: int, reason: Reason) -> None:
    """Back-off only grows."""
    first, second = (delay_before_next(policy, number, reason) for number in (attempt, attempt + 1))
    if second is not None:
        assert first is not None
        assert first <= second
