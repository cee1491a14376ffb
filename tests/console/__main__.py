"""The console in a browser against its budgets: `python tests/console [--runs 100000] [--flood 10]`, or `make budgets`.

Builds a wheel, installs it, serves years of use from it, and measures in a real Chromium. Prints a line for each figure
and, as the last one, a JSON object. Exit 1 where a gate is broken: sizes, accessibility, content security policy,
requests to elsewhere, uncaught errors. Times depend on the machine and are printed for people to judge.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, Error

from console import axe, browser, wheel
from console.browser import Visit, visit
from console.budgets import data, live, loads
from console.budgets.figures import Figure
from console.site import Site
from e2e.product import Product

PAGES = ("/inbox", "/runs", "/runs/new", "/dashboard", "/agents", "/workers", "/projects", "/settings")
FLOOD_S = 10.0
Measure = Callable[[Visit, Site], Iterable[Figure]]


def main() -> int:
    """Measure and report."""
    options = parse()
    program = browser.found()
    if program is None:
        print("budgets: there is no Chromium: apt-get install chromium (as root)", file=sys.stderr)
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ar-budgets-", dir=options.dir, ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        figures, problems = measure(place, program, options.runs, options.flood)
    broken = [figure.name for figure in figures if figure.is_gate and not figure.is_kept] + problems
    found = {figure.name: round(figure.value, 2) for figure in figures}
    over = [figure.name for figure in figures if not figure.is_kept]
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({**found, "over": over, "broken": broken, "seconds": seconds, "ok": not broken}))
    return 1 if broken else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/console", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000, help="how many runs the list has")
    parser.add_argument("--flood", type=float, default=FLOOD_S, help="seconds of 2,000 events a second")
    parser.add_argument("--dir", type=Path, help="where to work (default: TMPDIR)")
    return parser.parse_args()


def measure(place: Path, program: str, runs: int, flood_s: float) -> tuple[list[Figure], list[str]]:
    """Every figure, and what could not be measured."""
    figures: list[Figure] = []
    problems: list[str] = []

    def take(name: str, measured: Iterable[Figure]) -> None:
        try:
            for figure in measured:
                figures.append(figure)
                print(figure, flush=True)
        except (AssertionError, Error) as error:
            problems.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            print(f"{problems[-1]}  NOT MEASURED", flush=True)

    take("sizes", sizes())
    python = wheel.installed(place / "wheel")
    long, huge = data.fill(place, runs)
    with serving(place, python) as site, browser.chromium(program) as launched:
        parts: dict[str, Measure] = {
            "first_list": loads.first_list,
            "keys": lambda guest, _: loads.keys(guest),
            "long_run": lambda guest, _: loads.long_run(guest, *long),
            "huge_run": lambda guest, _: loads.huge_run(guest, *huge),
            "event_to_pixel": live.event_to_pixel,
            "flood": lambda guest, at: live.flood(guest, at, flood_s),
            "reconnect": live.reconnect,
            "accessibility": accessibility,
        }
        faults: list[str] = []
        for name, part in parts.items():
            with signed_in(launched, site) as guest:
                take(name, part(guest, site))
                faults += guest.faults
        print(*faults, sep="\n", end="\n" if faults else "")
        take("faults", [Figure("faults", len(faults), 0, "", is_gate=True)])
    return figures, problems


def sizes() -> Iterator[Figure]:
    """What a browser loads, by the console's own script."""
    command = ["node", "scripts/size.mjs", "../src/agentrunner/_console/"]
    done = subprocess.run(command, cwd=wheel.ROOT / "console", capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout.splitlines()[-1])
    for name, most in found["most"].items():
        yield Figure(f"{name}_kb", found[name] / 1024, most / 1024, "KB", is_gate=True)
    yield Figure("inline_scripts_or_styles", float("inline" in found["over"]), 0, "", is_gate=True)


def accessibility(guest: Visit, site: Site) -> Iterator[Figure]:
    """axe on every page and a run, in light and dark, at desktop and phone width."""
    run = site.shell("echo one; echo two >&2; exit 3")
    site.product.wait(run, "FAILED")
    found = []
    for path in (*PAGES, f"/runs/{run}"):
        guest.open(path)
        guest.settle()
        found += [f"{path}: {each}" for each in axe.in_every_look(guest.page)]
    print(*found, sep="\n", end="\n" if found else "")
    yield Figure("axe_violations", len(found), 0, "", is_gate=True)


@contextmanager
def signed_in(launched: Browser, site: Site) -> Iterator[Visit]:
    """A fresh browser of somebody who looks at the list of runs."""
    with visit(launched, site.base) as guest:
        guest.sign_in(site.link())
        guest.settle()
        loads.watch(guest)
        yield guest


@contextmanager
def serving(place: Path, python: Path) -> Iterator[Site]:
    """Server and worker of the wheel on a data directory."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port = trial.getsockname()[1]
    product = Product(place, port=port, grace_s=1)
    product.python = str(python)
    try:
        product.start("server")
        product.start("worker")
        product.wait_ready()
        yield Site(product)
    finally:
        product.close()


if __name__ == "__main__":
    sys.exit(main())
