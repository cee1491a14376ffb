"""`agentrunner agents` and `agentrunner stats` with the product itself, and how a chart is drawn."""

import json

import pytest

from agentrunner.cli.stats import chart
from e2e.product import Product


def test_agents_versions_and_figures(real: Product) -> None:
    """A run that has ended is in the figures of its agent, its version and its time; counting anew changes nothing."""
    assert real.command("run", "--raw", "--agent", "counted", "--", "true").returncode == 0
    line = next(each for each in real.command("agents").stdout.splitlines() if each.startswith("counted "))
    assert "100 % (21-100)" in line
    (version,) = json.loads(real.command("agents", "counted", "--json").stdout)["items"]
    assert version["figures"]["completed"] == 1
    assert version["version"] in real.command("agents", "counted").stdout
    shown = real.command("stats", "--agent", "counted").stdout
    assert "1 of 1, 100 % (21-100)" in shown
    assert "duration" in shown
    before = json.loads(real.command("stats", "--since", "7d", "--by", "version", "--json").stdout)
    assert {"counted"} <= {series["agent"] for series in before["series"]}
    assert f"Counted {before['total']['runs']:,} runs." in real.command("stats", "rebuild").stdout
    after = json.loads(real.command("stats", "--since", "7d", "--by", "version", "--json").stdout)
    assert after["series"] == before["series"]
    assert real.command("run", "--raw", "--", "true").returncode == 0
    headlines = [line for line in real.command("stats", "--by", "agent").stdout.splitlines() if line[:1].isalpha()]
    assert {"counted", "without an agent"} <= set(headlines)
    assert "all runs" in real.command("stats").stdout.splitlines()


def test_what_is_not_there(real: Product) -> None:
    """4 for an agent that nobody knows, 2 for words that are none; a window without runs says so."""
    assert real.command("agents", "nobody").returncode == 4
    assert real.command("stats", "--agent", "nobody").returncode == 4
    assert real.command("stats", "rebuilt").returncode == 2
    assert "no run ended" in real.command("stats", "--since", "2020-01-01", "--until", "2020-01-02").stdout


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0, 1, 2, 4, 8], " ▁▂▄█"),
        ([0, 0], "  "),
        ([0.001, 1000.0], "▁█"),
        ([1, 9, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 1], "█▃    █  ▁"),
    ],
)
def test_chart(values: list[float], drawn: str) -> None:
    """Bars as high as their share of the highest, never none for what is not 0; the highest of those that share one."""
    assert chart(values, 10) == drawn
