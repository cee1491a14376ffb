"""Everything that can be said about the sources without running them: `make check`.

One line a check with its time and the tool's own summary; a failing check also prints its whole output.
A script `tools/generate_NAME.py` joins by itself: with `--check` it must exit 0 when what it writes is up to date,
and otherwise print which file is not.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Check:
    """A name and the command that answers with its exit code."""

    name: str
    command: Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check said and how long it took."""

    check: Check
    ok: bool
    output: str
    seconds: float

    def __str__(self) -> str:
        summary = self.output.strip().rpartition("\n")[2] if self.ok else ""
        line = f"{self.check.name:10} {'ok' if self.ok else 'FAILED':6} {self.seconds:5.1f} s  {summary}".rstrip()
        return line if self.ok else f"{line}\n{self.output.rstrip()}\n"


def checks() -> list[Check]:
    """All checks, the slowest first so that the others run beside it."""
    python = BIN / "python"
    console = [Check("console", [python, ROOT / "tools/check_console.py"])] if (ROOT / "console").is_dir() else []
    return [
        *console,
        Check("types", [BIN / "mypy"]),
        Check("format", [BIN / "ruff", "format", "--check", "."]),
        Check("lint", [BIN / "ruff", "check", "--output-format", "concise", "."]),
        Check("layers", [BIN / "lint-imports", "--no-logo"]),
        Check("budget", [python, ROOT / "tools/budget.py"]),
        Check("tracked", [python, ROOT / "tools/tracked.py"]),
        *(
            Check(script.stem.removeprefix("generate_"), [python, script, "--check"])
            for script in sorted((ROOT / "tools").glob("generate_*.py"))
        ),
    ]


def run(check: Check) -> Outcome:
    """Run one check to its end; one that hangs is a failure."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            check.command, cwd=ROOT, text=True, timeout=LIMIT_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        ok, output = done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired:
        ok, output = False, f"did not end within {LIMIT_S} s"
    return Outcome(check, ok, output, time.monotonic() - started)


def main() -> int:
    """Run every check, at most one a core; the exit code is the number that failed."""
    started = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for outcome in pool.map(run, found := checks()):
            print(outcome, flush=True)
            failed += not outcome.ok
    took = f"{time.monotonic() - started:.1f} s"
    print(f"check: {failed} of {len(found)} failed, {took}" if failed else f"check: all {len(found)} passed, {took}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
