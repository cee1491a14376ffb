"""How often, how much and how long a database commits: counted by its writer, read by whoever shows figures."""

import bisect

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Commits:
    """Counts since the start. One thread adds; readers in others may see a commit before its seconds."""

    def __init__(self) -> None:
        self.changes = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BOUNDS_S) + 1)

    @property
    def count(self) -> int:
        """How many commits."""
        return sum(self.buckets)

    def add(self, changes: int, seconds: float) -> None:
        """One commit, with so many changes in it."""
        self.changes += changes
        self.seconds += seconds
        self.buckets[bisect.bisect_left(BOUNDS_S, seconds)] += 1

    def cumulated(self) -> list[tuple[str, float]]:
        """The counts of commits that took at most so long, as a histogram shows them."""
        found: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*BOUNDS_S, float("inf")), self.buckets, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else str(bound), total))
        return found
