"""The files of this repository, for tests about the sources themselves."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "agentrunner"
TESTS = ROOT / "tests"


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def of_tests() -> list[Path]:
    """Every Python file that tests consist of; `programs` folders hold what tests run as agents."""
    return sorted(p for p in TESTS.rglob("*.py") if not {"programs", "node_modules"} & set(p.parts))


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of one file, read once a session."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    """A file as it is written in this repository: relative, with forward slashes."""
    return path.relative_to(ROOT).as_posix()
