"""What doctor finds of this host."""

from pathlib import Path

from agentrunner.app.doctor import checks
from agentrunner.config import load
from agentrunner.domain.check import Check
from agentrunner.process import limits, resources


def found(path: Path, **settings: object) -> dict[str, Check]:
    """The checks by name; each once."""
    made = list(checks(load({}, {"data_dir": str(path), **settings})))
    assert len({check.name for check in made}) == len(made)
    return {check.name: check for check in made}


def test_every_piece_is_looked_at(tmp_path: Path) -> None:
    """Backends, trees, limits, directory, files, inotify; whatever is not well comes with advice."""
    tmp_path.chmod(0o700)
    made = found(tmp_path)
    assert {"process trees", "limits", "data directory", "open files", "inotify", "backend command"} <= made.keys()
    assert made["data directory"].status in {"ok", "warn"}
    assert [check.name for check in made.values() if check.status != "ok" and not check.advice] == []


def test_every_limit_is_said(tmp_path: Path) -> None:
    """Enforced, and by which cgroups, or not, and why; only then there is advice."""
    check = found(tmp_path)["limits"]
    enforced, _, refused = check.detail.partition("; not: ")
    for name, why in limits.enforceable().items():
        assert name in (enforced if why is None else refused)
        assert why is None or why in refused
    for name, (version, _) in resources.probe().bases.items():
        assert f"{name} (cgroup v{version})" in enforced
    assert (check.status == "ok") == (not refused)
    assert ("DelegateSubgroup" in (check.advice or "")) == bool(refused)


def test_a_directory_that_others_can_read_is_said(tmp_path: Path) -> None:
    """With the command that helps."""
    tmp_path.chmod(0o755)
    check = found(tmp_path)["data directory"]
    assert (check.status, check.advice) == ("warn", f"chmod 700 {tmp_path}")


def test_a_directory_to_be_made_is_well(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert found(tmp_path / "new")["data directory"].status == "ok"
    assert not (tmp_path / "new").exists()


def test_a_tree_that_cannot_be_is_a_failure(tmp_path: Path) -> None:
    """What was forced and is not offered, said with a way out."""
    check = found(tmp_path, tree="imaginary")["process trees"]
    assert check.status == "fail"
    assert "AGENTRUNNER_TREE" in (check.advice or "")
