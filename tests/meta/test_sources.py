"""What every source file promises: words for its reader, and one public surface."""

import ast
import importlib
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentrunner
from meta.sources import PACKAGE, ROOT, modules, name, parse

ARCHITECTURE_LINES = 120
FORBIDDEN_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
FORBIDDEN_SUFFIXES = ("Helper", "Impl", "Manager", "Utils")

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(path: Path) -> Iterator[Documented]:
    """The functions and classes of a module that others may use."""
    for node in parse(path).body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", modules(), ids=name)
def test_docstrings(path: Path) -> None:
    """Every module and every public function and class says in one line what it is."""
    silent = [] if ast.get_docstring(parse(path)) else [f"{name(path)} has no docstring"]
    silent += [f"{node.name} (line {node.lineno})" for node in public_definitions(path) if not ast.get_docstring(node)]
    assert silent == []


def test_names_say_something() -> None:
    """No module and no class is named for being a place to put things."""
    vague = [name(path) for path in modules() if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES]
    vague += [
        f"{name(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and (node.name.endswith(FORBIDDEN_SUFFIXES) or node.name.startswith("Base"))
    ]
    assert vague == []


def test_the_public_surface_is_what_all_lists() -> None:
    """`__all__` is sorted and equals the public names, so nothing becomes public by accident."""
    listed = list(getattr(agentrunner, "__all__", []))
    public = [n for n in dir(agentrunner) if not n.startswith("_")]
    public = [n for n in public if not isinstance(getattr(agentrunner, n), types.ModuleType)]
    assert [n for n in listed if not n.startswith("__")] == public
    assert listed == sorted(set(listed))
    assert all(hasattr(agentrunner, n) for n in listed)


def test_the_package_is_typed_and_imports_from_this_checkout() -> None:
    """The tests see the sources beside them, and users' type checkers see the annotations."""
    assert Path(importlib.import_module("agentrunner").__file__ or "").parent == PACKAGE
    assert (PACKAGE / "py.typed").exists()


def test_architecture_is_short() -> None:
    """`ARCHITECTURE.md` is read whole by a newcomer."""
    page = ROOT / "ARCHITECTURE.md"
    lines = page.read_text(encoding="utf-8").count("\n") if page.exists() else 0
    assert lines <= ARCHITECTURE_LINES
