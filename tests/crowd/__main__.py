"""A crowd of agents at once, each a line a second, through a real `up`: `python tests/crowd [--agents N]`.

Printed is what it costs: memory, CPU, the time until a line is readable, to start all, to take all up again after
kill -9 of the worker, to stop all. The last line is one JSON object; exit 1 where a line is lost or anything is left.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from crowd.gathering import Crowd, Plan
from e2e.product import Product

_SOURCE = Path(__file__).with_name("programs") / "ticker.c"


def main() -> int:
    """Gather a crowd, measure it, let it go, and judge."""
    options = parse()
    compiler = shutil.which("cc")
    if compiler is None:
        print("crowd: no C compiler; install one (`cc` in PATH), for the agents have to cost nothing themselves")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ar-", ignore_cleanup_errors=True) as directory:
        ticker = Path(directory) / "ticker"
        subprocess.run([compiler, "-O2", "-o", ticker, _SOURCE], check=True, timeout=60)
        data_dir = Path(directory) / "d"
        data_dir.mkdir(mode=0o700)
        slots = {"slots": options.agents + 1, "max_running": options.agents + 1, "tree": options.tree}
        product = Product(data_dir, log_level="warning", **slots)
        try:
            found = Crowd(product, ticker, Plan(options.agents, options.seconds)).run()
        except BaseException:
            print(product.log(), file=sys.stderr)
            raise
        finally:
            product.close()
        if found["broken"]:
            print(product.log(), file=sys.stderr)
    for what in found["broken"]:
        print(f"crowd: BROKEN: {what}")
    print(json.dumps({"ok": not found["broken"], "wall_s": round(time.monotonic() - began, 1), **found}))
    return 1 if found["broken"] else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/crowd", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--agents", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they are measured (60)")
    parser.add_argument("--tree", default="", help="force a tree mechanism: cgroup2, cgroup1 or walk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
