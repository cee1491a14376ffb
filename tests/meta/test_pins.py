"""What gets installed is pinned: exact versions with hashes, and no download address anywhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from meta.sources import ROOT

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = json.loads((ROOT / "tests/programs/package-lock.json").read_text())


def pins(file: str) -> dict[str, str]:
    """Version by package name."""
    text = (ROOT / "requirements" / file).read_text()
    return {canonicalize_name(m["name"]): m["version"] for m in PIN.finditer(text)}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("run.txt", PROJECT["project"]["dependencies"]),
        ("dev.txt", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
        ("dev.txt", PROJECT["build-system"]["requires"]),
    ],
    ids=["run", "dev", "build"],
)
def test_every_dependency_is_pinned_within_its_range(file: str, wanted: list[str]) -> None:
    """A dependency added without `make pins` shows here, not on somebody's fresh machine."""
    found = pins(file)
    requirements = [Requirement(line) for line in wanted]
    assert [
        str(r) for r in requirements if not r.specifier.contains(found.get(canonicalize_name(r.name), "0.0.0.dev0"))
    ] == []


def test_run_and_dev_agree() -> None:
    """What is tested is what is installed to run."""
    assert pins("run.txt").items() <= pins("dev.txt").items()


@pytest.mark.parametrize("file", ["run.txt", "dev.txt"])
def test_every_pin_has_hashes(file: str) -> None:
    """A changed file of the same version is refused."""
    text = (ROOT / "requirements" / file).read_text()
    assert [m["name"] for m in PIN.finditer(text) if "--hash=sha256:" not in m["rest"]] == []


def test_claude_code_is_pinned_exactly() -> None:
    """The tests' recorded behaviour is that of one version."""
    wanted = json.loads((ROOT / "tests/programs/package.json").read_text())["dependencies"]["@anthropic-ai/claude-code"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", wanted)
    assert LOCK["packages"]["node_modules/@anthropic-ai/claude-code"]["version"] == wanted


def test_the_lock_file_has_sums_and_no_addresses() -> None:
    """It installs from whatever registry the machine is set up for, and only what it names."""
    packages = [package for path, package in LOCK["packages"].items() if path]
    assert [p for p in packages if "resolved" in p or not p.get("integrity", "").startswith("sha512-")] == []


def test_no_lock_with_addresses_is_kept() -> None:
    """`uv.lock` records where each file was downloaded."""
    assert not Path(ROOT / "uv.lock").exists()
