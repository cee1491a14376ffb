"""How long what runs here may live without another answer of the server."""

import time

MARGIN_S = 3.0
"""A shim ends its tree this long before the server acts."""


def boottime() -> float:
    """Seconds since the host's start, sleep included: the clock of deadlines."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """`until` on CLOCK_BOOTTIME; counted from when an answered call was sent, for the server may have begun then."""

    def __init__(self, sent: float, lease_s: float) -> None:
        self.until = 0.0
        self.answered(sent, lease_s)

    def answered(self, sent: float, lease_s: float) -> None:
        """The server has answered a sign of life."""
        self.until = max(self.until, sent + lease_s - MARGIN_S)
