"""Cut the power at random operations of the disk and look for what was acknowledged: `python tests/powercut`.

The real schema and the engine's own statements, on a disk in memory that loses any of its unsynced sectors; each time
the product opens what is left. The last line is one JSON object; exit 1 where a row is lost or a file is corrupt.
"""

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from powercut.drill import drill


def main() -> int:
    """Cut and report."""
    parser = argparse.ArgumentParser(prog="python tests/powercut", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--cuts", type=int, default=3000, metavar="N", help="how often (default: 3000)")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a drill")
    parser.add_argument("--durability", choices=["full", "normal"], default="full", help="as the setting")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"power cuts: seed {seed}", flush=True)
    figures = drill(options.cuts, seed, options.durability, lambda line: print(line, flush=True))
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
