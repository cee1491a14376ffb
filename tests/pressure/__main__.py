"""Flood the product and measure what that costs: `python tests/pressure [--megabytes 120] [--cap 16] [--rate 20]`.

An agent writes 120 MB while the server takes 20 MB a second and the spool may use 16 MiB, once through a pipe and once
into a file. The last line is one JSON object; exit 1 where a promise broke.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pressure.flood import MB, MIB, MOST_GROWTH, Figures, Flood, measure

WAYS = ("pipe", "file")


def main() -> int:
    """Run the floods one after the other."""
    options = parse()
    found = []
    began = time.monotonic()
    for stdio in WAYS if options.stdio is None else (options.stdio,):
        flood = Flood(options.megabytes * MB, options.cap, stdio, options.rate * MB)
        print(f"{stdio}: {options.megabytes} MB for a server that takes {options.rate} MB a second", flush=True)
        figures = measure(flood, lambda line: print("  " + line, flush=True))
        print(summary(figures), flush=True)
        found.append(figures.document())
    is_ok = all(figures["ok"] for figures in found)
    print(json.dumps({"ok": is_ok, "seconds": round(time.monotonic() - began, 1), "floods": found}))
    return 0 if is_ok else 1


def summary(figures: Figures) -> str:
    """The figures for a person."""
    return "\n".join(
        (
            f"  disk at the most   {figures.peak_disk / MIB:8.2f} MiB  (cap {figures.flood.cap_mib})",
            f"  worker's growth    {figures.growth / MIB:8.2f} MiB  (at most {MOST_GROWTH // MIB})",
            f"  lines              {figures.lines:8}      (of {figures.flood.lines}, in order: {figures.in_order})",
            f"  the agent waited   {figures.waits:8}      times, said by {figures.pressure_events} events",
            *(f"  BROKEN: {broken}" for broken in figures.broken),
        )
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests/pressure", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=120, help="how much the agent writes")
    parser.add_argument("--cap", type=int, default=16, help="MiB of disk that its spools may use")
    parser.add_argument("--rate", type=int, default=20, help="MB a second that the server takes")
    parser.add_argument("--stdio", choices=WAYS, help="only this way")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
