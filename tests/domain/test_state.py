"""The table of changes, and the closed lists beside it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.event import EventType
from agentrunner.domain.state import (
    ACTIVE,
    REASONS,
    TERMINAL,
    TRANSITIONS,
    Cause,
    Reason,
    Status,
    next_status,
    sources,
)

CHANGES = {
    None: {Cause.CREATED: Status.QUEUED, Cause.REPORTED: Status.RUNNING},
    Status.QUEUED: {Cause.CLAIMED: Status.RUNNING, Cause.STOPPED: Status.STOPPED, Cause.FAILED: Status.FAILED},
    Status.RUNNING: {
        Cause.PAUSED: Status.PAUSED,
        Cause.RETRIED: Status.QUEUED,
        Cause.COMPLETED: Status.COMPLETED,
        Cause.FAILED: Status.FAILED,
        Cause.STOPPED: Status.STOPPED,
    },
    Status.PAUSED: {
        Cause.RESUMED: Status.RUNNING,
        Cause.RETRIED: Status.QUEUED,
        Cause.COMPLETED: Status.COMPLETED,
        Cause.FAILED: Status.FAILED,
        Cause.STOPPED: Status.STOPPED,
    },
    Status.COMPLETED: {},
    Status.FAILED: {},
    Status.STOPPED: {},
}
"""The table written a second time, by status: whoever changes one has to mean it."""


@pytest.mark.parametrize("status", [None, *Status])
@pytest.mark.parametrize("cause", Cause)
def test_the_table(status: Status | None, cause: Cause) -> None:
    """Every status with every cause: the change there is, or none."""
    assert next_status(status, cause) == CHANGES[status].get(cause)


def test_every_status_is_described() -> None:
    """No status is forgotten here, and each is queued, active or terminal."""
    assert set(CHANGES) == {None, *Status}
    assert {Status.QUEUED} | ACTIVE | TERMINAL == set(Status)
    assert not ACTIVE & TERMINAL
    assert [status for status in Status if status.is_terminal] == [s for s in Status if s in TERMINAL]


@given(st.lists(st.sampled_from(Cause)))
def test_a_terminal_status_is_never_left(causes: Sequence[Cause]) -> None:
    """Whatever happens in whatever order, a run that has ended stays as it ended."""
    status: Status | None = None
    for cause in causes:
        changed = next_status(status, cause)
        if status in TERMINAL:
            assert changed is None
        status = changed or status


@pytest.mark.parametrize("cause", Cause)
def test_sources_are_the_inverse_of_the_table(cause: Cause) -> None:
    """The guard of an UPDATE names exactly the statuses that the table lets go."""
    assert set(sources(cause)) == {status for status in Status if next_status(status, cause) is not None}
    assert len(sources(cause)) == len(set(sources(cause)))


def test_every_status_is_reached_and_every_cause_is_used() -> None:
    """No row is dead: from nothing, every status can come about."""
    reached: set[Status | None] = {None}
    for _ in Status:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == {None, *Status}
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_an_event_type(cause: Cause) -> None:
    """A status change can always be written into the timeline."""
    assert cause.event_type in set(EventType)


def test_causes_with_the_same_source_have_different_events() -> None:
    """So the statuses of a run can be read off its events."""
    for status in Status:
        types = [cause.event_type for (source, cause) in TRANSITIONS if source is status]
        assert len(types) == len(set(types))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_to_do(reason: Reason) -> None:
    """One sentence that a person can act on, with its full stop."""
    rule = REASONS[reason]
    assert isinstance(rule.retryable, bool)
    assert len(rule.what_to_do) > 20
    assert rule.what_to_do.endswith(".")


def test_reasons_are_the_closed_list() -> None:
    """The closed list, no more and no less, each with a rule."""
    assert {reason.value for reason in Reason} == set(
        "exit_nonzero signal spawn_error backend_missing backend_unsupported bad_config auth quota rate_limited "
        "provider_error network model_unavailable context_overflow unparseable_output wall_timeout idle_timeout "
        "start_timeout queue_expired oom_killed limit_exceeded budget_exceeded worker_lost shim_lost host_rebooted "
        "workspace_error stopped_by_user".split()
    )
    assert set(REASONS) == set(Reason)


def test_what_a_person_decided_is_never_retried() -> None:
    """Neither a stop nor what only a person can mend comes back by itself."""
    for reason in (Reason.STOPPED_BY_USER, Reason.AUTH, Reason.QUOTA, Reason.BAD_CONFIG, Reason.BUDGET_EXCEEDED):
        assert not REASONS[reason].retryable
