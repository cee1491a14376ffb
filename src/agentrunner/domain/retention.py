"""What is past its retention."""

import msgspec


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go: whole runs, events of runs that stay, files of secrets; of which database.

    `is_done` is false where time was over before the work was.
    """

    runs: int = 0
    events: int = 0
    secrets: int = 0
    is_done: bool = True
    instance_id: str = ""

    def plus(self, other: "Pruned") -> "Pruned":
        """Both together; done where the other is."""
        return Pruned(
            runs=self.runs + other.runs,
            events=self.events + other.events,
            secrets=self.secrets + other.secrets,
            is_done=other.is_done,
            instance_id=other.instance_id or self.instance_id,
        )
