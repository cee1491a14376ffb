"""What the tests promise: they mirror the sources, wait on conditions and use real things."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta.sources import PACKAGE, ROOT, TESTS, name, of_tests, parse

# Tests of a layer that belong to no single module, each with why. Keep it short: a test usually has one subject.
WITHOUT_A_MODULE: dict[str, str] = {
    "tests/test_walk.py": "walks through every layer, to compare them with ARCHITECTURE.md",
    "tests/engine/test_machine.py": "drives the whole engine against a model",
}
PATCHING = {"setattr", "delattr", "setitem", "delitem"}


def forbidden(tree: ast.AST) -> Iterator[str]:
    """Every use of sleeping or patching in one file, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep")):
                yield f"line {line} sleeps: wait on a condition with a deadline (tests/waiting.py)"
            case ast.ImportFrom(names=names) if "sleep" in {n.name for n in names}:
                yield f"line {line} imports sleep: wait on a condition with a deadline (tests/waiting.py)"
            case ast.ImportFrom(module="mock" | "unittest" | "unittest.mock"):
                yield f"line {line} imports mock: use the real thing or agentrunner.testing"
            case ast.Import(names=names) if {n.name.split(".")[0] for n in names} & {"mock", "unittest"}:
                yield f"line {line} imports mock: use the real thing or agentrunner.testing"
            case ast.Attribute(value=ast.Name(id="monkeypatch" | "mp"), attr=attr) if attr in PATCHING:
                yield f"line {line} patches: pass the other thing as an argument"
            case ast.arg(arg="mocker"):
                yield f"line {line} mocks: use the real thing or agentrunner.testing"


@pytest.mark.parametrize("path", of_tests(), ids=name)
def test_no_sleeping_and_no_patching(path: Path) -> None:
    """Sleeps make a suite slow and flaky, patches make it prove nothing."""
    assert list(forbidden(parse(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "async def f():\n    await asyncio.sleep(0)",
        "from time import sleep as nap",
        "from unittest.mock import patch",
        "import unittest.mock as m",
        "def test(monkeypatch):\n    monkeypatch.setattr(a, 'b', 1)",
        "def test(mocker): ...",
    ],
)
def test_sleeping_and_patching_are_seen(source: str) -> None:
    """The rule finds what it forbids, so its silence above means something."""
    assert list(forbidden(ast.parse(source))) != []


def mirrored(path: Path) -> bool:
    """Whether `tests/store/test_runs.py`, or `test_runs_paging.py`, has a `store/runs.py` to test."""
    folder = PACKAGE / path.parent.relative_to(TESTS)
    subject = path.stem.removeprefix("test_")
    return any(subject == m.stem or subject.startswith(f"{m.stem}_") for m in folder.iterdir())


def layer_tests() -> list[Path]:
    """The test files that stand where the package has a folder too."""
    return [p for p in of_tests() if p.stem.startswith("test_") and (PACKAGE / p.parent.relative_to(TESTS)).is_dir()]


def test_the_tests_mirror_the_tree() -> None:
    """A reader of a module finds its tests by name."""
    assert [name(p) for p in layer_tests() if not mirrored(p) and name(p) not in WITHOUT_A_MODULE] == []


def test_exceptions_from_the_mirror_are_real() -> None:
    """Every exception names a test that exists and says why."""
    assert [n for n, why in WITHOUT_A_MODULE.items() if not (ROOT / n).exists() or len(why) < 20] == []


def test_every_test_says_what_it_shows() -> None:
    """One line a test."""
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in of_tests()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if path.stem.startswith("test_") and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
