"""What a drill has left behind: the database, groups of the kernel, run directories, descriptors."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from chaos.harness import Keeper
from e2e.product import Product
from waiting import until

Open: TypeAlias = dict[str, Counter[str]]
"""What each part has open: how many of each kind."""
GROWTH = 12
"""Descriptors by which a process may differ between two quiet moments: connections come and go."""
_CLEARED_WITHIN_S = 60.0
_SETTLED_WITHIN_S = 90.0
"""A server closes an idle connection after 75 s, whatever its client does."""


def descriptors(keeper: Keeper) -> Open:
    """How many each part has open, by what they are."""
    found = {}
    for name in keeper.names:
        if (current := keeper.current(name)) is not None:
            found[name] = Counter(map(_kind, Path(f"/proc/{current[0].pid}/fd").iterdir()))
    return found


def _kind(descriptor: Path) -> str:
    """`socket`, `pipe`, the name of a file; `closed` where it was meanwhile."""
    try:
        return Path(os.readlink(descriptor)).name.partition(":")[0]
    except FileNotFoundError:
        return "closed"


def settled(keeper: Keeper, before: Open) -> Open:
    """The descriptors of each part once idle connections were closed, or after the time in which they should be.

    A pool of connections forgets an idle one only when it is used again, with the next heartbeat.
    """

    def are_few() -> bool:
        now = descriptors(keeper)
        return not any(_growth(before[name], now[name]) for name in before.keys() & now.keys())

    with contextlib.suppress(AssertionError):
        until(are_few, _SETTLED_WITHIN_S, 0.2)
    return descriptors(keeper)


def _growth(before: Counter[str], after: Counter[str]) -> str:
    """What there is more of, where it is too much."""
    return f"{after - before} more than {before}" if after.total() > before.total() + GROWTH else ""


def directories(data_dir: Path) -> list[Path]:
    """Every run directory of every host."""
    return [*data_dir.glob("runs/*/*"), *data_dir.glob("beside-*/runs/*/*")]


def groups(data_dir: Path) -> list[str]:
    """The groups that the kernel still has for attempts of this data directory."""
    bases = set()
    for path in directories(data_dir):
        try:
            proc = json.loads((path / "proc.json").read_text())
        except OSError:
            continue
        if proc["tree_base"]:
            bases.add(f"{proc['tree_base']}/agentrunner-{proc['instance']}")
    return [str(group) for base in bases if os.path.isdir(base) for group in Path(base).iterdir() if group.is_dir()]


def look_at(product: Product, made: tuple[int, int], before: Open, after: Open) -> Iterator[str]:
    """Everything that should not be, with the parts still running; `before` and `after` are descriptors.

    `made`: how many attempts, and how many starts a kill of worker or zygote may have cut short, a slot's worth each.
    """
    attempts, starts_cut = made
    checked = product.command("db", "check", "--full", "--json", "--data-dir", str(product.data_dir), timeout=300)
    if checked.returncode != 0:
        yield f"db check: {checked.stdout[-1500:]} {checked.stderr[-500:]}"
    if left := groups(product.data_dir):
        yield f"{len(left)} groups are left: {left[:3]}"
    found = directories(product.data_dir)
    executed = [path for path in found if (path / "proc.json").exists()]
    if unrecorded := [path for path in executed if not (path / "recorded").exists()]:
        yield f"{len(unrecorded)} of {len(executed)} run directories are not known to be recorded: {unrecorded[:3]}"
    if len(executed) > attempts:
        yield f"{len(executed)} directories were executed for {attempts} attempts"
    if len(found) - len(executed) > starts_cut:
        yield f"{len(found) - len(executed)} directories were never executed, with {starts_cut} kills"
    for name in before.keys() & after.keys():
        if more := _growth(before[name], after[name]):
            yield f"{name} has descriptors open: {more}"


def clear_up(product: Product) -> int:
    """A worker without retention deletes every recorded directory of its host; answers how many it left."""
    parts = [product.start("server"), product.start("worker", retention_spools=0)]
    recorded = [mark.parent for mark in product.data_dir.glob("runs/*/*/recorded")]
    try:
        until(lambda: not any(path.exists() for path in recorded), _CLEARED_WITHIN_S, 0.2)
    except AssertionError:
        return sum(path.exists() for path in recorded)
    finally:
        for part in parts:
            part.kill()
            product.wait_ended(part)
    return 0
