"""Send what no client would send, and see that every promise holds: `python tests/fuzz [--count N] [--seed N]`.

Tries go to a real server process over loopback and its Unix socket; then every operation of the OpenAPI document is
tried by schemathesis. The last line is one JSON object; exit 1 where something was wrong. `--seed S --only N` repeats
one try.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from e2e.processes import Process
from e2e.product import Product
from fuzz import drill, schema, shapes, verdict, wire
from fuzz.drill import Drill, Figures
from fuzz.subject import subject

COUNT = 10_000
FULL = 100_000
SHORT = 600
EXAMPLES = 100
PROGRESS_S = 4.0


def main() -> int:
    """Run one drill."""
    options = parse()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"fuzz: seed {seed}", flush=True)
    began = time.monotonic()
    with subject() as (product, server):
        if options.only is not None:
            return repeat(product, seed, options.only)
        count = SHORT if options.short else FULL if options.full else options.count
        found = shoot(product, server, seed, count)
    if options.examples and not options.short:
        with subject() as (product, server):
            found |= promises(product, options.examples, seed)
    for wrong in found["broken"]:
        print(f"fuzz: BROKEN: {wrong}")
    print(json.dumps({"ok": not found["broken"], "seed": seed, "seconds": round(time.monotonic() - began, 1), **found}))
    return 1 if found["broken"] else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many tries ({COUNT})")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} tries and no schemathesis, as in `make test`")
    parser.add_argument("--full", action="store_true", help=f"{FULL} tries, some minutes")
    parser.add_argument("--seed", type=int, help="repeat the tries of an earlier drill")
    parser.add_argument("--only", type=int, help="send one try of that seed and show what came back")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of schemathesis for each operation; 0: none")
    return parser.parse_args()


def repeat(product: Product, seed: int, number: int) -> int:
    """One try, shown."""
    world = drill.prepare(product)
    shot = shapes.draw(seed, number, world)
    print(f"fuzz: try {number} is {shot.kind}, then {shot.ending}; sends {shot.content[:4000]!r}")
    outcome = wire.fire(shot, world)
    for answer in outcome.answers:
        print(f"fuzz: {answer.status} {answer.body[:1000]!r}")
    wrong = verdict.judge(shot, outcome)
    print(json.dumps({"ok": not wrong, "seed": seed, "broken": wrong}))
    return 1 if wrong else 0


def shoot(product: Product, server: Process, seed: int, count: int) -> dict[str, Any]:
    """All tries, with the server looked at before and after."""
    world = drill.prepare(product)
    before = drill.timelines(product, world)
    shots = Drill(product, server, world, seed, count)
    progress = Progress(count)
    warm = int(count * drill.WARM)
    shots.run(0, warm, progress.show)
    files, memory = drill.settled_files(server, 0 if warm == 0 else 40), server.resident_bytes
    shots.run(warm, count, progress.show)
    again = f"again: python tests/fuzz --seed {seed} --only"
    broken = [f"{failure.words}\n      {again} {failure.number}" for failure in shots.figures.failures]
    if not server.is_alive:
        return {**counted(shots.figures), "broken": [*broken, "the server did not survive", product.log()[-2000:]]}
    more_files = drill.settled_files(server, files + drill.MOST_MORE_FILES) - files
    grown = server.resident_bytes - memory
    if drill.timelines(product, world) != before:
        broken.append("a run that nobody wrote to has changed")
    if not drill.is_well(product):
        broken.append("the server does not do its work any more")
    if grown > drill.MOST_GROWTH:
        broken.append(f"memory grew by {grown >> 20} MiB")
    if more_files > drill.MOST_MORE_FILES:
        broken.append(f"{more_files} descriptors are left open")
    broken += list(verdict.judge_log(drill.log_of(product.log_path), list(world.tokens.values())))
    figures = {"grown_mb": round(grown / 2**20, 1), "memory_mb": round(server.resident_bytes / 2**20, 1)}
    return {**counted(shots.figures), **figures, "more_files": more_files, "broken": broken[:50]}


def counted(figures: Figures) -> dict[str, Any]:
    """The counts of a drill."""
    statuses = {str(status): count for status, count in sorted(figures.statuses.items())}
    longest = round(figures.longest_s, 2)
    return {"sent": figures.sent, "answers": statuses, "kinds": dict(figures.kinds), "longest_s": longest}


def promises(product: Product, examples: int, seed: int) -> dict[str, Any]:
    """What schemathesis finds."""
    print(f"fuzz: trying every operation of the document with {examples} examples", flush=True)
    found = schema.run(product, schema.Trial(examples=examples, seed=seed))
    if found.failures:
        print(found.output[-20_000:])
    figures: dict[str, Any] = {"operations": found.operations, "cases": found.cases}
    return figures | ({} if found.ok else {"broken": found.failures or ["schemathesis tried nothing"]})


class Progress:
    """A line now and then."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._shown = time.monotonic()

    def show(self, figures: Figures) -> None:
        """Say how far it is."""
        if time.monotonic() - self._shown > PROGRESS_S:
            self._shown = time.monotonic()
            print(
                f"fuzz: {figures.sent} of {self._count}; {families(figures)}; {len(figures.failures)} wrong", flush=True
            )


def families(figures: Figures) -> str:
    """The answers by their first digit."""
    found: dict[int, int] = {}
    for status, count in list(figures.statuses.items()):
        found[status // 100] = found.get(status // 100, 0) + count
    return ", ".join(f"{count} of {family}xx" for family, count in sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
