"""How long a benchmark is and where it works, and the C programs it measures with."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SOURCES = Path(__file__).parent / "programs"


class NotMeasured(Exception):
    """Something that a row needs is missing on this host; the message says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`directory` is empty at the start and deleted afterwards; `tell` prints a line of progress."""

    directory: Path
    is_quick: bool
    tell: Callable[[str], None]

    @property
    def rounds(self) -> int:
        """How many pairs are measured."""
        return 3 if self.is_quick else 5

    def pick(self, quick: int, whole: int) -> int:
        """An amount of work."""
        return quick if self.is_quick else whole

    def place(self, name: str) -> Path:
        """A directory of one row."""
        path = self.directory / name
        path.mkdir(mode=0o700)
        return path

    def program(self, name: str) -> str:
        """A C program of ours, compiled. Raises NotMeasured where there is no compiler."""
        target = self.directory / name
        if not target.exists():
            compiler = shutil.which("cc")
            if compiler is None:
                raise NotMeasured("no C compiler: install one (`cc` in PATH) to measure this row")
            done = subprocess.run(
                [compiler, "-O2", "-o", target, _SOURCES / f"{name}.c"], capture_output=True, text=True, timeout=60
            )
            if done.returncode:
                raise NotMeasured(f"cc cannot compile {name}.c: {done.stderr[-300:]}")
        return str(target)
