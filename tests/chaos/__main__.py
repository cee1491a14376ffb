"""Kill what can be killed, again and again, and prove what must stay true: `python tests/chaos [--short|--full]`.

Server, worker and zygote are killed with -9 while runs with real child processes write numbered lines to the product
and to books of their own; shims and agents are killed too, and workers stand still for longer than their lease.
The last line is one JSON object; exit 1 where a promise broke.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.drill import FULL, NORMAL, SHORT, made, run
from chaos.report import summary


def main() -> int:
    """Run one drill."""
    options = parse()
    length = SHORT if options.short else FULL if options.full else NORMAL
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"chaos: seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ar-", ignore_cleanup_errors=True) as directory:
        product = made(Path(directory), length, options.tree)
        try:
            found = run(product, length, seed)
        except BaseException:
            print(product.log(), file=sys.stderr)
            raise
        finally:
            product.close()
        if found["broken"]:
            print(product.log(), file=sys.stderr)
        if options.keep_log:
            options.keep_log.write_bytes(product.log_path.read_bytes())
    # Of servers, workers and this process; what shims and agents used is nobody's to count.
    found["cpu_s"] = round(sum(os.times()[:4]), 1)
    print(summary(found))
    print(json.dumps({"ok": not found["broken"], "seed": seed, "seconds": round(time.monotonic() - began, 1), **found}))
    return 1 if found["broken"] else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/chaos", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--short", action="store_true", help="some 12 s with few kills, as in `make test`")
    how_long.add_argument("--full", action="store_true", help="10,000 short runs, 600 kills and 20 stopped workers")
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier drill")
    parser.add_argument("--tree", default="", help="force a tree mechanism: cgroup2, cgroup1 or walk")
    parser.add_argument("--keep-log", type=Path, help="where to put the whole log of the product")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
