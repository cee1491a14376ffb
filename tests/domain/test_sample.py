"""Totals of what a run uses: whatever order figures come in, nothing that was used is lost or counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.sample import Taken, Totals, Used, view

SIZES = st.integers(0, 1 << 40)
ATTEMPTS = st.lists(st.lists(st.tuples(SIZES, SIZES, st.integers(0, 100)), min_size=1, max_size=6), max_size=5)


@given(ATTEMPTS)
def test_totals_are_what_was_used(attempts: list[list[tuple[int, int, int]]]) -> None:
    """CPU time is the sum over attempts of the highest figure of each; peaks are the highest of all."""
    totals = Totals(run_id=1, attempt=1)
    for number, samples in enumerate(attempts, 1):
        for cpu, memory, processes in samples:
            taken = Taken(run_id=1, attempt=number, cpu_us=cpu, memory_bytes=memory, processes=processes)
            totals = totals.plus(taken)
    page = view(totals, [])
    everything = [sample for samples in attempts for sample in samples]
    assert page.cpu_us == sum(max(sample[0] for sample in samples) for samples in attempts)
    assert page.memory_peak_bytes == max((sample[1] for sample in everything), default=0)
    assert page.processes_peak == max((sample[2] for sample in everything), default=0)


def test_the_end_of_an_attempt_corrects_upwards() -> None:
    """A sample may have been later than what the kernel had counted: the higher figure holds."""
    totals = Totals(run_id=1, attempt=1).plus(Taken(run_id=1, attempt=1, cpu_us=50, memory_bytes=700, processes=3))
    ended = totals.ended(1, Used(cpu_us=80, memory_peak_bytes=500))
    assert (ended.cpu_us, ended.memory_peak_bytes, ended.processes_peak) == (80, 700, 3)
    assert totals.ended(1, Used()).cpu_us == 50
