"""`agentrunner show`, with the product itself."""

import json

import msgspec
import pytest

from agentrunner.cli.output import Output
from agentrunner.cli.show import bars, draw, spent
from agentrunner.domain.run import RunView
from agentrunner.domain.sample import SamplePage, SampleView
from e2e.product import Product


def test_a_failed_run_is_shown_with_what_to_do(real: Product) -> None:
    """Its fields, its last events, the reason and the advice."""
    real.command("run", "--label", "a=b", "--title", "shown", "--", "sh", "-c", "echo last words; exit 5")
    run_id = json.loads(real.command("ps", "-a", "-n", "1", "--json").stdout)["items"][0]["id"]
    shown = real.command("show", str(run_id)).stdout
    for part in ("shown", "FAILED exit_nonzero", "exit code  5", "a=b", "│ last words", "To do: Read the last lines"):
        assert part in shown
    run = msgspec.json.decode(real.command("show", "--json", str(run_id)).stdout, type=RunView)
    assert (run.id, run.exit_code) == (run_id, 5)
    assert "CPU, " in shown
    drawn = real.command("show", str(run_id), "--samples").stdout
    assert "No timeline yet" in drawn
    samples = msgspec.json.decode(real.command("show", "--json", "--samples", str(run_id)).stdout, type=SamplePage)
    assert samples.memory_peak_bytes > 0
    assert "last words" not in real.command("show", str(run_id), "--events", "0").stdout


def test_what_a_reporter_says_cannot_write_to_the_terminal(real: Product) -> None:
    """Nor clear it: what comes from outside is shown as text, in the sentences that say why too."""
    run_id = real.create("external", title="t\x1b[2Jt")
    failed = {"type": "run.failed", "payload": {"message": "broken\x1b]0;owned\x07"}}
    assert real.ask("POST", f"/v1/runs/{run_id}/events", json=failed).status_code == 201
    shown = real.command("show", str(run_id)).stdout
    assert "It is FAILED: exit_nonzero. broken" in shown
    assert not {"\x1b", "\x07"} & set(shown)


def page(*points: tuple[int, int, int]) -> SamplePage:
    """Samples at seconds, with microseconds of CPU and MiB."""
    items = [
        SampleView(attempt=1, at=f"2026-01-01T00:00:{at:02d}.000Z", cpu_us=cpu, memory_bytes=mib << 20, processes=1)
        for at, cpu, mib in points
    ]
    peak = max(item.memory_bytes for item in items)
    return SamplePage(items=items, next_cursor=None, cpu_us=items[-1].cpu_us, memory_peak_bytes=peak, processes_peak=1)


def test_what_was_used_in_words() -> None:
    """One line."""
    assert spent(page((0, 0, 10), (30, 12_000_000, 45))) == "12 s CPU, 45 MiB at most, 1 process at most"


def test_bars_rise_with_the_values() -> None:
    """Over the whole width; a part of the time without a sample is as the one before."""
    drawn = bars([(0.0, 0.0), (30.0, 4.0), (60.0, 8.0)])
    assert (len(drawn), drawn[0], drawn[29], drawn[30], drawn[58], drawn[59]) == (60, "▁", "▁", "▅", "▅", "█")


def test_a_timeline_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU by how much of it was worked, memory, and how long it all took."""
    draw(Output(), page((0, 0, 10), (10, 5_000_000, 45), (20, 5_000_000, 45)))
    shown = capsys.readouterr().out
    assert "up to 0.50 CPUs" in shown
    assert "up to 45 MiB" in shown
    assert "20 s in all" in shown
