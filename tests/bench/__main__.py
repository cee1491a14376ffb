"""Measure the hot paths, each against its own limit in the same run: `python tests/bench [--quick] [--only ROW]`.

Prints a line of progress per measurement, a table, and as its last line one JSON object; exit 1 where a must is missed.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.plan import NotMeasured, Plan
from bench.report import Row, head, summary

PARTS = (
    "spawn",
    "output",
    "latency",
    "start",
    "ingest",
    "batch",
    "surfaces",
    "list",
    "stats",
    "stream",
    "memory",
    "postgres",
)


def main() -> int:
    """Measure and report."""
    options = parse()
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"bench {time.monotonic() - began:4.0f} s: {line}", flush=True)

    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ar-", dir=options.dir, ignore_cleanup_errors=True) as directory:
        plan = Plan(Path(directory), options.quick, tell)
        for part in options.only or PARTS:
            tell(part)
            rows += measured(plan, part)
    print("\n".join(["", head(), *map(str, rows), ""]))
    found = summary(rows)
    print(json.dumps({**found, "quick": options.quick, "seconds": round(time.monotonic() - began, 1)}))
    return 0 if found["ok"] else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="within a minute, with less of everything")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="ROW", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--dir", type=Path, help="where to work: the disk that is measured (default: TMPDIR)")
    return parser.parse_args()


def measured(plan: Plan, part: str) -> Sequence[Row]:
    """The rows of one part; what cannot be measured is a row that says why."""
    try:
        return importlib.import_module(f"bench.{part}").measure(plan)  # type: ignore[no-any-return]
    except NotMeasured as error:
        return [Row(name=part, unit="", problem=str(error))]
    except Exception as error:
        traceback.print_exc()
        return [Row(name=part, unit="", problem=f"{type(error).__name__}: {error}"[:200])]


if __name__ == "__main__":
    sys.exit(main())
