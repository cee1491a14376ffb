"""When a failed attempt is tried again by itself."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.state import REASONS, Reason

MAX_BACKOFF_S = 3600.0


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`attempts` tries in all; wait `backoff_s` before the second, twice that before the third, an hour at most.

    `reasons` narrows what is tried again; left away, every retryable reason is.
    """

    attempts: Annotated[int, Meta(ge=1, le=100)] = 1
    backoff_s: Annotated[float, Meta(ge=0, le=MAX_BACKOFF_S)] = 10.0
    reasons: list[Reason] | None = None


def delay_before_next(policy: RetryPolicy, attempt: int, reason: Reason) -> float | None:
    """Seconds to wait before attempt `attempt + 1`, or None where the failure is final."""
    if attempt >= policy.attempts:
        return None
    wanted = reason in policy.reasons if policy.reasons is not None else REASONS[reason].retryable
    if not wanted or reason is Reason.STOPPED_BY_USER:
        return None
    return float(min(policy.backoff_s * 2 ** min(attempt - 1, 32), MAX_BACKOFF_S))
