"""The checks of `make check` find what they are for, and the set-up says what it lacks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meta.sources import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository with our tools."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src").mkdir()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True, timeout=30)
    return tmp_path


def run(repository: Path, tool: str) -> tuple[int, str]:
    """The exit code of a tool in that repository, and what it printed."""
    done = subprocess.run(
        [sys.executable, repository / "tools" / tool], cwd=repository, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_tools_are_within_their_own_bounds(repository: Path) -> None:
    """Both checks pass on the tools themselves."""
    assert [run(repository, tool)[0] for tool in ("budget.py", "tracked.py")] == [0, 0]


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("pass\n" * 451, "451 of 450 lines"),
        ("def f():\n" + "    pass\n" * 60, "61 of  60 lines"),
        ("class A:\n    def f(self, a, b, c, *, d, e, f, g): ...\n", "7 of   6 parameters"),
    ],
    ids=["file", "function", "parameters"],
)
def test_budget_fails_over_a_bound(repository: Path, source: str, finding: str) -> None:
    """Each hard bound fails with what is over it, first in the list."""
    (repository / "src/large.py").write_text(source)
    code, output = run(repository, "budget.py")
    assert code == 1
    assert finding in output.splitlines()[0]
    assert output.splitlines()[0].endswith("OVER")


@pytest.mark.parametrize(
    "source",
    [
        "pass\n" * 450,
        "def f():\n" + "    pass\n" * 59,
        "class A:\n    def f(self, a, b, c, *, d, e, f): ...\n",
    ],
    ids=["file", "function", "parameters"],
)
def test_budget_passes_at_a_bound(repository: Path, source: str) -> None:
    """What uses its bound whole is within it."""
    (repository / "src/large.py").write_text(source)
    assert run(repository, "budget.py")[0] == 0


@pytest.mark.parametrize(
    ("blocks", "deep"),
    [
        ("for a in b:\n  while a:\n    with a:\n      pass", 0),
        ("for a in b:\n  while a:\n    with a:\n      if a:\n        pass", 1),
        ("if a:\n  pass\nelif b:\n  pass\nelif c:\n  pass\nelif d:\n  pass\nelif e:\n  pass", 0),
        ("if a:\n  for a in b:\n    pass\nelif b:\n  pass\nelse:\n  for a in b:\n    with a:\n      pass", 0),
    ],
)
def test_budget_reports_nesting_and_lets_it_pass(repository: Path, blocks: str, deep: int) -> None:
    """Nesting is shown, not enforced; a chain of `elif` is one level."""
    body = "".join(f"  {line}\n" for line in blocks.splitlines())
    (repository / "src/nested.py").write_text(f"def f():\n{body}")
    code, output = run(repository, "budget.py")
    assert code == 0
    assert ("nesting     src/nested.py" in output) == (deep > 0)


def spelled(content: str) -> str:
    """A text with the names in it that this file itself may not contain."""
    return content.replace("^", "/").replace("REGISTRY", "pypi" + ".org")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("notes.md", "see ^root/notes"),
        ("src/a.py", "PATH = '^home/grace/checkout/x'"),
        ("src/a.py", "PATH = '^work/checkout'"),
        ("docs/install.md", "pip install -i https://REGISTRY/simple agentrunner"),
        ("console/package-lock.json", '{"resolved"  : "x"}'),
        ("requirements/run.txt", "--index-url https://mirror.example/simple"),
    ],
)
def test_tracked_finds_what_is_somebodys(repository: Path, file: str, content: str) -> None:
    """Paths, registries and download addresses are found with file and line."""
    path = repository / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n" + spelled(content) + "\n")
    code, output = run(repository, "tracked.py")
    assert code == 1
    assert output.startswith(f"{file}:2 names ")


@pytest.mark.parametrize(
    "content",
    [
        "GET /runs/1/work/2",
        "src/work/x",
        "~/work/x",
        "/rooted/x",
        "^home/ada/x",
        "/tmp/x",
        '{"resolved": 1}',
        "\0^root/x",
    ],
)
def test_tracked_lets_ordinary_text_pass(repository: Path, content: str) -> None:
    """Routes, relative paths and binary files are nobody's machine."""
    (repository / "src/a.txt").write_text(spelled(content))
    assert run(repository, "tracked.py")[0] == 0


