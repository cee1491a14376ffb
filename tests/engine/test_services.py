"""The clock of a server."""

import time

from agentrunner.engine.services import steady_clock


def test_the_clock_is_wall_time_that_never_steps_back() -> None:
    """Milliseconds since 1970, within a second of the system's, and never less than before."""
    clock = steady_clock()
    assert abs(clock() - time.time() * 1000) < 1000
    seen = [clock() for _ in range(10_000)]
    assert seen == sorted(seen)
    assert all(isinstance(ms, int) for ms in seen[:10])
