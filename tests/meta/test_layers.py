"""The import contracts hold, and each of them breaks when what it forbids is planted."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta.sources import PACKAGE, ROOT, modules, name, parse

# What a domain module may use: no clock, no randomness, no I/O.
PURE = {
    "abc", "base64", "bisect", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions",
    "functools", "hashlib", "heapq", "itertools", "json", "math", "msgspec", "operator", "re", "shlex", "statistics",
    "string", "types", "typing", "unicodedata", "urllib",
}  # fmt: skip
STAND_ALONE_ROOTS = ("zygote", "shim")

ONE_WAY = "Imports point one way"
CYCLES = "No cycles"
PURITY = "The domain is pure"
DRIVERS = "Only app picks a driver, also indirectly"
CONCRETE = "Only app names drivers and backends"
CLIENT = "A client knows only words"
WORKER = "A worker reaches the store only over HTTP"
LIBRARY = "The process library needs neither server nor database"
ALONE = "Zygote and shim stand alone"

TYPE_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import agentrunner.engine"
IN_A_FUNCTION = "def planted():\n    import agentrunner.engine"

PLANTED = [
    pytest.param({"domain/planted.py": "import asyncio"}, {PURITY}, id="domain-asyncio"),
    pytest.param({"domain/planted.py": "from time import time"}, {PURITY}, id="domain-time"),
    pytest.param({"domain/planted.py": "import agentrunner.config"}, {ONE_WAY}, id="domain-config"),
    pytest.param({"domain/planted.py": TYPE_ONLY}, {ONE_WAY}, id="upward-for-types-only"),
    pytest.param({"store/planted.py": "import agentrunner.engine"}, {ONE_WAY}, id="store-engine"),
    pytest.param({"store/planted.py": IN_A_FUNCTION}, {ONE_WAY}, id="store-engine-in-a-function"),
    pytest.param({"api/planted.py": "import agentrunner.worker"}, {ONE_WAY}, id="api-worker"),
    pytest.param({"process/planted.py": "import agentrunner.store"}, {ONE_WAY}, id="process-store"),
    pytest.param({"utils/__init__.py": ""}, {ONE_WAY}, id="new-package"),
    pytest.param(
        {"store/one.py": "import agentrunner.store.other", "store/other.py": "import agentrunner.store.one"},
        {CYCLES},
        id="siblings-in-a-cycle",
    ),
    pytest.param(
        {"api/planted.py": "import agentrunner.store.sqlite", "store/sqlite.py": ""}, {DRIVERS, CONCRETE}, id="driver"
    ),
    pytest.param(
        {"engine/planted.py": "import agentrunner.store.pick", "store/pick.py": "import agentrunner.store.postgres",
         "store/postgres.py": ""},
        {DRIVERS},
        id="driver-indirectly",
    ),
    pytest.param(
        {"cli/planted.py": "import agentrunner.agents.planted", "agents/planted.py": ""}, {CONCRETE}, id="backend"
    ),
    pytest.param({"client/planted.py": "import agentrunner.engine"}, {CLIENT}, id="client-engine"),
    pytest.param({"worker/planted.py": "import agentrunner.store"}, {WORKER}, id="worker-store"),
    pytest.param({"local_runner/planted.py": "import agentrunner.engine"}, {LIBRARY}, id="library-engine"),
    pytest.param({"local_runner/planted.py": "import sqlite3"}, {LIBRARY}, id="library-database"),
    pytest.param({"process/shim.py": "import agentrunner.domain"}, {ALONE}, id="shim-domain"),
    pytest.param({"process/zygote.py": "import asyncio"}, {ALONE}, id="zygote-asyncio"),
]  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to plant things in."""
    shutil.copytree(PACKAGE, tmp_path / "src/agentrunner", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(root: Path) -> set[str]:
    """The contracts that do not hold for the package under `root`."""
    lint = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo", "--config", "pyproject.toml"]
    # Before the installed package on the path, so that the copy is what gets read.
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "COLUMNS": "200"}
    done = subprocess.run(lint, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert any(line.startswith("Contracts: ") for line in lines), done.stdout + done.stderr
    broken = {line.partition(" BROKEN")[0] for line in lines if " BROKEN" in line}
    assert done.returncode == (1 if broken else 0), done.stdout
    return broken


def test_every_contract_holds(copy: Path) -> None:
    """The package as it is breaks none."""
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize(("planted", "expected"), PLANTED)
def test_a_planted_violation_is_found(copy: Path, planted: dict[str, str], expected: set[str]) -> None:
    """Each contract names its violation, so a contract that went soft shows here."""
    for file, source in planted.items():
        path = copy / "src/agentrunner" / file
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as module:
            module.write(f"\n{source}\n")
    assert expected <= broken_contracts(copy)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of everything a module imports, wherever in the file."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_the_domain_uses_only_pure_parts() -> None:
    """An allow-list, where the contract can only forbid the names it knows."""
    impure = [
        f"{name(path)}:{line} {module}"
        for path in sorted((PACKAGE / "domain").glob("*.py"))
        for line, module in imported(path)
        if module.split(".")[0] not in PURE and not module.startswith("agentrunner.domain")
    ]
    assert impure == []


def test_the_domain_asks_no_clock() -> None:
    """Time comes in as an argument."""
    clocks = [
        f"{name(path)}:{node.lineno} {node.attr}"
        for path in sorted((PACKAGE / "domain").glob("*.py"))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert clocks == []


def sibling(module: str) -> Path | None:
    """The file in `process` that an import means, also when it is imported by its bare name."""
    parts = module.removeprefix("agentrunner.process.").split(".")
    path = PACKAGE / "process" / f"{parts[0]}.py"
    return path if path.exists() else None


def test_what_the_zygote_loads_stands_alone() -> None:
    """Zygote, shim and all they reach start under `python -S -E -I`: the standard library and each other only."""
    pending = [path for root in STAND_ALONE_ROOTS if (path := PACKAGE / "process" / f"{root}.py").exists()]
    seen: set[Path] = set()
    foreign: list[str] = []
    while pending:
        if (path := pending.pop()) in seen:
            continue
        seen.add(path)
        for line, module in imported(path):
            if found := sibling(module):
                pending.append(found)
            elif module.split(".")[0] not in sys.stdlib_module_names:
                foreign.append(f"{name(path)}:{line} {module}")
    assert foreign == []


def test_no_module_reaches_in_through_the_front_door() -> None:
    """The package's own names are for its users; a module that imported them could reach any layer unseen."""
    submodules = {path.stem for path in PACKAGE.iterdir()}
    found = [
        f"{name(path)}:{line} {module}"
        for path in modules()
        for line, module in imported(path)
        if (parts := module.split("."))[0] == "agentrunner" and (len(parts) == 1 or parts[1] not in submodules)
    ]
    assert [line for line in found if not line.endswith(" agentrunner.__version__")] == []
