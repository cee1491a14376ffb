"""A clock that stands still until it is told to move."""


class Clock:
    """Answers milliseconds since 1970 UTC when called, as every clock in Agent Runner does; never steps back."""

    def __init__(self, now: int = 1_767_225_600_000) -> None:
        """Starts at `now`; 2026-01-01T00:00:00Z unless told otherwise."""
        self._now = now

    def __call__(self) -> int:
        """The time in milliseconds."""
        return self._now

    def advance(self, *, seconds: float = 0.0, ms: int = 0) -> int:
        """Move on and answer the new time; raises ValueError for a step back."""
        step = round(seconds * 1000) + ms
        if step < 0:
            raise ValueError(f"a clock does not step back ({step} ms)")
        self._now += step
        return self._now