def test_ignored_files_are_not_looked_at(repository: Path) -> None:
    """What git ignores is not part of the repository."""
    (repository / ".gitignore").write_text("*.log\n")
    (repository / "a.log").write_text(spelled("^root/x"))
    assert run(repository, "tracked.py")[0] == 0


def test_check_reports_each_check_and_what_failed(repository: Path) -> None:
    """A failing check shows its output, a generated page that is old is one, and the code counts them."""
    (repository / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (repository / ".gitignore").write_text(".venv\n")
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, repository)
    (repository / "tools/generate_pages.py").write_text('raise SystemExit("docs/pages.md is not up to date")\n')
    (repository / "src/bad.py").write_text('"""Bad."""\n\nimport os\n')
    code, output = run(repository, "check.py")
    verdicts = {words[0]: words[1] for line in output.splitlines() if len(words := line.split()) > 2}
    expected = {"format": "ok", "lint": "FAILED", "budget": "ok", "tracked": "ok", "pages": "FAILED"}
    assert verdicts.items() >= expected.items()
    assert "src/bad.py:3:8: F401" in output
    assert "docs/pages.md is not up to date" in output
    assert output.splitlines()[-1].startswith(f"check: {code} of 7 failed")
    assert code == list(verdicts.values()).count("FAILED")


@pytest.mark.parametrize(
    ("answers", "advice"),
    [
        (
            "*version_info*) exit 1;; --version) echo Python 3.9.2;;",
            "Python 3.11 or newer is needed, found Python 3.9.2.",
        ),
        ("*ensurepip*|*pip*) exit 1;; --version) echo Python 3.11.2;;", "apt-get install python3-venv"),
    ],
    ids=["too-old", "without-venv"],
)
def test_setup_says_what_is_missing(repository: Path, answers: str, advice: str) -> None:
    """A machine that cannot make the environment is told what to install, and nothing half made stays behind."""
    python = repository / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in {answers} esac\n')
    python.chmod(0o755)
    for file in ("pyproject.toml", "requirements"):
        (repository / file).symlink_to(ROOT / file)
    done = subprocess.run(
        ["tools/setup.sh"],
        cwd=repository,
        env=os.environ | {"PYTHON": str(python)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert advice in done.stderr
    assert not (repository / ".venv").exists()


_WITHOUT_NODE = "cat cut dirname find grep sed sh sha256sum sort tr xargs".split()


@pytest.mark.parametrize(
    ("answer", "flags", "code"),
    [
        (None, [], 3),
        (None, ["--optional"], 0),
        ("v18.20.4", [], 3),
    ],
    ids=["none", "not needed", "too old"],
)
def test_the_console_says_that_it_needs_node(repository: Path, answer: str | None, flags: list[str], code: int) -> None:
    """Who has no Node that builds it is told what to do; who can do without goes on."""
    programs = repository / "bin"
    programs.mkdir()
    for name in _WITHOUT_NODE:
        (programs / name).symlink_to(shutil.which(name) or name)
    if answer is not None:
        for name in ("node", "npm"):
            (programs / name).write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {answer}\n')
            (programs / name).chmod(0o755)
    (repository / "console").mkdir()
    done = subprocess.run(
        ["tools/console.sh", *flags],
        cwd=repository,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == code
    assert f"found {answer or 'none'}" in done.stdout + done.stderr
    assert ("apt-get install nodejs npm" in done.stderr) == (code == 3)
    assert not (repository / "src/agentrunner/_console").exists()


def test_the_pages_name_only_commands_that_exist() -> None:
    """Whoever copies a `make` line from a page gets what it says."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, target)
        for page in ROOT.glob("*.md")
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert [f"{page}: make {target}" for page, target in sorted(named) if target not in targets] == []
