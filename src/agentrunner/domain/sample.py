"""Samples: what the processes of a run used at an instant, all together."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import rfc3339

MOST_POINTS = 720
"""How many samples of a run are kept: an hour at a heartbeat of 5 s. Then every other one goes."""
Figure = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A sample as a worker takes it: CPU time since the attempt's start, memory and living processes of now."""

    run_id: Figure
    attempt: Figure
    cpu_us: Figure
    memory_bytes: Figure
    processes: Figure


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt has used in all, as its end says: more exact than any sample."""

    cpu_us: Figure = 0
    memory_peak_bytes: Figure = 0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample as stored; `at` in milliseconds."""

    attempt: int
    at: int
    cpu_us: int
    memory_bytes: int
    processes: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has used over all its attempts, and how dense its samples are.

    `cpu_us` is the current attempt's, `cpu_before_us` that of the attempts before. Samples less than `step_ms` behind
    `sampled_at` are not kept, but they count in the peaks.
    """

    run_id: int
    attempt: int
    cpu_us: int = 0
    cpu_before_us: int = 0
    memory_peak_bytes: int = 0
    processes_peak: int = 0
    points: int = 0
    step_ms: int = 0
    sampled_at: int = 0

    @property
    def is_full(self) -> bool:
        """True where no more points may be kept."""
        return self.points >= MOST_POINTS

    def plus(self, taken: Taken) -> "Totals":
        """With one sample more."""
        return self._with(taken.attempt, taken.cpu_us, taken.memory_bytes, taken.processes)

    def ended(self, attempt: int, used: Used) -> "Totals":
        """With what an attempt's end says."""
        return self._with(attempt, used.cpu_us, used.memory_peak_bytes, 0)

    def _with(self, attempt: int, cpu_us: int, memory_bytes: int, processes: int) -> "Totals":
        is_next = attempt > self.attempt
        return msgspec.structs.replace(
            self,
            attempt=attempt,
            cpu_us=cpu_us if is_next else max(self.cpu_us, cpu_us),
            cpu_before_us=self.cpu_before_us + (self.cpu_us if is_next else 0),
            memory_peak_bytes=max(self.memory_peak_bytes, memory_bytes),
            processes_peak=max(self.processes_peak, processes),
        )


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """A sample on the wire: CPU time in microseconds since the attempt's start, bytes and processes at that instant."""

    attempt: int
    at: str
    cpu_us: int
    memory_bytes: int
    processes: int


class SamplePage(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has used, and its samples in order, at most 720.

    `cpu_us` is over all attempts. Memory is what the kernel charges the run where it counts that, else the resident
    memory of its processes, in which pages that they share count for each. A sample like the one before is taken about
    once a minute only; of a long run every other sample was dropped, as often as needed.
    """

    items: list[SampleView]
    next_cursor: str | None
    cpu_us: int
    memory_peak_bytes: int
    processes_peak: int


def view(totals: Totals, samples: list[Sample]) -> SamplePage:
    """The wire form."""
    items = [
        SampleView(
            attempt=sample.attempt,
            at=rfc3339(sample.at),
            cpu_us=sample.cpu_us,
            memory_bytes=sample.memory_bytes,
            processes=sample.processes,
        )
        for sample in samples
    ]
    return SamplePage(
        items=items,
        next_cursor=None,
        cpu_us=totals.cpu_before_us + totals.cpu_us,
        memory_peak_bytes=totals.memory_peak_bytes,
        processes_peak=totals.processes_peak,
    )
