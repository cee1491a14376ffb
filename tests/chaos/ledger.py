"""What a drill's agents say they did: plans, the books they keep, and their lines as the timeline has them."""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

WRITER = Path(__file__).with_name("programs") / "writer.py"
TAGS = ("parent", "child", "orphan")
ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is to do, and what is to be done to it (`wish`: none, pause, stop, or lose for a killed shim)."""

    lines: int
    every: float
    width: int
    code: int
    leaver: bool
    stdio: str
    wish: str

    @property
    def is_endless(self) -> bool:
        """Whether only somebody else ends it."""
        return self.lines == ENDLESS

    def argv(self, directory: Path) -> list[str]:
        """The command that carries it out, keeping its books in `directory`."""
        return [sys.executable, "-I", "-S", str(WRITER), str(directory), json.dumps(asdict(self))]


def draw(chance: random.Random, wish: str | None = None) -> Plan:
    """A plan by chance; `wish` settles what is to be done to it."""
    if wish is None:
        wish = chance.choices(("none", "pause", "stop"), (6, 3, 1))[0]
    endless = wish in {"stop", "lose"}
    return Plan(
        lines=ENDLESS if endless else chance.randint(60, 300),
        every=chance.choice((0.01, 0.02, 0.03)),
        width=chance.choice((40, 90, 400)),
        code=chance.choices((0, 3, 7), (3, 1, 1))[0],
        leaver=not endless and chance.random() < 0.2,
        stdio=chance.choice(("pipe", "file")),
        wish=wish,
    )


@dataclass(frozen=True, slots=True)
class Start:
    """One execution by its own account."""

    pid: int
    started: int


def starts(directory: Path) -> list[Start]:
    """Every execution of one run."""
    try:
        rows = (directory / "starts").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Start(int(row.split()[0]), int(row.split()[1])) for row in rows]


def book(directory: Path, tag: str, stream: str) -> list[str]:
    """The lines that one writer says it wrote to one stream."""
    try:
        return (directory / f"{tag}-{stream}").read_text().splitlines()
    except FileNotFoundError:
        return []


@dataclass(slots=True)
class Difference:
    """How the recorded lines differ from the written ones; all zero where nothing does."""

    written: int = 0
    recorded: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    foreign: int = 0

    def add(self, other: "Difference") -> None:
        """Sum up."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def is_none(self) -> bool:
        """Whether every line is there, once and in its place."""
        return not (self.lost or self.doubled or self.reordered or self.foreign)


def compare(written: list[str], recorded: list[str], plan: Plan, tag: str, *, may_lose_end: bool) -> Difference:
    """One writer's book against what the timeline has of it, byte for byte.

    A line is written before it is booked, so a killed writer may have written one more than it has booked: that must be
    the next one. With `may_lose_end` (the shim was killed with what its pipe held) the end may be missing and no more.
    """
    found = Difference(written=len(written), recorded=len(recorded))
    place = {line: number for number, line in enumerate(written)}
    extra = [line for line in recorded if line not in place]
    found.foreign = len(extra)
    if extra and recorded[-1] == extra[0] and _is_next(extra[0], written, plan, tag):
        found.foreign -= 1
        found.written += 1
    counted = Counter(line for line in recorded if line in place)
    found.doubled = sum(counted.values()) - len(counted)
    order = [place[line] for line in recorded if line in place]
    found.reordered = sum(later < earlier for earlier, later in pairwise(order))
    missing = len(written) - len(counted)
    is_prefix = order == list(range(len(order)))
    found.lost = 0 if may_lose_end and is_prefix else missing
    return found


def _is_next(line: str, written: list[str], plan: Plan, tag: str) -> bool:
    words = line.split(" ")
    known = int(written[-1].split(" ")[1]) if written else 0
    return words[0] == tag and words[1].isdecimal() and int(words[1]) > known and len(line) == plan.width - 1


def of_writer(lines: Iterable[str], tag: str) -> list[str]:
    """The lines that begin with a writer's tag."""
    return [line for line in lines if line.startswith(f"{tag} ")]
