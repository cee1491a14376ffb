"""Control groups, on this host's own hierarchies."""

import os
import uuid
from collections.abc import Iterator

import pytest

from agentrunner.process import cgroups
from waiting import until


@pytest.fixture
def group() -> Iterator[str]:
    """A group that may be made; gone afterwards."""
    try:
        base = cgroups.base2()
    except OSError as error:
        pytest.skip(f"no cgroup v2 here: {error}")
    path = f"{base}/agentrunner-test{uuid.uuid4().hex[:8]}/one"
    yield path
    cgroups.remove(path)


def test_a_group_is_made_and_removed_with_the_one_above(group: str) -> None:
    """Making it twice and removing it twice are harmless."""
    cgroups.make(group)
    cgroups.make(group)
    assert os.path.isdir(group)
    assert cgroups.remove(group)
    assert cgroups.remove(group)
    assert not os.path.exists(group.rpartition("/")[0])


def test_a_group_in_use_stays(group: str) -> None:
    """Its members are listed, those of groups below too; nothing is removed under them."""
    inner = f"{group}/inner"
    cgroups.make(group)
    os.mkdir(inner)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"echo 0 > {inner}/cgroup.procs && exec sleep 60"], dict(os.environ))
    try:
        until(lambda: pid in cgroups.members(group))
        assert not cgroups.remove(group)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert until(lambda: cgroups.remove(group))


def test_where_no_controller_is_mounted_that_is_said() -> None:
    """By OSError, as for one that may not be written."""
    with pytest.raises(OSError, match="not mounted"):
        cgroups.base1("imaginary", "imaginary.max")


def test_numbers_in_control_files(tmp_path: os.PathLike[str]) -> None:
    """Alone, behind a name, or none at all."""
    path = f"{tmp_path}/file"
    for text, name, expected in [("12\n", "", 12), ("max\n", "", None), ("a 1\nb 2\n", "b", 2), ("a 1\n", "c", None)]:
        with open(path, "w") as file:
            file.write(text)
        assert cgroups.number(path, name) == expected
    assert cgroups.number(f"{path}-none") is None
