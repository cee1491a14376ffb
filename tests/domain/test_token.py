"""Which scope opens what."""

import pytest

from agentrunner.domain.token import Scope, opens

OPENED = {
    Scope.ADMIN: {Scope.ADMIN, Scope.READ, Scope.REPORT, Scope.METRICS},
    Scope.READ: {Scope.READ, Scope.METRICS},
    Scope.REPORT: {Scope.REPORT},
    Scope.WORKER: {Scope.WORKER},
    Scope.METRICS: {Scope.METRICS},
}


@pytest.mark.parametrize("held", Scope)
@pytest.mark.parametrize("needed", Scope)
def test_scopes(held: Scope, needed: Scope) -> None:
    """Admin opens everything but the worker protocol, which only a worker's token opens."""
    assert opens(held, needed) == (needed in OPENED[held])
